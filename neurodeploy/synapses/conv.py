"""Convolutions with shared weights.

A core stores the kernel once, a list for each tap and input channel, whatever pixels use it::

    bytes = kx ky * sum over input channels (header + ceil(outputs of its group on the core * bits / 8))

So does Intel's compiler in the table that lava-dl prints for PilotNet (`pilotnet_snn/benchmark.ipynb`: SynMem 81, 864,
1620, 2160 and 2880 words a core are 27, 216, 324, 432 and 576 lists of 3 to 5 words). The channels of an input pixel share
an entry of the axon tables, and the channel travels in the message (population spikes, Davies et al. 2018): the same table
counts 253, 113, 112 and 29 entries a core, the pixels of a core times its destination cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.arrange import laid_out
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.synapse import Coo, ListFormat, Range, Synapse, Touch, within
from neurodeploy.ir.typed import Row, array, flag, integer, integers
from neurodeploy.ir.units import Units
from neurodeploy.synapses.window import Window, boxes

#: The fields that have a number for each side.
PAIRS = ("stride", "padding", "dilation", "output_padding")


@dataclass(frozen=True, eq=False)
class Conv(Window, Synapse):
    """A convolution as cross-correlation (torch's convention; Lava stores the kernel flipped)::

        out[x, y, o] = sum_{i, j, c} weight[o, i, j, c] * in[x * stride - padding + i * dilation, .., c of the group of o]

    `weight` (out_channels, kx, ky, in_channels / groups) int8, int16 or int32; `input_shape` (x, y, in_channels).
    `transposed` exchanges the roles: input pixel (x, y) adds ``weight[o, i, j, c] * in`` to output pixel
    ``x * stride - padding + i * dilation`` (weight (out_channels, kx, ky, in_channels / groups) as before), and the output
    has ``(n - 1) * stride - 2 * padding + dilation * (k - 1) + 1 + output_padding`` pixels a side.
    Pooling by summation is a convolution with groups = channels; unpooling its transpose.

    Between populations in other orders row r is the neuron ``row_order[r]`` of the output shape and column c the neuron
    ``column_order[c]`` of the input shape; None is the order of the shape. The kernel stays as it is.
    """

    kind: ClassVar[str] = "conv"
    wrap_bits: ClassVar[int] = 24
    shared: ClassVar[bool] = True
    spatial: ClassVar[bool] = True
    movable: ClassVar[bool] = True

    def problem(self) -> str:
        shape, channels = self.weight.shape, self.input_shape[2]
        if len(shape) != 4 or min(shape) < 1:
            return f"kernel has the shape {shape}, not (out, kx, ky, in / groups)"
        if min(*self.input_shape, *self.stride, *self.dilation, self.groups) < 1:
            return "has a side, stride, dilation or group below 1"
        if min(*self.padding, *self.output_padding) < 0:
            return "has a padding below 0"
        if not self.transposed and self.output_padding != (0, 0):
            return "has output padding and is not transposed"
        if shape[0] % self.groups or shape[3] * self.groups != channels:
            return f"kernel {shape} in {self.groups} groups does not fit {channels} channels"
        return "" if min(self.output_shape) > 0 else f"has the empty output {self.output_shape}"

    def record(self) -> dict[str, Any]:
        lists = {name: list(getattr(self, name)) for name in ("input_shape", *PAIRS)}
        return {"weight": self.weight, "groups": self.groups, "transposed": self.transposed, **lists}

    @classmethod
    def from_record(cls, row: Row) -> Conv:
        pairs: dict[str, Any] = {name: integers(row, name, 2) for name in PAIRS}
        x, y, channels = integers(row, "input_shape", 3)
        groups = integer(row, "groups", 1)
        return cls(array(row, "weight"), (x, y, channels), groups=groups, transposed=flag(row, "transposed"), **pairs)

    @property
    def work(self) -> int:
        """As if no tap fell outside."""
        return self.rows * int(self.weight[0].size)

    def sums(self, x: Ints) -> Ints:
        """Kernel tap by kernel tap."""
        there = x if self.column_place is None else x[:, self.column_place]
        image = there.reshape(len(x), *self.input_shape[:2], self.groups, -1)
        out_width, out_height, out_channels = self.output_shape
        out = np.zeros((len(x), out_width, out_height, self.groups, out_channels // self.groups), np.int64)
        kernel = self.weight.astype(np.int64).reshape(self.groups, -1, *self.weight.shape[1:])
        for i, (out_x, in_x) in enumerate(self.lines[0]):
            for j, (out_y, in_y) in enumerate(self.lines[1]):
                out[:, out_x, out_y] += np.einsum("nxygi,goi->nxygo", image[:, in_x, in_y], kernel[:, :, i, j])
        flat = out.reshape(len(x), -1)
        return flat if self.row_order is None else flat[:, self.row_order]

    def coo(self, rows: Range | None = None) -> Coo:
        parts = [
            self.box(*box)
            for stretch in self.stretches(*within(rows, self))
            for box in boxes(self.output_shape, *stretch)
        ]
        row, column, index = (np.concatenate([part[i] for part in parts] or [np.zeros(0, np.int64)]) for i in range(3))
        row = row if self.row_place is None else self.row_place[row]
        column = column if self.column_place is None else self.column_place[column]
        order = np.lexsort((row, column))
        index = index[order]
        return Coo(row[order], column[order], self.weight.reshape(-1)[index].astype(np.int64), index)

    def stored_weights(self, rows: Range | None = None) -> int:
        """Each used kernel once, however many pixels use it."""
        first, last = within(rows, self)
        channels = min(int(self.weight.shape[0]), max(last - first, 0))
        return channels * int(np.prod(self.weight.shape[1:], dtype=np.int64))

    def count(self) -> int:
        """Taps along x times taps along y times the weights of a tap."""
        width, height, _ = self.output_shape
        return int(self.along(0, 0, width).sum() * self.along(1, 0, height).sum()) * int(
            self.weight.shape[0] * self.weight.shape[3]
        )

    def fan_out(self, rows: Range | None = None) -> Ints:
        counts = np.zeros(self.input_shape, np.int64)
        for stretch in self.stretches(*within(rows, self)):
            for xs, ys, channels in boxes(self.output_shape, *stretch):
                along_x, along_y = self.along(0, *xs), self.along(1, *ys)
                counts += along_x[:, None, None] * along_y[:, None] * self._targets(*channels)
        return self._by_column(counts)

    def axons(self, rows: Range | None = None) -> NDArray[np.bool_]:
        found = np.zeros(self.input_shape[0] * self.input_shape[1] * self.groups, np.bool_)
        for _, cell, _ in self.cells(np.array([within(rows, self)], np.int64)):
            found[cell] = True
        each = np.repeat(found, self.weight.shape[3])
        return each if self.column_order is None else np.asarray(each[self.column_order])

    def nonzero_fan_out(self) -> Ints:
        """For every tap and input channel, its non-zero weights onto each input pixel from which it reaches an output."""
        width, height, _ = self.output_shape
        groups, each = self.groups, self.weight.shape[3]
        kernel = self.weight.reshape(groups, -1, *self.weight.shape[1:3], each)
        weights = np.moveaxis(np.count_nonzero(kernel, axis=1), 0, 2).reshape(*self.weight.shape[1:3], -1)
        counts = np.zeros(self.input_shape, np.int64)
        along_x, along_y = self.taps(0, 0, width), self.taps(1, 0, height)
        for i in range(weights.shape[0]):
            for j in range(weights.shape[1]):
                counts += along_x[:, i, None, None] * along_y[:, j, None] * weights[i, j]
        return self._by_column(counts)

    def _by_column(self, counts: Ints) -> Ints:
        flat: Ints = counts.reshape(-1)
        return flat if self.column_order is None else flat[self.column_order]

    def _targets(self, first: int, last: int) -> Ints:
        """How many of the output channels first:last are in the group of each input channel."""
        group = np.arange(first, last) // (self.weight.shape[0] // self.groups)
        return np.repeat(np.bincount(group, minlength=self.groups), self.weight.shape[3]).astype(np.int64)

    def one_sided(self) -> tuple[Ints, Ints]:
        """By output channel; at the border a neuron sees fewer taps."""
        flat = self.weight.reshape(self.weight.shape[0], -1)
        return np.maximum(flat, 0).sum(axis=1, dtype=np.int64), np.minimum(flat, 0).sum(axis=1, dtype=np.int64)

    def _touches(self, rows: Ints, first: int, last: int) -> Iterator[Touch]:
        """Some tiles together."""
        each = self.weight.shape[3]
        for tile, cell, fan in self.cells(rows):
            axon = (cell[:, None] * each + np.arange(each, dtype=np.int64)).reshape(-1)
            if self.column_place is not None:
                axon = self.column_place[axon]
            kept = (axon >= first) & (axon < last)
            yield Touch(axon[kept], np.repeat(tile, each)[kept], np.repeat(fan, each)[kept])

    @cached_property
    def joined(self) -> Ints | None:
        """The channels of a pixel that lie side by side, where all are of one group."""
        if self.groups > 1:
            return None
        return np.arange(0, self.columns, self.input_shape[2], dtype=np.int64) if self.runs is None else self.runs

    def joined_touches(self, rows: Ints) -> Iterator[Touch]:
        """Some tiles together."""
        for tile, cell, fan in self.cells(rows):
            run, place = self._units_of(cell)
            yield Touch(run, tile[place], fan[place])

    def units(self, delayed: bool) -> Units:
        """The channels of a pixel, where they follow one another."""
        if delayed:
            return Units(self.columns, 1)
        if self.runs is not None:
            return Units(len(self.runs), 1, self.runs)
        return Units(self.columns // self.input_shape[2], self.input_shape[2])

    @cached_property
    def _costs(self) -> dict[tuple[Range, Range, ListFormat, bool], tuple[int, int]]:
        """What `cost` has found: whoever cuts a population asks for the same tiles again and again."""
        return {}

    def cost(self, rows: Range, columns: Range, form: ListFormat, delayed: bool) -> tuple[int, int]:
        key = rows, columns, form, delayed
        if key not in self._costs:
            stored, axons = self.costs(np.array([rows], np.int64), columns, form, delayed)
            self._costs[key] = int(stored[0]), int(axons[0])
        return self._costs[key]

    def costs(self, rows: Ints, columns: Range, form: ListFormat, delayed: bool) -> tuple[Ints, Ints]:
        stored = [self.kernel_bytes((first, last), columns, form) for first, last in rows.tolist()]
        axons = np.zeros(len(rows), np.int64)
        for tile, _ in self._units_met(rows, columns, delayed):
            axons += np.bincount(tile, minlength=len(rows))
        return np.array(stored, np.int64), axons

    def kernel_bytes(self, rows: Range, columns: Range, form: ListFormat) -> int:
        """The kernel lists of the input channels in `columns` for the output channels in `rows`."""
        channels = self.input_shape[2], self.weight.shape[0]
        whole = columns == (0, self.columns) or (self.column_order is None and columns[1] - columns[0] >= channels[0])
        if whole and self.row_order is None and rows[1] - rows[0] >= channels[1]:
            each = self.weight.shape[0] // self.groups
            return int(
                self.weight.shape[1] * self.weight.shape[2] * channels[0] * (form.header + -(-each * form.bits // 8))
            )
        outputs = _channels(rows, self.weight.shape[0], self.row_order).reshape(self.groups, -1).sum(axis=1)
        inputs = _channels(columns, self.input_shape[2], self.column_order).reshape(self.groups, -1).sum(axis=1)
        used = outputs > 0
        lists = int((inputs[used] * (form.header + -(-outputs[used] * form.bits // 8))).sum())
        return int(self.weight.shape[1] * self.weight.shape[2]) * lists

    def whole_units(self, columns: Range, delayed: bool) -> bool:
        """Whether cells say which units reach some rows: not with delays, and not of a part of the columns."""
        return not delayed and columns == (0, self.columns)

    def _units_met(self, rows: Ints, columns: Range, delayed: bool) -> Iterator[tuple[Ints, Ints]]:
        """Each (tile, unit of these columns) of which the unit has a synapse in the tile, in pieces of whole tiles."""
        if self.whole_units(columns, delayed):
            for tile, cell, _ in self.cells(rows):
                met, place = self._units_of(cell)
                yield (tile[place], met) if self.groups == 1 else _once(tile[place], met)
        else:
            unit = self.units(delayed)
            for touch in self.touches(rows, columns):
                yield _once(touch.tile, unit.of(touch.axon))

    def _units_of(self, cell: Ints) -> tuple[Ints, Ints]:
        """The units of the axons of each cell, and for each the place of its cell."""
        if self.runs is None:
            return cell // self.groups, np.arange(len(cell))
        first, unit = self.units_by_cell
        indptr, at = laid_out(first[cell], first[cell + 1] - first[cell])
        return unit[at], np.repeat(np.arange(len(cell)), np.diff(indptr))

    @cached_property
    def units_by_cell(self) -> tuple[Ints, Ints]:
        """Where the units of the axons of each cell begin (cells + 1,), and all of them; of all columns without delays."""
        cells, channels = self.input_shape[0] * self.input_shape[1] * self.groups, self.input_shape[2]
        if self.runs is None or self.column_order is None:
            return np.arange(cells + 1), np.arange(cells) // self.groups
        pixel = self.column_order // channels
        cell = pixel * self.groups + (self.column_order - pixel * channels) // self.weight.shape[3]
        unit = np.zeros(self.columns, np.int64)
        unit[self.runs[1:]] = 1
        unit = np.cumsum(unit)
        new = np.flatnonzero((np.diff(cell, prepend=-1) != 0) | (np.diff(unit, prepend=-1) != 0))
        first = np.append(0, np.cumsum(np.bincount(cell[new], minlength=cells)))
        return first, unit[new][np.argsort(cell[new], kind="stable")]

    def destinations(self, rows: Ints, columns: Range, delayed: bool) -> Ints:
        found = np.zeros(self.units(delayed).count, np.int64)
        for _, unit in self._units_met(rows, columns, delayed):
            found += np.bincount(unit, minlength=len(found))
        return found

    def arranged(self, rows: Ints | None, columns: Ints | None) -> tuple[Conv, Any]:
        return replace(self, row_order=rows, column_order=columns), None


def _once(tile: Ints, unit: Ints) -> tuple[Ints, Ints]:
    """Each pair once."""
    width = int(unit.max(initial=0)) + 1
    key = np.unique(tile * width + unit)
    return key // width, key % width


def _channels(span: Range, channels: int, order: Ints | None) -> Ints:
    """1 for each channel that occurs among these rows (or columns) of a population with space, in this order."""
    found = np.zeros(channels, np.int64)
    if order is not None and span != (0, len(order)):
        found[order[slice(*span)] % channels] = 1
    elif span[1] - span[0] >= channels:
        found[:] = 1
    else:
        found[np.arange(*span) % channels] = 1
    return found
