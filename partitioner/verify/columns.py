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
from neurodeploy.ir.network import Projection
from neurodeploy.synapses import Conv
from neurodeploy.synapses.window import boxes


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


def meets(column: Column, rows: tuple[int, int]) -> NDArray[np.bool_]:
    """Which (pixel, group) of the input of a convolution, one after another, reach the neurons at these rows."""
    s: Any = column.projection.synapse
    if column.rows is not None:
        return _touched(s, column.targets(rows))
    found = np.zeros((*s.input_shape[:2], s.groups), np.bool_)
    for xs, ys, (first, last) in boxes(s.output_shape, *rows):
        groups = present(np.arange(first, last) // (s.output_shape[2] // s.groups), s.groups)
        found[:, :, groups] |= ((s.along(0, *xs) > 0)[:, None] & (s.along(1, *ys) > 0))[..., None]
    return found.reshape(-1)


def cells(column: Column, low: int, high: int) -> tuple[Ints, Ints]:
    """(entry, place in `meets`) of every stretch of the columns ``low:high`` of a convolution in which both stay."""
    s: Any = column.projection.synapse
    entry, (pixel, channel) = entries(column)[low:high], np.divmod(column.sources(low, high), s.input_shape[2])
    cell = pixel * s.groups + channel // (s.input_shape[2] // s.groups)
    first = np.flatnonzero((np.diff(entry, prepend=-1) != 0) | (np.diff(cell, prepend=-1) != 0))
    return entry[first], cell[first]


def present(values: Ints, end: int) -> Ints:
    """Which of the numbers below `end` occur, ascending."""
    here = np.zeros(end, np.bool_)
    here[values] = True
    return np.flatnonzero(here)


def channels_read(column: Column, low: int, high: int) -> Counter[int]:
    """How many input channels of each group of a convolution its columns ``low:high`` have."""
    s: Any = column.projection.synapse
    inputs = present(column.sources(low, high) % s.input_shape[2], s.input_shape[2])
    return Counter((inputs // s.weight.shape[3]).tolist())


def kernel_bytes(column: Column, rows: tuple[int, int], read: Counter[int], header: int, bits: int) -> int:
    """A list for each tap and input channel that is `read`, with its group's outputs among the rows."""
    s: Any = column.projection.synapse
    out, kx, ky, _ = s.weight.shape
    outputs = present(column.targets(rows) % out, out)
    held = Counter((outputs // (out // s.groups)).tolist())
    return sum(kx * ky * read[group] * (header + math.ceil(count * bits / 8)) for group, count in held.items())


def _touched(conv: Conv, neurons: Ints) -> NDArray[np.bool_]:
    """Which (pixel, group) of the input reach any of these output neurons."""
    width, height, channels = conv.output_shape
    pixel, channel = np.divmod(neurons, channels)
    group = channel // (channels // conv.groups)
    used, index = np.unique(group, return_inverse=True)
    here = np.zeros((len(used), width, height), np.bool_)
    here[index.reshape(-1), pixel // height, pixel % height] = True
    there = conv.spread(here)
    found = np.zeros((*conv.input_shape[:2], conv.groups), np.bool_)
    found[:, :, used] = np.moveaxis(there, 0, 2)
    return found.reshape(-1)
