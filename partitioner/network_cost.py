"""What a shard of a spiking network costs of each budget. `network_verify.py` recounts it and does not import this.

Formats: h = synapse_row_header_bytes, a = axon_entry_bytes, w = bits a weight, x = bits that address a neuron of a core
(13 for 8192: the sparse format names its targets, Davies et al. 2018), d = 6 bits for the delay of a synapse (same
source) where delays are by synapse, else 0. A shard of rows R and columns C costs, for each projection in C::

    Dense   synapse_bytes = |C| (h + ceil(|R| (w + d) / 8))                   one list an axon, zeros stored
    Sparse  synapse_bytes = sum over touched axons (h + ceil(fan (w + x + d) / 8))
    Conv    synapse_bytes = kx ky * sum over input channels (h + ceil(outputs of its group in R * w / 8))
    Direct  synapse_bytes = 0
    in_axons              = touched units of columns

The kernel of a convolution is stored once a core, a list for each tap and input channel, whatever pixels use it: so does
Intel's compiler in the table that lava-dl prints for PilotNet (`pilotnet_snn/benchmark.ipynb`: SynMem 81, 864, 1620, 2160
and 2880 words a core are 27, 216, 324, 432 and 576 lists of 3 to 5 words). A unit of columns is one axon, or the
channels of one input pixel (`neurodeploy.synapses.tiles.units`). Further::

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
from numpy.typing import NDArray

from neurodeploy.flow.flows import sum_messages
from neurodeploy.ir.arrange import ArrangedConv
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Conv, Dense, Network, Population, Projection, Sparse
from neurodeploy.neurons.registry import get_model, state_bytes
from neurodeploy.synapses.tiles import Units, touched_units, touches, units

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
        return units(self.projection.synapse, self.projection.delay is not None)

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
            own = units(projection.synapse, projection.delay is not None)
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
