"""ONNX files that somebody has broken: `mutated(seed)`, and `outcome`, what becomes of one.

Bytes are changed, cut, doubled and put in; or the model is parsed and its parts are made to lie: sides that are huge,
negative or zero, names twice, circles, inputs that nobody makes, attributes of other types, other operators.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from neurodeploy import convert
from neurodeploy.errors import InternalError, NeurodeployError
from neurodeploy.frontends.tensors.onnx_nodes import TABLE
from tests.tensors.onnx_files import convolutions, node, perceptron, sequence

Rng = np.random.Generator
#: Files that are well, and the shape of a sample.
BASES: tuple[tuple[Callable[[], ModelProto], tuple[int, ...]], ...] = (
    (perceptron, (3,)), (convolutions, (2, 6, 6)), (sequence, (4, 6)),
)  # fmt: skip
NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    5,
    7,
    64,
    1 << 16,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    1 << 40,
    -(1 << 31),
    (1 << 62),
    -(1 << 63),
)
OTHER = ("TopK", "Einsum", "LSTM", "Upsample", "ConstantOfShape", "Range", "Where", "NonZero", "Shape", "Constant")


def _one(rng: Rng, things: Any) -> Any:
    return things[int(rng.integers(len(things)))]


def _number(rng: Rng) -> int:
    return int(_one(rng, NUMBERS))


def weights(model: ModelProto, rng: Rng) -> None:
    tensor = _one(rng, model.graph.initializer)
    if tensor.dims and rng.random() < 0.7:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = _number(rng)
    else:
        tensor.dims.append(_number(rng))


def types(model: ModelProto, rng: Rng) -> None:
    _one(rng, model.graph.initializer).data_type = int(rng.integers(0, 26))


def data(model: ModelProto, rng: Rng) -> None:
    tensor = _one(rng, model.graph.initializer)
    raw, size = tensor.raw_data, int(rng.integers(0, 64))
    tensor.raw_data = _one(rng, (raw[:size], raw + bytes(size), b"\xff" * len(raw), b""))


def outside(model: ModelProto, rng: Rng) -> None:
    tensor = _one(rng, model.graph.initializer)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", _one(rng, ("net.onnx", "/dev/zero", "../x", "", "."))),
        ("offset", str(_number(rng))),
    ):
        tensor.external_data.add(key=key, value=value)


def inputs(model: ModelProto, rng: Rng) -> None:
    side = _one(rng, model.graph.input).type.tensor_type
    if rng.random() < 0.3:
        side.elem_type = int(rng.integers(0, 26))
    elif side.shape.dim:
        dim = _one(rng, side.shape.dim)
        if rng.random() < 0.5:
            dim.dim_value = _number(rng)
        else:
            dim.dim_param = _one(rng, ("N", "", "batch" * 100))


def names(model: ModelProto, rng: Rng) -> None:
    """Twice the same, a circle, or one that nobody makes."""
    first, second = _one(rng, model.graph.node), _one(rng, model.graph.node)
    how = int(rng.integers(4))
    if how == 0:
        first.output[0] = second.output[0]
    elif first.input:
        place = int(rng.integers(len(first.input)))
        first.input[place] = (second.output[0], "nobody", "")[how - 1]


def order(model: ModelProto, rng: Rng) -> None:
    nodes = [model.graph.node[n] for n in rng.permutation(len(model.graph.node))]
    kept = nodes if rng.random() < 0.5 else nodes[1:] + nodes[:1] * int(rng.integers(1, 3))
    kept = [type(n).FromString(n.SerializeToString()) for n in kept]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def arity(model: ModelProto, rng: Rng) -> None:
    chosen = _one(rng, model.graph.node)
    if rng.random() < 0.5 and chosen.input:
        del chosen.input[-1]
    else:
        chosen.input.append(_one(rng, ("", *(t.name for t in model.graph.initializer), chosen.output[0])))


def operators(model: ModelProto, rng: Rng) -> None:
    chosen = _one(rng, model.graph.node)
    chosen.op_type = _one(rng, (*TABLE, *OTHER))
    if rng.random() < 0.1:
        chosen.domain = _one(rng, ("com.microsoft", "ai.onnx", "ai.onnx.ml"))


def attributes(model: ModelProto, rng: Rng) -> None:
    """A value of another type or size, of an attribute that is there or one that somebody reads."""
    chosen = _one(rng, model.graph.node)
    known = (
        "axis",
        "pads",
        "strides",
        "dilations",
        "group",
        "kernel_shape",
        "perm",
        "axes",
        "auto_pad",
        "epsilon",
        "to",
        "mode",
    )
    name = _one(rng, [a.name for a in chosen.attribute] or known) if rng.random() < 0.5 else _one(rng, known)
    kept = [a for a in chosen.attribute if a.name != name]
    value: Any = _one(rng, (
        _number(rng), float("nan"), 1e38, "SAME_UPPER", "\x00", [_number(rng) for _ in range(int(rng.integers(1, 5)))],
        [1.5, float("inf")], ["a", "b"], numpy_helper.from_array(np.ones((2, 2), np.float32)),
    ))  # fmt: skip
    kept.append(helper.make_attribute(name, value))
    del chosen.attribute[:]
    chosen.attribute.extend(kept)


def growing(model: ModelProto, rng: Rng) -> None:
    """A value or a constant that becomes huge: by Expand, Tile, Pad, Resize, or a shape."""
    sides, given = (
        [min(max(1, abs(_number(rng))), 1 << 62) for _ in range(2)],
        _one(rng, (model.graph.input[0].name, "one")),
    )
    before = (*model.graph.node[0].input, "one")[0]
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, *sides], np.int64), "sides"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, 0, *sides] * 2, np.int64), "pads"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, *sides], np.float32), "factors"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 1), np.float32), "one"))
    made = _one(rng, (
        node("Expand", f"{given} sides", "grown"), node("Tile", f"{given} sides", "grown"),
        node("Pad", f"{given} pads", "grown"),
        node("Resize", f"{given} - factors", "grown"), node("ConstantOfShape", "sides", "grown"),
    ))  # fmt: skip
    joined = (
        node("Concat", f"{before} grown", "joined", axis=_number(rng))
        if rng.random() < 0.5
        else node("Add", f"{before} grown", "joined")
    )
    rest = list(model.graph.node)
    rest[0].input[:] = ["joined", *rest[0].input[1:]]
    kept = [type(n).FromString(n.SerializeToString()) for n in (made, joined, *rest)]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def versions(model: ModelProto, rng: Rng) -> None:
    model.opset_import[0].version = _number(rng) if rng.random() < 0.5 else int(rng.integers(10, 30))
    model.ir_version = int(rng.integers(0, 20))


def outputs(model: ModelProto, rng: Rng) -> None:
    how = _one(
        rng, ("nobody", model.graph.input[0].name, model.graph.node[0].output[0], model.graph.initializer[0].name)
    )
    if rng.random() < 0.3:
        del model.graph.output[:]
    elif model.graph.output:
        model.graph.output[0].name = how


def nested(model: ModelProto, rng: Rng) -> None:
    """Graphs within graphs: of a condition that is known, of one that is not, of a loop; a branch may be missing."""
    name = model.graph.node[-1].output[0] if model.graph.node[-1].output else "x"
    inner = helper.make_graph([node("Relu", name, "z")], "inner", [], [helper.make_tensor_value_info("z", 1, None)])
    for _ in range(int(rng.integers(0, 12))):
        flag = _one(rng, ("flag", "flag", name, "nobody"))
        outer = node("If", flag, "z", then_branch=inner, **({"else_branch": inner} if rng.random() < 0.8 else {}))
        inner = helper.make_graph([outer], "inner", [], [helper.make_tensor_value_info("z", 1, None)])
    model.graph.initializer.append(numpy_helper.from_array(np.array(rng.random() < 0.5), "flag"))
    kind = _one(rng, ("If", "If", "Loop"))
    branches = {"body": inner} if kind == "Loop" else {"then_branch": inner, "else_branch": _one(rng, (inner, 3, "x"))}
    model.graph.node.append(node(kind, _one(rng, ("flag", "flag", name, "")), "deep", **branches))
    if model.graph.output:
        model.graph.output[0].name = "deep"


STRUCTURE = (
    weights, types, data, outside, inputs, names, order, arity, operators, attributes, attributes, growing, growing,
    versions, outputs, nested,
)  # fmt: skip


def broken(whole: bytes, rng: Rng) -> bytes:
    """Its bytes changed."""
    found = bytearray(whole)
    for _ in range(int(rng.integers(1, 6))):
        at, size = int(rng.integers(len(found) or 1)), int(rng.integers(1, 40))
        how = int(rng.integers(5))
        if how == 0:
            found[at : at + 1] = bytes([int(rng.integers(256))])
        elif how == 1:
            found[at : at + size] = b""
        elif how == 2:
            found[at:at] = found[at : at + size]
        elif how == 3:
            found[at:at] = rng.bytes(size)
        elif rng.random() < 0.2:
            del found[at:]
    return bytes(found)


def mutated(seed: int) -> tuple[bytes, tuple[int, ...]]:
    """The bytes of a file, and the shape of a sample of the one that it was."""
    rng = np.random.default_rng([seed, 23])
    make, shape = _one(rng, BASES)
    model = make()
    if rng.random() < 0.3:
        return broken(model.SerializeToString(), rng), shape
    for _ in range(int(rng.integers(1, 4))):
        _one(rng, STRUCTURE)(model, rng)
    return model.SerializeToString(), shape


def outcome(seed: int) -> str:
    """Converted, or the code of an error of one line; anything else is raised."""
    whole, shape = mutated(seed)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "net.onnx", Path(folder) / "net.nd"
        path.write_bytes(whole)
        samples = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
        try:
            convert(path, out, calibration=samples)
        except NeurodeployError as error:
            if isinstance(error, InternalError) or "\n" in str(error) or out.exists():
                raise AssertionError(f"seed {seed}: {error!r}") from error
            return error.code
        return "converted"
