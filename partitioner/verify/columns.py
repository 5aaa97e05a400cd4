"""What `verify.recount` needs of a projection whose neurons may lie on cores in another order: convolutions, the orders.

Independent of `neurodeploy.ir.arrange` and `Synapse.touches`, which the mapper uses: a convolution is followed
through masks of pixels, tap by tap, and runs of neurons are found by their ends.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.network import Projection
from neurodeploy.synapses import Conv


class Column(NamedTuple):
    """A projection and its first column among the axons of its target; the orders of its target and its source."""

    projection: Projection
    start: int
    rows: Ints | None = None
    columns: Ints | None = None

    def within(self, cols: tuple[int, int]) -> tuple[int, int]:
        """The columns of the target that are of this projection, as its own; (n, n) where there are none."""
        low = max(cols[0] - self.start, 0)
        return low, max(low, min(cols[1] - self.start, self.projection.synapse.columns))

    def targets(self, rows: tuple[int, int]) -> Ints:
        """The neurons at these rows."""
        return np.arange(*rows, dtype=np.int64) if self.rows is None else self.rows[slice(*rows)]

    def sources(self, low: int, high: int) -> Ints:
        """The neurons that feed the columns ``low:high`` of the projection."""
        return (
            np.arange(low, max(low, high), dtype=np.int64)
            if self.columns is None
            else self.columns[low : max(low, high)]
        )

    def place(self) -> Ints:
        """The column of each neuron of the source."""
        order = self.sources(0, self.projection.synapse.columns)
        found = np.empty(len(order), np.int64)
        found[order] = np.arange(len(order))
        return found


def entries(column: Column) -> Ints:
    """The entry of each column (columns,), from 0 on: one for the channels of a pixel of a convolution without delays, where
    they follow one another; else one for each column."""
    s, size = column.projection.synapse, column.projection.synapse.columns
    if not isinstance(s, Conv) or column.projection.delay is not None:
        return np.arange(size, dtype=np.int64)
    order = column.sources(0, size)
    pixel = order // s.input_shape[2]
    joined = (pixel[1:] == pixel[:-1]) & (order[1:] == order[:-1] + 1)
    return np.concatenate(([0], np.cumsum(~joined))).astype(np.int64)


def meets(column: Column, shard: Shard) -> NDArray[np.bool_]:
    """Which neurons of the source of a convolution reach the shard's."""
    s: Any = column.projection.synapse
    return s.fan_out(shard.rows) > 0 if column.rows is None else _touched(s, column.targets(shard.rows))


def present(values: Ints, end: int) -> Ints:
    """Which of the numbers below `end` occur, ascending."""
    here = np.zeros(end, np.bool_)
    here[values] = True
    return np.flatnonzero(here)


def kernel_bytes(column: Column, shard: Shard, header: int, bits: int) -> int:
    """A list for each tap and input channel that the shard's columns have, with its group's outputs among the rows."""
    s: Any = column.projection.synapse
    out, kx, ky, each = s.weight.shape
    low, high = column.within(shard.cols)
    if low == high:
        return 0
    inputs = present(column.sources(low, high) % s.input_shape[2], s.input_shape[2])
    outputs = present(column.targets(shard.rows) % out, out)
    held = Counter((outputs // (out // s.groups)).tolist())
    read = Counter((inputs // each).tolist())
    return sum(kx * ky * read[group] * (header + math.ceil(count * bits / 8)) for group, count in held.items())


def _touched(conv: Conv, neurons: Ints) -> NDArray[np.bool_]:
    """Which input neurons (columns,) reach any of these output neurons."""
    width, height, channels = conv.output_shape
    pixel, channel = np.divmod(neurons, channels)
    group = channel // (channels // conv.groups)
    used, index = np.unique(group, return_inverse=True)
    here = np.zeros((len(used), width, height), np.bool_)
    here[index.reshape(-1), pixel // height, pixel % height] = True
    there = np.zeros((len(used), *conv.input_shape[:2]), np.bool_)
    for i in range(conv.weight.shape[1]):
        out_x, in_x = _line(conv, 0, i)
        for j in range(conv.weight.shape[2]):
            out_y, in_y = _line(conv, 1, j)
            there[:, in_x[:, None], in_y] |= here[:, out_x[:, None], out_y]
    each = conv.input_shape[2] // conv.groups
    found = np.zeros((*conv.input_shape[:2], conv.groups, each), np.bool_)
    found[:, :, used] = np.moveaxis(there, 0, 2)[..., None]
    return found.reshape(-1)


def _line(conv: Conv, axis: int, tap: int) -> tuple[Ints, Ints]:
    """Output and input coordinates that this tap joins along an axis; each occurs once."""
    stride, padding, dilation = conv.stride[axis], conv.padding[axis], conv.dilation[axis]
    if conv.transposed:
        inside = np.arange(conv.input_shape[axis])
        outside = inside * stride - padding + tap * dilation
        valid = (outside >= 0) & (outside < conv.output_shape[axis])
    else:
        outside = np.arange(conv.output_shape[axis])
        inside = outside * stride - padding + tap * dilation
        valid = (inside >= 0) & (inside < conv.input_shape[axis])
    return outside[valid], inside[valid]
