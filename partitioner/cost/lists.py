"""What a shard costs of each budget, whatever it is cut from. `verify/violations.py` recounts it and does not import this.

Formats: h = synapse_row_header_bytes, a = axon_entry_bytes, w = bits a weight, x = bits that address a neuron of a core
(13 for 8192: the sparse format names its targets, Davies et al. 2018), d = 6 bits for the delay of a synapse (same
source) where delays are by synapse, else 0. A shard of rows R and columns C costs, for each projection in C (an island has
one, `Dense`), the synapse_bytes and in_axons that its kind answers for h, w + d and x (`Synapse.cost`). Further, n the bytes
of a neuron (`cost.population.View`)::

    neurons     = |R|
    out_axons   = one for each unit of a neuron's columns and shard that it reaches, and one for each message of an output
                  that the host reads
    state_bytes = |R| n + t + a (in_axons + out_axons)            t the bytes of its tables

Where a shard has a part of the columns only, it sends partial sums of m messages a row to the row's reducer and keeps
some bytes of each row for them (`cost.sums.Sums`): out_axons = |R| m. A reducer of r rows that receives m messages a row,
each over an axon of its own with one weight of v bits, has in_axons = r m, synapse_bytes = r m (h + ceil(v / 8)), and
the state of its neurons. Several shards on a core add up: nothing is shared between them, so that the count never
understates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurodeploy.flow.words import Range
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.synapse import ListFormat
from neurodeploy.ir.units import Units
from neurodeploy.storage.stage_files import digest

#: Bits of the delay of a synapse: 0..62 steps.
DELAY_BITS = 6


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

    def lists(self, projection: Projection) -> ListFormat:
        return ListFormat(self.header, self.bits(projection), self.index_bits)


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
        return self.projection.units

    def within(self, columns: Range) -> Range:
        """The columns of the population that are this projection's, as its own columns; empty ranges have low >= high."""
        return max(columns[0], self.start) - self.start, min(columns[1], self.stop) - self.start


def one_tile(part: Segment, rows: Range, columns: Range, form: Format) -> tuple[int, int]:
    """(synapse_bytes, in_axons) of one projection's part of a shard."""
    own, p = part.within(columns), part.projection
    if own[0] >= own[1] or rows[0] >= rows[1]:
        return 0, 0
    return p.synapse.cost(rows, own, form.lists(p), p.delay is not None)


def many_tiles(part: Segment, rows: Ints, columns: Range, form: Format) -> tuple[Ints, Ints]:
    """`one_tile` of disjoint, ascending row ranges (n, 2): (n,) bytes and (n,) axons."""
    own, p = part.within(columns), part.projection
    if own[0] >= own[1]:
        return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    return p.synapse.costs(rows, own, form.lists(p), p.delay is not None)


@dataclass(frozen=True, eq=False)
class Destinations:
    """How many tiles each unit of a projection's columns reaches: `each` (units,)."""

    each: Ints

    @cached_property
    def before(self) -> Ints:
        """(units + 1,) the sum of those before each, and of all."""
        found = np.zeros(len(self.each) + 1, np.int64)
        np.cumsum(self.each, out=found[1:])
        return found

    @cached_property
    def key(self) -> str:
        """Equal where all are."""
        return digest(self.each)


def reached(part: Segment, blocks: Mapping[Range, Ints]) -> Destinations:
    """Of the units of the projection's columns, by columns and disjoint row ranges."""
    found: Ints = np.zeros(part.units.count, np.int64)
    for columns, rows in blocks.items():
        own, p = part.within(columns), part.projection
        if own[0] < own[1]:
            found += p.synapse.destinations(rows, own, p.delay is not None)
    return Destinations(found)
