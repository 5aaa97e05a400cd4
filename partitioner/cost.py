"""What a shard costs of each budget, whatever it is cut from. `verify.py` recounts it and does not import this.

Formats: h = synapse_row_header_bytes, a = axon_entry_bytes, w = bits a weight, x = bits that address a neuron of a core
(13 for 8192: the sparse format names its targets, Davies et al. 2018), d = 6 bits for the delay of a synapse (same
source) where delays are by synapse, else 0. A shard of rows R and columns C costs, for each projection in C (an island has
one, `Dense`)::

    Dense   synapse_bytes = |C| (h + ceil(|R| (w + d) / 8))                   one list an axon, zeros stored
    Sparse  synapse_bytes = sum over touched axons (h + ceil(fan (w + x + d) / 8))
    Conv    synapse_bytes = kx ky * sum over input channels (h + ceil(outputs of its group in R * w / 8))
    Direct  synapse_bytes = 0
    in_axons              = touched units of columns

The kernel of a convolution is stored once a core, a list for each tap and input channel, whatever pixels use it: so does
Intel's compiler in the table that lava-dl prints for PilotNet (`pilotnet_snn/benchmark.ipynb`: SynMem 81, 864, 1620, 2160
and 2880 words a core are 27, 216, 324, 432 and 576 lists of 3 to 5 words). A unit of columns is one axon, or the
channels of one input pixel (`neurodeploy.synapses.tiles.units`). Further, n the bytes of a neuron (`population.View`)::

    neurons     = |R|
    out_axons   = one for each unit of a neuron's columns and shard that it reaches, and one for each message of an output
                  that the host reads
    state_bytes = |R| n + a (in_axons + out_axons)

Where a shard has a part of the columns only, it sends partial sums of m messages a row to the row's reducer and keeps some
bytes of each row for them (`population.Sums`): out_axons = |R| m. A reducer of r rows that receives m messages a row, each
over an axon of its own with one weight of v bits, has in_axons = r m, synapse_bytes = r m (h + ceil(v / 8)), and the state
of its neurons. Several shards on a core add up: nothing is shared between them, so that the count never understates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.arrange import ArrangedConv
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Conv, Dense, Projection, Sparse
from neurodeploy.synapses.tiles import Units, touched_units, touches, units

#: Bits of the delay of a synapse: 0..62 steps.
DELAY_BITS = 6

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Format:
    """The integers of a chip that turn synapses into bytes; `weight_bits` plans with another width than their own."""

    chip: str
    header: int
    axon: int
    index_bits: int
    weight_bits: int | None

    def bits(self, projection: Projection) -> int:
        """Bits of a stored synapse beside its index: the weight, and its delay where it has one of its own."""
        own = DELAY_BITS if projection.delay_by == "synapse" else 0
        return (projection.weight_bits if self.weight_bits is None else self.weight_bits) + own


def format_of(chip: ChipSpec, weight_bits: int | None = None) -> Format:
    neurons = chip.budget.neurons.value
    index = (neurons - 1).bit_length() if neurons else 16
    formats = chip.formats
    return Format(chip.name, formats["synapse_row_header_bytes"], formats["axon_entry_bytes"], index, weight_bits)


@dataclass(frozen=True, slots=True)
class Segment:
    """The columns of one projection among the axons of its target: `start` is the first."""

    projection: Projection
    start: int

    @property
    def stop(self) -> int:
        return self.start + self.projection.synapse.columns

    @property
    def units(self) -> Units:
        return units(self.projection.synapse, self.projection.delay is not None)

    def within(self, columns: Range) -> Range:
        """The columns of the population that are this projection's, as its own columns; empty ranges have low >= high."""
        return max(columns[0], self.start) - self.start, min(columns[1], self.stop) - self.start


