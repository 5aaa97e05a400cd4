"""What moves numbers and computes nothing.

`take`: reshape, permute, slice, select, gather, expand and nearest upsampling are one list of places: ``y.flat[n] =
x.flat[index[n]]``. On the chip it costs nothing: who reads the value knows where its numbers lie. `concat` along an
axis and `pad` with zeros have a population of their own, whose neurons send on what they get.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.tensors import Node, Shape
from neurodeploy.ops.tensors.asking import Ask, FromValue, Value, chip_shape, placed, spatial
from neurodeploy.ops.tensors.form import Tensor, TensorForm, host
from neurodeploy.synapses.build import sparse_from_coo


def take(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    import torch

    (x,) = inputs
    index = torch.as_tensor(node.arrays["index"], device=x.device)
    return x.reshape(len(x), -1).index_select(1, index).reshape(len(x), *node.shape)


def lower_take(ask: Ask) -> Value:
    (x,) = ask.inputs
    return x._replace(shape=ask.node.shape, order=x.places[ask.node.arrays["index"]])


def concat(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.cat(list(inputs), dim=int(node.settings["axis"]) + 1)


def own_order(shape: Shape) -> tuple[Ints | None, Shape | None]:
    """A map's spatial order and shape on the chip; of anything else its own order."""
    return (spatial(shape), chip_shape(shape)) if len(shape) in (2, 3) else (None, None)


def lower_concat(ask: Ask) -> Value:
    """Parts in finer units lose their last bits; all are written in those of the result."""
    node = ask.node
    order, layout = own_order(node.shape)
    places = placed(order, node.size).reshape(node.shape)
    axis, start, sources = int(node.settings["axis"]), 0, []
    factor = np.empty(node.size)
    for value in ask.inputs:
        rows = np.take(places, range(start, start + value.shape[axis]), axis=axis).reshape(-1)
        start += value.shape[axis]
        factor[rows] = value.unit
        ones = np.ones(value.size, np.int8)
        sources.append(FromValue(value, sparse_from_coo(node.size, value.signal.size, rows, value.places, ones)))
    return ask.scaled(sources, node.shape, factor, None, order=order, layout=layout)


def pad(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    return functional.pad(inputs[0], tuple(int(n) for n in node.settings["pads"]))


def lower_pad(ask: Ask) -> Value:
    """pads : torch's order, the last axis first, (before, after) each."""
    (x,), node = ask.inputs, ask.node
    order, layout = own_order(node.shape)
    pads = list(node.settings["pads"])
    before = [0] * len(node.shape)
    for n in range(len(pads) // 2):
        before[len(before) - 1 - n] = int(pads[2 * n])
    inner = tuple(slice(b, b + n) for b, n in zip(before, x.shape, strict=True))
    rows = placed(order, node.size).reshape(node.shape)[inner].reshape(-1)
    synapse = sparse_from_coo(node.size, x.signal.size, rows, x.places, np.ones(x.size, np.int8))
    return ask.scaled([FromValue(x, synapse)], node.shape, np.full(node.size, x.unit), None, order=order, layout=layout)


_HOST = host("wires", "numbers that only move, between values on the host")
FORMS = {
    "take": TensorForm(take, _HOST, lower_take, sums=True, flops=0),
    "concat": TensorForm(concat, _HOST, lower_concat, bends=True, sums=True, flops=0),
    "pad": TensorForm(pad, _HOST, lower_pad, bends=True, sums=True, flops=0),
}
