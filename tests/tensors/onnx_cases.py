"""ONNX files of one operator or few, in shapes and settings that are drawn: `FILES`, by the rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from tests.tensors.cases import Draw
from tests.tensors.onnx_files import node


class File(NamedTuple):
    """nodes; shapes of inputs with the samples; names of outputs; constants; what samples are (see `cases.Drawn`)."""

    nodes: Sequence[NodeProto]
    inputs: Mapping[str, Sequence[int]]
    outputs: str = "y"
    arrays: Mapping[str, Any] = {}
    opset: int = 17
    above: float | None = None
    ids: int = 0


FILES: dict[str, tuple[tuple[str, ...], Callable[[Draw], File]]] = {}


def file(rows: str) -> Callable[[Callable[[Draw], File]], Callable[[Draw], File]]:
    def kept(make: Callable[[Draw], File]) -> Callable[[Draw], File]:
        FILES[make.__name__] = (tuple(rows.split()), make)
        return make

    return kept


def normal(*shape: int) -> NDArray[np.float32]:
    return np.asarray(np.random.default_rng(shape).normal(size=shape), np.float32)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def each(ops: str, d: Draw, opset: int = 17, above: float | None = None, **attributes: Mapping[str, Any]) -> File:
    """Operators of one input beside one another."""
    nodes = [node(op, "x", f"y{n}", **attributes.get(op, {})) for n, op in enumerate(ops.split())]
    names = " ".join(f"y{n}" for n in range(len(nodes)))
    return File(nodes, {"x": (1, *d.shape())}, names, {}, opset, above)


PLAIN = (
    "Neg Exp Abs Sin Cos Floor Ceil Round Sign Relu LeakyRelu Sigmoid Tanh Softplus Softsign Erf Elu Identity Dropout"
)


@file(f"{PLAIN} HardSigmoid HardSwish")
def pointwise(d: Draw) -> File:
    given = {"LeakyRelu": {"alpha": 0.3}, "HardSigmoid": {"alpha": d.of(0.2, 0.25)}}
    return each(f"{PLAIN} HardSigmoid HardSwish", d, d.of(14, 18), **given)


@file("Log Sqrt Reciprocal")
def above_zero(d: Draw) -> File:
    return each("Log Sqrt Reciprocal", d, 13, 0.25)


@file("Mish Gelu")
def newer_curves(d: Draw) -> File:
    return each("Mish Gelu", d, 20, Gelu={"approximate": d.of("none", "tanh")})


@file("Clip PRelu Pow Cast")
def with_constants(d: Draw) -> File:
    size = d.map(3)
    nodes = [
        node("Clip", "x low high", "y0"), node("Clip", "x - high", "y1"), node("PRelu", "x slope", "y2"),
        node("PRelu", "x one", "y3"), node("Pow", "x two", "y4"), node("Cast", "x", "i", to=7),
        node("Cast", "i", "y5", to=1),
    ]  # fmt: skip
    arrays = {
        "low": np.float32(-0.5),
        "high": np.float32(1),
        "slope": normal(3, 1, 1),
        "one": normal(1),
        "two": np.float32(2),
    }
    return File(nodes, {"x": (1, *size)}, "y0 y1 y2 y3 y4 y5", arrays, d.of(13, 16, 20))


@file("Add Sub Mul Div")
def arithmetic(d: Draw) -> File:
    shape = d.shape()
    nodes = [
        *(node(op, "x c", f"a{op}") for op in ("Add", "Sub", "Mul", "Div")),
        *(node(op, "c x", f"b{op}") for op in ("Add", "Sub", "Mul", "Div")),
        *(node(op, "x z", f"c{op}") for op in ("Add", "Sub", "Mul", "Div")),
    ]  # fmt: skip
    names = " ".join(n.output[0] for n in nodes)
    return File(
        nodes, {"x": (1, *shape), "z": (1, *shape)}, names, {"c": np.abs(normal(*shape[-1:])) + 0.5}, 14, above=0.5
    )


@file("Conv Relu")
def conv(d: Draw) -> File:
    sides, groups = d.of(1, 2), d.of(1, 2)
    kernel = [d.int(1, 3) for _ in range(sides)]
    pads = {"auto_pad": d.of("SAME_UPPER", "SAME_LOWER", "VALID")} if d.of(True, False) else {
        "pads": [d.int(0, 2) for _ in range(2 * sides)]}  # fmt: skip
    given = {**pads, "strides": [d.int(1, 3) for _ in range(sides)], "group": groups}
    given |= {"dilations": [d.int(1, 2) for _ in range(sides)]} if "pads" in pads else {}
    nodes = [node("Conv", "x w b", "c", **given), node("Relu", "c", "y")]
    return File(
        nodes,
        {"x": (1, *d.map(2 * groups, sides))},
        "y",
        {"w": normal(2 * groups, 2, *kernel), "b": normal(2 * groups)},
    )


@file("ConvTranspose")
def conv_transpose(d: Draw) -> File:
    sides, stride, pad = d.of(1, 2), d.int(1, 3), d.int(0, 1)
    given = {"pads": [pad] * 2 * sides, "strides": [stride] * sides, "output_padding": [d.int(0, stride - 1)] * sides}
    given |= {"group": d.of(1, 2), "dilations": [d.int(1, 2)] * sides}
    return File(
        [node("ConvTranspose", "x w", "y", **given)],
        {"x": (1, *d.map(2, sides, 3))},
        "y",
        {"w": normal(2, 2, *[3] * sides)},
    )


@file("Gemm MatMul")
def matrices(d: Draw) -> File:
    a, b = d.of(0, 1), d.of(0.5, 1.0)
    nodes = [
        node("Gemm", "x w c", "y0", transB=a, alpha=b, beta=d.of(2.0, 1.0)), node("MatMul", "x v", "y1"),
        node("Gemm", "t v", "y2", transA=1),
    ]  # fmt: skip
    arrays = {"w": normal(3, 4) if a else normal(4, 3), "c": d.of(normal(3), normal(1)), "v": normal(4, 2)}
    return File([node("Reshape", "x s", "t"), *nodes], {"x": (1, 4)}, "y0 y1 y2", {**arrays, "s": ints(4, 1)})


@file("MatMul Transpose Softmax LogSoftmax")
def matmul(d: Draw) -> File:
    nodes = [
        node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "s"), node("Add", "s m", "a"),
        node("Softmax", "a", "p", axis=d.of(-1, 2)), node("MatMul", "p x", "y0"), node("LogSoftmax", "s", "y1", axis=1),
        node("MatMul", "w x", "y2"),
    ]  # fmt: skip
    mask = np.triu(np.full((3, 3), np.float32(-1e9)), 1)
    return File(nodes, {"x": (1, 3, d.int(1, 4))}, "y0 y1 y2", {"m": mask, "w": normal(2, 3)})


@file("BatchNormalization InstanceNormalization")
def norms(d: Draw) -> File:
    arrays = {"s": normal(3), "b": normal(3), "m": normal(3), "v": np.abs(normal(3)) + 0.1}
    nodes = [
        node("BatchNormalization", "x s b m v", "y0", epsilon=d.of(1e-5, 1e-2)),
        node("InstanceNormalization", "x s b", "y1"),
    ]
    return File(nodes, {"x": (1, *d.map(3, d.of(1, 2)))}, "y0 y1", arrays)


@file("GroupNormalization LayerNormalization")
def newer_norms(d: Draw) -> File:
    axis = d.of(-1, 1, 2)
    inner = (4, 3, 2)[(axis % 4) - 1 :]
    nodes = [
        node("GroupNormalization", "x s b", "y0", num_groups=d.of(1, 2)), node("LayerNormalization", "x w", "y1", axis=axis),
    ]  # fmt: skip
    return File(nodes, {"x": (1, 4, 3, 2)}, "y0 y1", {"s": normal(4), "b": normal(4), "w": normal(*inner)}, 21)


@file("MaxPool AveragePool GlobalAveragePool GlobalMaxPool")
def pools(d: Draw) -> File:
    sides = d.of(1, 2)
    kernel, strides = ([d.int(1, 3) for _ in range(sides)] for _ in range(2))
    pad = [d.int(0, k // 2) for k in kernel]
    given = {"kernel_shape": kernel, "strides": strides}
    nodes = [
        node("MaxPool", "x", "y0", **given, pads=pad * 2),
        node("AveragePool", "x", "y1", **given, pads=pad * 2, count_include_pad=d.of(0, 1)),
        node("AveragePool", "x", "y2", **given, pads=[0] * sides + pad, count_include_pad=1),
        node("GlobalAveragePool", "x", "y3"), node("GlobalMaxPool", "x", "y4"),
        node("MaxPool", "x", "y5", kernel_shape=[2] * sides), node("AveragePool", "x", "y6", kernel_shape=[2] * sides),
    ]  # fmt: skip
    return File(nodes, {"x": (1, *d.map(0, sides))}, "y0 y1 y2 y3 y4 y5 y6", {}, 17)


@file("ReduceMean ReduceSum ReduceMax ArgMax")
def reductions(d: Draw) -> File:
    axes, keep = d.of([1], [2, 3], [-1], [1, 2, 3]), d.of(0, 1)
    nodes = [
        node("ReduceMean", "x", "y0", axes=axes, keepdims=keep), node("ReduceSum", "x a", "y1", keepdims=keep),
        node("ReduceMax", "x", "y2", axes=axes, keepdims=keep), node("ArgMax", "x", "i", axis=axes[0], keepdims=keep),
        node("Cast", "i", "y3", to=1), node("ReduceMean", "x", "y4"),
    ]  # fmt: skip
    return File(nodes, {"x": (1, 2, 3, 4)}, "y0 y1 y2 y3 y4", {"a": ints(*axes)}, 17)


@file("Reshape Flatten Squeeze Unsqueeze Slice Gather Split Concat Expand Tile Pad Transpose")
def moves(d: Draw) -> File:
    mode, axis, step = d.of("constant", "reflect", "edge"), d.of(1, 2, 3, -1), d.of(-1, 1, 2)
    nodes = [
        node("Reshape", "x shape", "y0"), node("Flatten", "x", "y1", axis=d.of(1, 2, 3)), node("Unsqueeze", "x three", "u"),
        node("Squeeze", "u three", "s"), node("Slice", "s start end axes steps", "y2"),
        node("Gather", "x index", "y3", axis=axis),
        node("Split", "x lengths", "p q", axis=3), node("Concat", "q x p", "y4", axis=3), node("Expand", "x wide", "y5"),
        node("Tile", "x twice", "y6"), node("Pad", "x pads", "y7", mode=mode), node("Transpose", "x", "t"),
        node("Reshape", "t back", "y8"), node("Shape", "x", "z"), node("Gather", "z one", "n"),
        node("Concat", "k n", "m", axis=0),
        node("Reshape", "x m", "y9"), node("Gather", "x zero", "y10", axis=2),
    ]  # fmt: skip
    arrays = {
        "shape": ints(0, -1, 3), "three": ints(3), "start": ints(-1 if step < 0 else d.int(0, 2)), "axes": ints(2),
        "k": ints(1, -1),
        "end": ints(-(2**62) if step < 0 else 2**62), "steps": ints(step), "index": ints(1, 0, 0), "lengths": ints(1, 3),
        "wide": ints(1, 2, 3, 4), "twice": ints(1, 2, 1, 1), "pads": ints(0, 0, 1, 2, 0, 0, d.int(0, 2), 1),
        "back": ints(1, 24),
        "one": ints(1), "zero": np.array(0, np.int64),
    }  # fmt: skip
    return File(nodes, {"x": (1, 2, 3, 4)}, " ".join(f"y{n}" for n in range(11)), arrays, 13)


@file("Split")
def equal_parts(d: Draw) -> File:
    nodes = [node("Split", "x", "a b c", axis=d.of(1, -1), num_outputs=3)]
    return File(nodes, {"x": (1, d.of(5, 6, 7))}, "a b c", {}, 18)


@file("Split")
def parts_without_lengths(d: Draw) -> File:
    return File([node("Split", "x", "a b", axis=d.of(1, -1))], {"x": (1, 6)}, "a b", {}, 13)


@file("DepthToSpace")
def depth_to_space(d: Draw) -> File:
    nodes = [node("DepthToSpace", "x", f"y{n}", blocksize=2, **given) for n, given in enumerate(({}, {"mode": "CRD"}))]
    return File(nodes, {"x": (1, 8, d.int(1, 3), 2)}, "y0 y1", {}, 13)


@file("Resize")
def resize(d: Draw) -> File:
    factors = np.array([1, 1, d.of(1, 2, 3), d.of(1, 2)], np.float32)
    how = d.of("asymmetric", "half_pixel")
    rounds = d.of("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    given = {"mode": "nearest", "coordinate_transformation_mode": how, "nearest_mode": rounds}
    return File([node("Resize", "x - f", "y", **given)], {"x": (1, 2, 3, 4)}, "y", {"f": factors}, d.of(13, 19))


@file("Gather")
def embedding(d: Draw) -> File:
    return File(
        [node("Gather", "w x", "e"), node("MatMul", "e v", "y")],
        {"x": (1, 3)},
        "y",
        {"w": normal(5, 4), "v": normal(4, 2)},
        ids=5,
    )
