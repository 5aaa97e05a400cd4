"""``y = x W' + b`` over the last axis.

On the chip a `Dense` where the value is a vector; where axes come before the last, the same weights for each of their
places: a `Conv` with a kernel of one pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.payloads import Floats
from neurodeploy.ir.tensors import Node
from neurodeploy.ops.tensors.asking import Ask, FromValue, Value, planes
from neurodeploy.ops.tensors.form import Tensor, TensorForm, host
from neurodeploy.synapses import Conv, Dense

#: A vector that is so small a part of its population, as one step of a sequence, is gathered before its weights.
SPREAD = 2


def run(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    import torch

    x = inputs[0]
    bias = torch.as_tensor(node.arrays["bias"], device=x.device) if "bias" in node.arrays else None
    return torch.nn.functional.linear(x, torch.as_tensor(node.arrays["weight"], device=x.device), bias)


def constants(node: Node, x: Value, weight: NDArray[np.floating]) -> Floats | None:
    """(places, rows) what is added to the sums: the bias, and what the weights make of the value's base."""
    bias = np.asarray(node.arrays["bias"], np.float64)[None] if "bias" in node.arrays else None
    if x.base is None:
        return bias
    made: Floats = x.base[x.places].reshape(-1, weight.shape[1]) @ np.asarray(weight, np.float64).T
    return made if bias is None else made + bias


def lower(ask: Ask) -> Value:
    """The base goes through the rounded weights: so they see the value itself, as their rounding took for granted."""
    node, x = ask.node, ask.inputs[0]
    added = constants(node, x, node.arrays["weight"])
    rows = ask.rows(node.arrays["weight"], None if added is None else np.abs(added).max(axis=0), x)
    added = constants(node, x, rows.whole * (rows.scale / x.unit)[:, None])
    if len(x.shape) == 1:
        if np.unique(x.places).size < x.size or x.signal.size > SPREAD * x.size:
            x = ask.settled(x, None)
        weight = np.zeros((len(rows.whole), x.signal.size), np.int64)
        weight[:, x.places] = rows.whole
        dense = [(Dense(part), exponent) for part, exponent in planes(weight, ask.weight_bits)]
        sources = [FromValue(v, part, exponent + shift) for part, exponent in dense for v, shift in x.digits]
        bias = None if added is None else added[0]
        return ask.scaled(sources, node.shape, rows.scale, bias, order=None, reach=rows.reach)
    x = ask.settled(x, None)
    places = math.prod(x.shape[:-1])
    kernel, shape = rows.whole[:, None, None, :], (places, 1, x.shape[-1])
    parts = [(Conv(part, shape), exponent) for part, exponent in planes(kernel, ask.weight_bits)]
    sources = [FromValue(v, part, exponent + shift) for part, exponent in parts for v, shift in x.digits]
    bias = None if added is None else np.broadcast_to(added, (places, len(rows.scale))).reshape(-1)
    scale, reach = np.tile(rows.scale, places), np.tile(rows.reach, places)
    return ask.scaled(sources, node.shape, scale, bias, order=None, reach=reach)


FORM = TensorForm(run, host("linear", "a matrix product"), lower, bends=True, sums=True)