def one_tile(part: Segment, rows: Range, columns: Range, form: Format) -> tuple[int, int]:
    """(synapse_bytes, in_axons) of one projection's part of a shard; not for `Sparse`."""
    first, last = part.within(columns)
    count, synapse, bits = rows[1] - rows[0], part.projection.synapse, form.bits(part.projection)
    if first >= last or count <= 0:
        return 0, 0
    if isinstance(synapse, Dense):
        return (last - first) * (form.header + -(-count * bits // 8)), last - first
    if isinstance(synapse, Conv):
        return conv_bytes(synapse, rows, (first, last), form, bits), conv_units(part, rows, (first, last))
    both = max(0, min(rows[1], last) - max(rows[0], first))
    return 0, both


def conv_bytes(synapse: Conv, rows: Range, columns: Range, form: Format, bits: int) -> int:
    """The kernel lists of the input channels in `columns` for the output channels in `rows`."""
    outputs, each, inputs = synapse.weight.shape[0], synapse.weight.shape[3], synapse.input_shape[2]
    laid = (synapse.row_order, synapse.column_order) if isinstance(synapse, ArrangedConv) else (None, None)
    per_group = _channels(rows, outputs, laid[0]).reshape(synapse.groups, -1).sum(axis=1)
    lists = _channels(columns, inputs, laid[1]).reshape(synapse.groups, each).sum(axis=1)
    taps = int(synapse.weight.shape[1] * synapse.weight.shape[2])
    used = per_group > 0
    return taps * int((lists[used] * (form.header + -(-per_group[used] * bits // 8))).sum())


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


def conv_units(part: Segment, rows: Range, columns: Range) -> int:
    """Units of columns of a convolution that reach these rows."""
    synapse = part.projection.synapse
    if not isinstance(synapse, Conv):
        raise TypeError("only convolutions have pixels")
    seen = _units_seen(part, rows, columns)
    if seen is not None:
        return int(np.count_nonzero(seen))
    touched = np.concatenate([t.axon for t in touches(synapse, np.array([rows], np.int64), columns)])
    return len(np.unique(part.units.of(touched)))


def _units_seen(part: Segment, rows: Range, columns: Range) -> NDArray[np.bool_] | None:
    """Which units of a convolution reach these rows, where there is a short way to tell."""
    synapse = part.projection.synapse
    if isinstance(synapse, Conv) and part.projection.delay is None and columns == (0, synapse.columns):
        return touched_units(synapse, *rows)
    return None


def many_tiles(part: Segment, rows: Ints, columns: Range, form: Format) -> tuple[Ints, Ints]:
    """`one_tile` of disjoint, ascending row ranges (n, 2): (n,) bytes and (n,) axons."""
    synapse, (first, last) = part.projection.synapse, part.within(columns)
    if isinstance(synapse, Dense):
        width, count = max(0, last - first), rows[:, 1] - rows[:, 0]
        lists = form.header + -(-count * form.bits(part.projection) // 8)
        return np.where(count > 0, width * lists, 0), np.where(count > 0, width, 0)
    stored, axons = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    if not isinstance(synapse, Sparse):
        for index, (start, stop) in enumerate(rows):
            stored[index], axons[index] = one_tile(part, (int(start), int(stop)), columns, form)
        return stored, axons
    bits = form.bits(part.projection) + form.index_bits
    for touch in touches(synapse, rows, (first, last)):
        lists = form.header + -(-touch.fan * bits // 8)
        stored += np.bincount(touch.tile, weights=lists, minlength=len(rows)).astype(np.int64)
        axons += np.bincount(touch.tile, minlength=len(rows))
    return stored, axons


def destinations(part: Segment, rows: Ints, columns: Range) -> Ints:
    """How many of the disjoint row ranges each unit of the projection's columns reaches: int64 (units,)."""
    synapse, (first, last) = part.projection.synapse, part.within(columns)
    own = part.units
    found = np.zeros(own.count, np.int64)
    if first >= last:
        return found
    if isinstance(synapse, Dense):
        found[first:last] = len(rows)
        return found
    if isinstance(synapse, Conv):
        for start, stop in rows.tolist():
            seen = _units_seen(part, (start, stop), (first, last))
            if seen is None:
                break
            found += seen
        else:
            return found
        found[:] = 0
    for touch in touches(synapse, rows, (first, last)):
        if own.size == 1 and own.starts is None:
            found += np.bincount(touch.axon, minlength=len(found))
        else:  # a convolution: one tile at a time
            found[np.unique(own.of(touch.axon))] += 1
    return found
