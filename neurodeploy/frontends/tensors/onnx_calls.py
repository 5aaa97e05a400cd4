"""How operators of ONNX are read: functions (maker, name of the value, inputs, attributes) -> values.

Inputs that are left out are None; `a` : attributes. Sources: the operator pages of ONNX (onnx.ai, "Operators").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.tensors.making import NodeMaker, Operand, Ref
from neurodeploy.frontends.tensors.padding import padded

Given = Sequence[Operand | None]
Attrs = Mapping[str, Any]
Call = Callable[[NodeMaker, str, Given, Attrs], Any]


def numbers(m: NodeMaker, x: Operand | None, what: str) -> list[int]:
    """A list of integers that must be a constant."""
    if x is None:
        return []
    if isinstance(x, Ref):
        raise m.fail(f"has {what} that depend on the input", "give them as constants")
    return [int(n) for n in np.asarray(x).reshape(-1)]


def value(m: NodeMaker, x: Operand | None) -> Ref:
    if not isinstance(x, Ref):
        raise m.fail("wants a value that depends on the input", "fold constants before the export")
    return x


def present(m: NodeMaker, x: Operand | None) -> Operand:
    if x is None:
        raise m.fail("lacks an input", "export the model again")
    return x


def held(m: NodeMaker, x: Operand | None, what: str) -> NDArray[Any]:
    """A constant that must be there."""
    found = constant(m, x, what)
    if found is None:
        raise m.fail(f"has no {what}", "export the model again")
    return found


def constant(m: NodeMaker, x: Operand | None, what: str) -> NDArray[Any] | None:
    if isinstance(x, Ref):
        raise m.fail(f"has {what} that depend on the input", "give them as constants")
    return x


def pads(
    m: NodeMaker, a: Attrs, x: Ref, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """Begin and end of each side are equal, or one `pad` comes before: (padding a side)."""
    auto, sides = str(a.get("auto_pad", "NOTSET")), len(kernel)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for n, size in enumerate(x.full[2:]):
            out = -(-size // strides[n])
            total = max(0, (out - 1) * strides[n] + dilations[n] * (kernel[n] - 1) + 1 - size)
            small, large = total // 2, total - total // 2
            found.append((small, large) if auto == "SAME_UPPER" else (large, small))
    elif auto == "VALID":
        found = [(0, 0)] * sides
    else:
        given = list(a.get("pads", [0] * 2 * sides))
        found = list(zip(given[:sides], given[sides:], strict=True))
    return [n for pair in found for n in pair]


def evened(m: NodeMaker, name: str, x: Ref, pairs: Sequence[int]) -> tuple[Ref, list[int]]:
    """Padding that is equal on both ends; else zeros are put around the value first."""
    before, after = list(pairs[::2]), list(pairs[1::2])
    if before == after:
        return x, before
    return padded(m, f"{name}.padded", x, [(0, 0), (0, 0), *zip(before, after, strict=True)]), [0] * len(before)


def conv(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    weight = held(m, x[1], "weights")
    sides = weight.ndim - 2
    stride, dilation = (list(a.get(key, [1] * sides)) for key in ("strides", "dilations"))
    bias = constant(m, x[2] if len(x) > 2 else None, "biases")
    given, padding = evened(m, name, value(m, x[0]), pads(m, a, value(m, x[0]), weight.shape[2:], stride, dilation))
    return m.conv(
        name, given, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=int(a.get("group", 1))
    )


def conv_transpose(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    weight = held(m, x[1], "weights")
    sides = weight.ndim - 2
    stride, dilation = (list(a.get(key, [1] * sides)) for key in ("strides", "dilations"))
    pads, more = list(a.get("pads", [0] * 2 * sides)), list(a.get("output_padding", [0] * sides))
    if pads[:sides] != pads[sides:] or "output_shape" in a or a.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise m.fail("has padding that differs at both ends", "give equal pads")
    bias = constant(m, x[2] if len(x) > 2 else None, "biases")
    return m.conv(
        name, value(m, x[0]), weight, bias, stride=stride, padding=pads[:sides], dilation=dilation,
        groups=int(a.get("group", 1)), transposed=True, output_padding=more,
    )  # fmt: skip


def gemm(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    first, weight = value(m, x[0]), held(m, x[1], "weights")
    if a.get("transA"):
        first = m.moved(f"{name}.turned", first, lambda p: p.T)
    matrix = weight if a.get("transB") else weight.T
    bias = constant(m, x[2] if len(x) > 2 else None, "biases")
    bias = None if bias is None else np.broadcast_to(bias * a.get("beta", 1.0), (1, len(matrix))).reshape(-1)
    return m.linear(name, first, matrix * a.get("alpha", 1.0), bias)


def matmul(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    return m.product(name, present(m, x[0]), present(m, x[1]))


def arithmetic(by: str) -> Call:
    def call(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
        return m.binary(name, present(m, x[0]), present(m, x[1]), by)

    return call


def curve(act: str) -> Call:
    return lambda m, name, x, a: m.curve(name, value(m, x[0]), act)


def plain(by: str) -> Call:
    return lambda m, name, x, a: m.node(name, "plain", [value(m, x[0])], value(m, x[0]).full, {"by": by})


def clip(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    ends = [constant(m, end, "limits") for end in (*x[1:3], None, None)[:2]]
    low, high = (None if end is None else float(np.asarray(end).reshape(())) for end in ends)
    return m.rectify(name, value(m, x[0]), low=low, high=high)


def hard_sigmoid(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    scale, shift = np.asarray(a.get("alpha", 0.2)), np.asarray(a.get("beta", 0.5))
    return m.rectify(name, m.affine(f"{name}.line", value(m, x[0]), scale, shift), low=0.0, high=1.0)


def hard_swish(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    return m.curve(name, value(m, x[0]), "hard_swish")


def elu(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    if a.get("alpha", 1.0) != 1.0:
        raise m.fail(f"has alpha = {a['alpha']}", "the curve of the table has alpha = 1")
    return m.curve(name, value(m, x[0]), "elu")


def gelu(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    return m.curve(name, value(m, x[0]), "gelu_tanh" if a.get("approximate", "none") == "tanh" else "gelu")


def norm(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    if a.get("training_mode"):
        raise m.fail("is in training mode", "export the model for inference")
    weight, bias, mean, var = (held(m, part, "statistics") for part in x[1:5])
    return m.norm(name, value(m, x[0]), mean, var, weight, bias, float(a.get("epsilon", 1e-5)))


def group_norm(groups: int | None) -> Call:
    """None: `num_groups`; of an instance norm one a channel."""

    def call(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
        given = value(m, x[0])
        count = int(a["num_groups"]) if groups is None else given.full[1]
        weight, bias = (constant(m, part, "weights") for part in x[1:3])
        settings = {"groups": count, "eps": float(a.get("epsilon", 1e-5))}
        return m.node(
            name, "group_norm", [m.map(given, len(given.full) - 2)], given.full, settings, weight=weight, bias=bias
        )

    return call


def layer_norm(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    given = value(m, x[0])
    axes = given.full[int(a.get("axis", -1)) % len(given.full) :]
    weight, bias = (constant(m, part, "weights") for part in (*x[1:3], None)[:2])
    settings = {"axes": axes, "eps": float(a.get("epsilon", 1e-5))}
    return m.node(name, "layer_norm", [given], given.full, settings, weight=weight, bias=bias)


def pool(form: str) -> Call:
    def call(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
        given, kernel = value(m, x[0]), list(a["kernel_shape"])
        stride, dilation = (list(a.get(key, [1] * len(kernel))) for key in ("strides", "dilations"))
        pairs = pads(m, a, given, kernel, stride, dilation)
        padding = pairs[::2]
        if padding != pairs[1::2]:
            if form == "max_pool":  # zeros are no neutral element of a maximum
                raise m.fail("has padding that differs at both ends", "pad the map by its edge before")
            given, padding = evened(m, name, given, pairs)
            if not a.get("count_include_pad"):
                raise m.fail("has padding that differs at both ends and does not count", "let padding count")
        padded = bool(a.get("count_include_pad", 0))
        return m.pooled(
            name, form, given, kernel, stride, padding, dilation, ceil=bool(a.get("ceil_mode")), padded=padded
        )  # fmt: skip

    return call


def over_map(by: str) -> Call:
    def call(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
        given = value(m, x[0])
        if by == "mean":
            return m.reduced(name, given, "mean", range(2, len(given.full)), True)
        return m.pooled(name, "max_pool", given, given.full[2:], given.full[2:], [0])

    return call


def reduced(by: str) -> Call:
    def call(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
        axes = numbers(m, x[1] if len(x) > 1 else None, "axes") or list(a.get("axes", []))
        return m.reduced(name, value(m, x[0]), by, axes, bool(a.get("keepdims", 1)))

    return call


def argmax(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    return m.reduced(name, value(m, x[0]), "argmax", [int(a.get("axis", 0))], bool(a.get("keepdims", 1)))


def softmax(log: bool) -> Call:
    def call(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
        given = value(m, x[0])
        axis = given.axis(int(a.get("axis", -1)))
        return m.node(name, "log_softmax" if log else "softmax", [given], given.full, {"axis": axis})

    return call


def power(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    given, exponent = value(m, x[0]), constant(m, x[1], "exponents")
    if exponent is None or exponent.size != 1:
        raise m.fail("has several exponents", "give one number")
    if float(exponent.reshape(())) == 2.0:
        return m.node(name, "mul", [given, given], given.full)
    return m.node(name, "power", [given], given.full, {"exponent": float(exponent.reshape(()))})


def cast(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    from onnx import helper

    return m.cast(name, value(m, x[0]), helper.tensor_dtype_to_np_dtype(int(a["to"])).name)


def same(m: NodeMaker, name: str, x: Given, a: Attrs) -> Operand | None:
    return x[0]
