"""What a shard of a spiking network costs of each budget. `network_verify.py` recounts it and does not import this.

Formats: h = synapse_row_header_bytes, a = axon_entry_bytes, w = bits a weight, x = bits that address a neuron of a core
(13 for 8192: the sparse format names its targets, Davies et al. 2018), d = 6 bits for the delay of a synapse (same
source) where delays are by synapse, else 0. A shard of rows R and columns C costs, for each projection in C, the
synapse_bytes and in_axons that its kind answers for h, w + d and x (`Synapse.cost`). Further::

    neurons     = |R|
    out_axons   = one for each unit of a neuron's columns and shard that it reaches, and one where it is read by the host
    state_bytes = |R| (state and own parameters of a neuron + 4 * sum over ports of delay slots) + a (in_axons + out_axons)

Where one neuron's fan-in exceeds a core the columns are cut too. Such a shard keeps 4 bytes for each row and delay slot
of its projections and sends as many messages a row and step to the row's reducer (sums of 32 bits, before the shift, one
for each slot: a shift to the right would round them otherwise). A reducer of r rows that receives m messages a row has
in_axons = r m, synapse_bytes = r m (h + ceil(w / 8)) at the chip's own width, and the state of its neurons. Several shards
on a core add up: nothing is shared between them, so that the count never understates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Population, Projection
from neurodeploy.ir.synapse import ListFormat, Units
from neurodeploy.neurons.registry import get_model, state_bytes
from neurodeploy.synapses.flows import sum_messages

from .usage import Demand

if TYPE_CHECKING:
    from .network_cut import Cut

#: Bits of the delay of a synapse: 0..62 steps.
DELAY_BITS = 6
#: Bytes of one sum of synapses: 32 bits.
SUM_BYTES = 4

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Format:
    """The integers of a chip that turn a network into bytes; `weight_bits` plans with another width than the network's."""

    header: int
    axon: int
    word_bits: int
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
    return Format(
        formats["synapse_row_header_bytes"], formats["axon_entry_bytes"], formats["weight_bits"], index, weight_bits
    )


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
        return self.projection.synapse.units(self.projection.delay is not None)

    def within(self, columns: Range) -> Range:
        """The columns of the population that are this projection's, as its own columns; empty ranges have low >= high."""
        return max(columns[0], self.start) - self.start, min(columns[1], self.stop) - self.start


def segments(network: Network, population: str) -> list[Segment]:
    found, start = [], 0
    for projection in network.into(population):
        found.append(Segment(projection, start))
        start = found[-1].stop
    return found


def width(parts: list[Segment]) -> int:
    """Axons of a population; one where it has none, so that a shard has a range of columns."""
    return max(1, parts[-1].stop if parts else 0)


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


def destinations(part: Segment, rows: Ints, columns: Range) -> Ints:
    """How many of the disjoint row ranges each unit of the projection's columns reaches: int64 (units,)."""
    own, p = part.within(columns), part.projection
    if own[0] >= own[1]:
        return np.zeros(part.units.count, np.int64)
    return p.synapse.destinations(rows, own, p.delay is not None)


def delay_bytes(network: Network, population: Population) -> int:
    """The part of `neuron_bytes` that holds sums of later steps: 0 where no projection has a delay."""
    depths = dict.fromkeys(get_model(population.model).ports, 1)
    for projection in network.into(population.name):
        depths[projection.target_port] = max(depths.get(projection.target_port, 1), projection.depth)
    return SUM_BYTES * sum(depth - 1 for depth in depths.values())


def neuron_bytes(network: Network, population: Population) -> int:
    """State, own parameters and the sums of all ports of one neuron."""
    ports = dict.fromkeys(get_model(population.model).ports, 1)
    for projection in network.into(population.name):
        ports[projection.target_port] = max(ports.get(projection.target_port, 1), projection.depth)
    return state_bytes(population) + SUM_BYTES * sum(ports.values())


@dataclass(frozen=True, slots=True, eq=False)
class Sends:
    """The out-axons of a population: `always` a neuron, and for each projection its entries summed up unit by unit.

    `reserve` per cent are counted on top while targets are not cut for good.
    """

    always: int
    sums: tuple[tuple[Units, Ints], ...]
    reserve: int = 0

    def count(self, rows: Range) -> int:
        """Entries of the neurons `rows`: a unit that is cut by the range has its entry on both cores."""
        found = 0
        for own, total in self.sums:
            first, last = own.span(*rows)
            found += int(total[last] - total[first])
        return self.always * (rows[1] - rows[0]) + found + -(-found * self.reserve // 100)


def sends_of(network: Network, population: str, reached: dict[str, Ints]) -> Sends:
    """`reached`: projection -> destinations of each unit (`destinations` over all column blocks)."""
    sums = []
    for projection in network.projections:
        if projection.source == population:
            own = projection.synapse.units(projection.delay is not None)
            sums.append((own, np.concatenate(([0], np.cumsum(reached[projection.name])))))
    return Sends(int(population in network.outputs), tuple(sums))


def unit_sends(network: Network, population: str, cuts: Mapping[str, Cut]) -> Ints:
    """Out-axons of each neuron of a population by what these cuts reach, (size,); not where a convolution reads it."""
    found = np.full(network.populations[population].size, int(population in network.outputs), np.int64)
    for name, cut in cuts.items():
        for part in segments(network, name):
            if part.projection.source == population:
                for columns, rows in cut.blocks.items():
                    own = part.units
                    found[:: own.size] += destinations(part, rows, columns)
    return found


def words_of(parts: list[Segment], columns: Range) -> int:
    """Messages a row and step of a shard with a part of the columns."""
    return sum_messages((part.projection for part in parts), columns)


def home_demand(rows: int, stored: int, axons: int, out: int, neuron: int, form: Format) -> Demand:
    return rows, stored, axons, out, rows * neuron + form.axon * (axons + out)


def partial_demand(rows: int, stored: int, axons: int, words: int, form: Format) -> Demand:
    out = rows * words
    return rows, stored, axons, out, out * SUM_BYTES + form.axon * (axons + out)


def reducer_demand(rows: int, words: int, out: int, neuron: int, form: Format) -> Demand:
    axons = rows * words
    stored = axons * (form.header + -(-form.word_bits // 8))
    return home_demand(rows, stored, axons, out, neuron, form)
