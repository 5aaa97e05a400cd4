"""Pooling over the sides of a map.

`avg_pool` is a convolution with weights of 1 in a group a channel; its scale divides by the pixels that a window has.
`max_pool` is exact in integers: a neuron has the largest of up to four inputs (`neurons/graded_max.py`), along one side
and then along the other; a window of more than four pixels is the largest of windows of four that cover it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.population import Population
from neurodeploy.ir.tensors import Node
from neurodeploy.neurons.graded_max import PORTS
from neurodeploy.ops.host.lowering import Signal
from neurodeploy.ops.tensors.asking import Ask, FromValue, Value, chip_shape, sides, spatial
from neurodeploy.ops.tensors.conv import pairs
from neurodeploy.ops.tensors.form import Tensor, TensorForm, host
from neurodeploy.synapses import Conv

#: The longest window along a side: four windows of four.
WINDOW_MAX = 16


def average(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    side, s = len(node.shape) - 1, node.settings
    call = functional.avg_pool1d if side == 1 else functional.avg_pool2d
    given: dict[str, Any] = {"stride": tuple(s["stride"]), "padding": tuple(s["padding"])}
    return call(inputs[0], tuple(s["kernel"]), count_include_pad=bool(s.get("padded", True)), **given)


def counted(size: int, kernel: int, stride: int, padding: int, outputs: int) -> Ints:
    """Pixels inside of each window along a side."""
    start = np.arange(outputs) * stride - padding
    return np.asarray(np.minimum(start + kernel, size) - np.maximum(start, 0), np.int64)


def lower_average(ask: Ask) -> Value:
    node, x = ask.node, ask.settled(ask.inputs[0], spatial(ask.inputs[0].shape))
    channels, height, width = sides(x.shape)
    kernel, stride, padding = pairs(node, "kernel", 1), pairs(node, "stride", 1), pairs(node, "padding", 0)
    synapse = Conv(
        np.ones((channels, *kernel, 1), np.int8), (width, height, channels), stride, padding, groups=channels
    )
    columns, rows, _ = synapse.output_shape
    pixels = np.full((columns, rows, channels), kernel[0] * kernel[1])
    if not node.settings.get("padded", True):
        along = [counted(n, *each, out) for n, each, out in zip(
            (width, height), zip(kernel, stride, padding, strict=True), (columns, rows), strict=True
        )]  # fmt: skip
        pixels = np.broadcast_to((along[0][:, None] * along[1])[:, :, None], pixels.shape)
    scale = x.unit / pixels.reshape(-1).astype(np.float64)
    return ask.scaled(
        [FromValue(x, synapse)], node.shape, scale, None, order=spatial(node.shape), layout=chip_shape(node.shape)
    )


def largest(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    side, s = len(node.shape) - 1, node.settings
    call = functional.max_pool1d if side == 1 else functional.max_pool2d
    return call(inputs[0], tuple(s["kernel"]), tuple(s["stride"]), tuple(s["padding"]), tuple(s["dilation"]))


def windows(size: int, outputs: int, stride: int, padding: int, offsets: Sequence[int]) -> tuple[Ints, Ints]:
    """For each output along a side the pixels at these offsets, those that are there first, and how many are."""
    at = np.arange(outputs)[:, None] * stride - padding + np.asarray(offsets)
    there = (at >= 0) & (at < size)
    order = np.argsort(~there, axis=1, kind="stable")
    return np.take_along_axis(at, order, axis=1), there.sum(axis=1)


def _along(
    ask: Ask, x: Value, axis: int, numbers: tuple[int, int, int, int], offsets: Sequence[int], name: str
) -> Value:
    """The largest of up to four pixels of a map along x (axis 2) or y (axis 1). numbers : outputs, stride, padding, size."""
    outputs, stride, padding, size = numbers
    at, there = windows(size, outputs, stride, padding, offsets)
    shape = list(sides(x.shape))
    shape[axis] = outputs
    channels, height, width = shape
    given = sides(x.shape)
    source = np.arange(given[0] * given[1] * given[2]).reshape(given[2], given[1], given[0])  # (x, y, channel)
    chosen = source[at.clip(0, size - 1)] if axis == 2 else source[:, at.clip(0, size - 1)]
    chosen = np.moveaxis(chosen, axis - 1 if axis == 2 else 2, 0)  # (place in the window, x, y, channel)
    count = np.broadcast_to((there[:, None, None] if axis == 2 else there[None, :, None]), (width, height, channels))
    population = Population(name, (width, height, channels), *ask.maximum(x, count.reshape(-1)))
    projections = []
    for n, port in enumerate(PORTS[: len(offsets)]):
        rows = np.flatnonzero(count.reshape(-1) > n)
        projections.append(x.signal.onto(population, port, rows, chosen[n].reshape(-1)[rows]))
    made = (channels, height, width)
    value = Value(Signal(population, 0, population.size, x.signal.unit), made, spatial(made), changes=x.changes)
    return ask.made(population, projections, value)


def lower_largest(ask: Ask) -> Value | None:
    node, x = ask.node, ask.settled(ask.inputs[0], spatial(ask.inputs[0].shape))
    kernel, stride, padding = pairs(node, "kernel", 1), pairs(node, "stride", 1), pairs(node, "padding", 0)
    dilation, wanted = pairs(node, "dilation", 1), sides(node.shape)
    if max(kernel) > WINDOW_MAX or (max(kernel) > len(PORTS) and dilation != (1, 1)):
        return None
    for side, axis, word in ((0, 2, "x"), (1, 1, "y")):
        k, outputs, size = kernel[side], wanted[axis], sides(x.shape)[axis]
        if k == 1 and stride[side] == 1:
            continue
        own = stride[side], padding[side]
        if k > len(PORTS):
            edge = min(padding[side], len(PORTS) - 1)  # windows of four that have a pixel
            spread = size + 2 * edge - len(PORTS) + 1
            x = _along(ask, x, axis, (spread, 1, edge, size), range(len(PORTS)), ask.name(f"four_{word}"))
            offsets = [*range(0, k - len(PORTS), len(PORTS)), k - len(PORTS)]
            x = _along(ask, x, axis, (outputs, own[0], padding[side] - edge, spread), offsets, ask.name(word))
        else:
            offsets = [n * dilation[side] for n in range(k)]
            x = _along(ask, x, axis, (outputs, *own, size), offsets, ask.name(word))
    return x._replace(shape=node.shape)


FORMS = {
    "avg_pool": TensorForm(average, host("pooling", "pooling over three sides"), lower_average, bends=True, sums=True),
    "max_pool": TensorForm(
        largest, host("pooling", f"a window of more than {WINDOW_MAX} pixels, or one of more than 4 with dilation"),
        lower_largest, sums=True,
    ),
}  # fmt: skip
