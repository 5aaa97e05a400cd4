"""The geometry of a convolution: which pixels reach which, without a matrix.

The neurons ``r0:r1`` of a shape (x, y, channel) are at most five boxes of pixels and channels; within a box the taps that
reach an input pixel (x, y) are (taps along x) times (taps along y). Rows and columns may lie in orders of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.arrange import inverse
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.synapse import PIECE, Range
from neurodeploy.synapses.window_kernels import reaching

Valid = NDArray[np.bool_]
#: Taps of all pairs of pixels along a side are kept up to so many.
SIDES = 1 << 22


@dataclass(frozen=True, eq=False)
class Window:
    """The fields of a `Conv`, and who reaches whom."""

    weight: NDArray[np.signedinteger]
    input_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    transposed: bool = False
    output_padding: tuple[int, int] = (0, 0)
    row_order: Ints | None = None
    column_order: Ints | None = None

    @cached_property
    def output_shape(self) -> tuple[int, int, int]:
        sides = []
        for axis in (0, 1):
            n, k = self.input_shape[axis], self.weight.shape[1 + axis]
            s, p, d = self.stride[axis], self.padding[axis], self.dilation[axis]
            if self.transposed:
                sides.append((n - 1) * s - 2 * p + d * (k - 1) + 1 + self.output_padding[axis])
            else:
                sides.append((n + 2 * p - d * (k - 1) - 1) // s + 1)
        return sides[0], sides[1], int(self.weight.shape[0])

    @property
    def rows(self) -> int:
        x, y, c = self.output_shape
        return x * y * c

    @property
    def columns(self) -> int:
        x, y, c = self.input_shape
        return x * y * c

    @cached_property
    def row_place(self) -> Ints | None:
        """The row of each neuron of the output shape."""
        return None if self.row_order is None else inverse(self.row_order)

    @cached_property
    def column_place(self) -> Ints | None:
        return None if self.column_order is None else inverse(self.column_order)

    @cached_property
    def runs(self) -> Ints | None:
        """The first column of every run of columns that are channels of one pixel, one after another; None where all of a
        pixel's are."""
        if self.column_order is None:
            return None
        first = np.diff(self.column_order, prepend=-2) != 1
        return np.flatnonzero(first | (self.column_order % self.input_shape[2] == 0))

    def stretches(self, first: int, last: int) -> Iterator[Range]:
        """The neurons at the rows ``first:last`` as ranges of the output shape, as few as follow one another."""
        if self.row_order is None:
            yield first, last
            return
        neurons = self.row_order[first:last]
        starts = np.flatnonzero(np.diff(neurons, prepend=-2) != 1)
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(neurons)], strict=True):
            yield int(neurons[start]), int(neurons[stop - 1]) + 1

    def pairs(self, axis: int, first: int, last: int) -> tuple[Ints, Ints, Ints]:
        """Along one axis: (output pixel in first:last, input pixel, tap) of every tap that falls inside."""
        size, kernel = self.input_shape[axis], int(self.weight.shape[1 + axis])
        stride, padding, dilation = self.stride[axis], self.padding[axis], self.dilation[axis]
        if self.transposed:
            source, tap = (a.reshape(-1) for a in np.mgrid[0:size, 0:kernel])
            target = source * stride - padding + tap * dilation
        else:
            target, tap = (a.reshape(-1) for a in np.mgrid[first:last, 0:kernel])
            source = target * stride - padding + tap * dilation
        inside = (first <= target) & (target < last) & (source >= 0) & (source < size)
        return target[inside], source[inside], tap[inside]

    @cached_property
    def _below(self) -> tuple[Ints | None, ...]:
        """For each axis (output pixels + 1, input pixels): taps to the output pixels before; None where that would be
        large."""
        found: list[Ints | None] = []
        for axis in (0, 1):
            size, outputs = self.input_shape[axis], self.output_shape[axis]
            if size * outputs > SIDES:
                found.append(None)
                continue
            target, source, _ = self.pairs(axis, 0, outputs)
            each = np.bincount((target + 1) * size + source, minlength=(outputs + 1) * size).reshape(-1, size)
            found.append(np.cumsum(each, axis=0))
        return tuple(found)

    def along(self, axis: int, first: int, last: int) -> Ints:
        """(input pixels,) along one axis: taps that lead from each into the output pixels first:last."""
        below = self._below[axis]
        if below is None:
            return np.bincount(self.pairs(axis, first, last)[1], minlength=self.input_shape[axis])
        taps: Ints = below[last] - below[first]
        return taps

    def taps(self, axis: int, first: int, last: int) -> Ints:
        """(input pixels, taps) along one axis: how often a tap leads from an input pixel into output pixels first:last."""
        (_, source, tap), kernel = self.pairs(axis, first, last), int(self.weight.shape[1 + axis])
        counts = np.bincount(source * kernel + tap, minlength=self.input_shape[axis] * kernel)
        return counts.reshape(-1, kernel).astype(np.int64)

    @cached_property
    def lines(self) -> tuple[list[tuple[slice, slice]], ...]:
        """For each axis and tap the output and the input pixels that it joins."""
        found = []
        for axis in (0, 1):
            target, source, tap = self.pairs(axis, 0, self.output_shape[axis])
            taps = range(self.weight.shape[1 + axis])
            found.append([(_regular(target[tap == k]), _regular(source[tap == k])) for k in taps])
        return tuple(found)

    def box(self, xs: Range, ys: Range, channels: Range) -> tuple[Ints, Ints, Ints]:
        """Neurons of the output and of the input, and weight indices, of the synapses into one box."""
        out_x, in_x, tap_x = (a[:, None, None, None] for a in self.pairs(0, *xs))
        out_y, in_y, tap_y = (a[:, None, None] for a in self.pairs(1, *ys))
        out_c = np.arange(*channels)[:, None]
        within = np.arange(self.weight.shape[3])
        in_c = out_c // (self.weight.shape[0] // self.groups) * self.weight.shape[3] + within
        _, out_height, out_channels = self.output_shape
        _, in_height, in_channels = self.input_shape
        _, kx, ky, per_group = self.weight.shape
        row = (out_x * out_height + out_y) * out_channels + out_c
        column = (in_x * in_height + in_y) * in_channels + in_c
        index = ((out_c * kx + tap_x) * ky + tap_y) * per_group + within
        same = np.broadcast_arrays(row, column, index)
        return same[0].reshape(-1), same[1].reshape(-1), same[2].reshape(-1)

    def spread(self, here: Valid) -> Valid:
        """(.., input x, input y): which input pixels reach any of the output pixels `here` (.., output x, output y)."""
        found = np.zeros((*here.shape[:-2], *self.input_shape[:2]), np.bool_)
        for out_x, in_x in self.lines[0]:
            for out_y, in_y in self.lines[1]:
                found[..., in_x, in_y] |= here[..., out_x, out_y]
        return found

    @cached_property
    def leads(self) -> tuple[Ints, Ints]:
        """For each axis (output pixels, taps): the input pixel that a tap reads, -1 for none."""
        found = []
        for axis in (0, 1):
            target, source, tap = self.pairs(axis, 0, self.output_shape[axis])
            lead = np.full((self.output_shape[axis], self.weight.shape[1 + axis]), -1, np.int64)
            lead[target, tap] = source
            found.append(lead)
        return found[0], found[1]

    def cells(self, rows: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
        """(range, cell, synapses of each of its axons) of the ranges `rows` (n, 2), in pieces of whole ranges.

        A cell is the channels of one group of an input pixel, the axons ``cell * size + range(size)`` in their places, size
        the input channels of a group: every kernel position holds all of them. The cells of a range ascend.
        """
        order = np.zeros(0, np.int64) if self.row_order is None else self.row_order
        done, most = 0, PIECE // self.weight.shape[3] + 1
        while done < len(rows):
            found, done = reaching(
                rows, done, most, order, self.output_shape, self.groups, self.input_shape, *self.leads
            )
            yield found[0], found[1], found[2]


def _regular(index: Ints) -> slice:
    """An index with equal steps."""
    if len(index) < 2:
        return slice(*(index[0], index[0] + 1) if len(index) else (0, 0))
    return slice(index[0], index[-1] + 1, index[1] - index[0])


def boxes(shape: tuple[int, int, int], first: int, last: int) -> Iterator[tuple[Range, Range, Range]]:
    """The neurons ``first:last`` of a population (x, y, channel) as at most five boxes."""
    height, channels = shape[1], shape[2]
    line = height * channels
    while first < last:
        x, rest = divmod(first, line)
        y, c = divmod(rest, channels)
        if c or last - first < channels:
            end = min(channels, c + last - first)
            yield (x, x + 1), (y, y + 1), (c, end)
            first += end - c
        elif y or last - first < line:
            end = min(height, y + (last - first) // channels)
            yield (x, x + 1), (y, end), (0, channels)
            first += (end - y) * channels
        else:
            end = x + (last - first) // line
            yield (x, end), (0, height), (0, channels)
            first += (end - x) * line
