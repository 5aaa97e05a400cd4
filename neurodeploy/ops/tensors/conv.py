"""Convolutions with one or two sides, plain and transposed, in groups, with strides, padding and dilation.

``y[o] = sum_{c, i, j} weight[o, c, i, j] * x[c, ..] + bias[o]``, torch's cross-correlation. On the chip a `Conv` and
one neuron a number; each output channel has its own scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurodeploy.ir.tensors import Node
from neurodeploy.ops.tensors.asking import (
    Ask,
    FromValue,
    Value,
    by_channel,
    chip_shape,
    planes,
    sides,
    spatial,
)
from neurodeploy.ops.tensors.form import Tensor, TensorForm, host
from neurodeploy.synapses import Conv


def pairs(node: Node, name: str, default: int) -> tuple[int, int]:
    """A setting along (x, y); a single side is along x."""
    given = [int(n) for n in node.settings.get(name, ())]
    side = len(node.shape) - 1
    given = given or [default] * side
    return (given[-1], given[0]) if side == 2 else (given[0], {"padding": 0, "output_padding": 0}.get(name, 1))


def run(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    import torch
    from torch.nn import functional

    (x,), side, s = inputs, len(node.shape) - 1, node.settings
    weight = torch.as_tensor(node.arrays["weight"], device=x.device)
    bias = torch.as_tensor(node.arrays["bias"], device=x.device) if "bias" in node.arrays else None
    given: dict[str, Any] = {k: tuple(s[k]) for k in ("stride", "padding", "dilation") if k in s}
    given["groups"] = s.get("groups", 1)
    if s.get("transposed"):
        call = functional.conv_transpose1d if side == 1 else functional.conv_transpose2d
        return call(x, weight, bias, output_padding=tuple(s.get("output_padding", (0,) * side)), **given)
    return (functional.conv1d if side == 1 else functional.conv2d)(x, weight, bias, **given)


def by_output(node: Node) -> Any:
    """Weights (out, in / groups, [height,] width), of a transposed convolution too, whose own are (in, out / groups, ..)."""
    weight, groups = node.arrays["weight"], int(node.settings.get("groups", 1))
    if node.settings.get("transposed"):
        each = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
        weight = each.swapaxes(1, 2).reshape(-1, weight.shape[0] // groups, *weight.shape[2:])
    return weight


def lower(ask: Ask) -> Value:
    node, shape = ask.node, ask.node.shape
    weight = by_output(node)
    if weight.ndim == 3:
        weight = weight[:, :, None]
    x = ask.settled(ask.inputs[0], spatial(ask.inputs[0].shape))
    bias = np.asarray(node.arrays["bias"], np.float64) if "bias" in node.arrays else None
    rows = ask.rows(weight, bias, x)
    channels, height, width = sides(x.shape)
    kernel = np.ascontiguousarray(rows.whole.transpose(0, 3, 2, 1))
    geometry: tuple[Any, ...] = (
        (width, height, channels), pairs(node, "stride", 1), pairs(node, "padding", 0), pairs(node, "dilation", 1),
        int(node.settings.get("groups", 1)), bool(node.settings.get("transposed")), pairs(node, "output_padding", 0),
    )  # fmt: skip
    parts = [(Conv(part, *geometry), exponent) for part, exponent in planes(kernel, ask.weight_bits)]
    sources = [FromValue(v, part, exponent + shift) for part, exponent in parts for v, shift in x.digits]
    return ask.scaled(
        sources,
        shape,
        by_channel(rows.scale, shape),
        None if bias is None else by_channel(bias, shape),
        order=spatial(shape),
        layout=chip_shape(shape),
        reach=by_channel(rows.reach, shape),
    )


FORM = TensorForm(run, host("convolution", "a convolution with three sides"), lower, bends=True, sums=True)
