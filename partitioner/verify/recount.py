"""Independent recount of what the cores of a mapping hold: from its shards, the synapses and the formats of the chip alone.

Nothing is shared with the code that made the mapping (`cost/population.py`, `cost/lists.py`, `cost/usage.py`, the cutters,
`Synapse.cost`), and the counting goes another way round: sparse synapses are counted by sorting (shard, axon)
keys, convolutions by the box arithmetic of `Conv.fan_out`, partial sums row by row through their reducer,
out-axons source by source; where neurons lie in another order, through `verify/columns.py` (the network itself is not
rearranged). The rules are those of the docstrings of `cost/lists.py` and `cost/population.py`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import hosted_populations
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import BLOCK, Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode
from neurodeploy.ir.synapse import Synapse
from neurodeploy.neurons.registry import get_model, is_exact, largest_payload, payload_bits, state_bytes, table_bytes
from neurodeploy.synapses import Conv, Dense, Direct, Grouped, Sparse
from partitioner.verify.columns import Column, cells, channels_read, entries, kernel_bytes, meets, present
from partitioner.verify.lateness import lateness

COLUMNS = ("neurons", "synapse_bytes", "in_axons", "out_axons", "state_bytes")
#: Synapses that are sorted at once.
PIECE = 1 << 21


class Matrix(NamedTuple):
    """A population: rows and columns, the projections in its columns, bytes of a neuron and of tables beside neurons,
    messages of an output.

    words : of the partial sums over a range of columns, at most `most`; 4 bytes of a row for each.
    adder_bits : of the weight that adds a message.
    """

    name: str
    rows: int
    columns: int
    layout: tuple[Column, ...]
    neuron: int
    table: int
    outputs: int
    words: Callable[[tuple[int, int]], int]
    adder_bits: int
    most: int


def matrices_of(
    program: Program,
    system: SystemSpec,
    orders: Table[str, Ints] = MappingProxyType({}),
    hosted: Collection[str] = (),
) -> dict[str, Matrix]:
    """What may have shards: every population with neurons; one column where it has no axon."""
    network, read, late = program.network, {*program.network.outputs}, lateness(program)
    read |= {step.population for step in program.host if isinstance(step, Decode)}
    read |= {p.source for p in network.projections if p.target in hosted}
    return {
        name: _population(network, p, system, orders, name in read, late[name])
        for name, p in network.populations.items()
        if p.model != INPUT
    }


def _population(
    network: Network, population: Population, system: SystemSpec, orders: Table[str, Ints], read: bool, late: int
) -> Matrix:
    """A partial sum of each delay slot of each projection in its block: one message, or as wide as the largest at an exact
    port."""
    name, layout, start = population.name, [], 0
    for p in network.projections:
        if p.target == name:
            layout.append(Column(p, start, orders.get(name), orders.get(p.source)))
            start += p.synapse.columns

    def words(span: tuple[int, int]) -> int:
        found = 0
        for column in layout:
            p, (low, high) = column.projection, column.within(span)
            if low < high:
                slots = 1 if p.delay is None else int(p.delay.max(initial=0)) + 1
                found += slots * (_wide(network, p, low, high, system) if is_exact(network, p) else 1)
        return found

    neuron = state_bytes(population) + late * math.ceil(payload_bits(population) / 8)
    for port in get_model(population.model).ports:
        neuron += 4 * max([1, *(c.projection.depth for c in layout if c.projection.target_port == port)])
    bits = system.chip.formats["weight_bits"]
    output = math.ceil(payload_bits(population) / (8 * system.chip.formats["message_bytes"])) if read else 0
    most = 2 * max(1, sum(max(1, column.projection.depth) for column in layout))
    return Matrix(
        name, population.size, max(1, start), tuple(layout), neuron, table_bytes(population), output, words, bits, most
    )


def _wide(network: Network, p: Projection, low: int, high: int, system: SystemSpec) -> int:
    """Messages of a sum over these columns that must not wrap."""
    most = largest_payload(network.populations[p.source])
    largest = p.largest_sum(most)
    if p.block_sums is not None:
        blocks = p.block_sums[low // BLOCK : math.ceil(high / BLOCK)].astype(object)
        largest = int(blocks.sum()) * (most if p.graded else 1)
    return math.ceil((len(f"{largest:b}") + 1 if largest else 1) / (8 * system.chip.formats["message_bytes"]))


def recount(
    mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[tuple[int, int], tuple[int, ...]]:
    """What each core takes of each resource in `COLUMNS`, by (chip, core). The shards must cover what they are of."""
    formats, members = system.chip.formats, list(mapping.shards)
    number, shards = {shard: index for index, shard in enumerate(members)}, defaultdict(list, mapping.by_island())
    used = np.zeros((len(members), len(COLUMNS)), np.int64)
    hosted = hosted_populations(program, mapping.assignments)
    matrices = matrices_of(program, system, mapping.orders, hosted)
    for name, matrix in matrices.items():
        own = [shard for shard in shards[name] if shard.kind == "synapses"]
        for column in matrix.layout:
            _tables(column, own, shards[column.projection.source], matrices, number, used, system, weight_bits)
        _places(matrix, shards[name], number, used, formats["synapse_row_header_bytes"])
    used[:, 4] += formats["axon_entry_bytes"] * (used[:, 2] + used[:, 3])
    where = np.array([(shard.chip, shard.core) for shard in members], np.int64).reshape(-1, 2)
    cores, index = np.unique(where, axis=0, return_inverse=True)
    total = np.zeros((len(cores), len(COLUMNS)), np.int64)
    np.add.at(total, index.reshape(-1), used)
    return {(chip, core): tuple(row) for (chip, core), row in zip(cores.tolist(), total.tolist(), strict=True)}


@dataclass(slots=True, eq=False)
class _Counts:
    """What a projection's lists add to: resources by shard, and how many shards each unit of columns feeds."""

    number: dict[Shard, int]
    used: Ints
    fed: Ints
    header: int
    bits: int
    index_bits: int

    def add(self, shard: Ints, unit: Ints, size: Ints) -> None:
        """Entries of units in shards, with lists of so many bytes."""
        self.used[:, 1] += np.bincount(shard, weights=size, minlength=len(self.used)).astype(np.int64)
        self.used[:, 2] += np.bincount(shard, minlength=len(self.used))
        self.fed += np.bincount(unit, minlength=len(self.fed))


def _full(column: Column, own: list[Shard], counts: _Counts) -> None:
    """All-to-all synapses: every column of a shard is a list over all its rows."""
    for shard in own:
        low, high = column.within(shard.cols)
        row = counts.used[counts.number[shard]]
        row[1] += (high - low) * (counts.header + math.ceil(shard.row_count * counts.bits / 8))
        row[2] += high - low
        counts.fed[low:high] += 1


def _grouped(column: Column, own: list[Shard], counts: _Counts) -> None:
    """A list of each column, with the sum of its group where one has an offset; then constants and sums of the groups."""
    s: Any = column.projection.synapse
    more, group_of = int(np.count_nonzero(s.offset) > 0), (np.arange(s.columns) + s.phase) // s.group
    for shard in own:
        low, high = column.within(shard.cols)
        if low >= high:
            continue
        row, groups = counts.used[counts.number[shard]], len(set(group_of[low:high].tolist()))
        row[1] += (high - low) * (counts.header + math.ceil((shard.row_count + more) * counts.bits / 8))
        row[1] += math.ceil(shard.row_count * groups * s.constant_bits / 8) + 4 * groups * (shard.row_count + more)
        row[2] += high - low
        counts.fed[low:high] += 1


def _same(column: Column, own: list[Shard], counts: _Counts) -> None:
    """Neuron to neuron, without a list."""
    for shard in own:
        low, high = column.within(shard.cols)
        first, last = max(low, shard.rows[0]), min(high, shard.rows[1])
        counts.used[counts.number[shard], 2] += max(0, last - first)
        counts.fed[first : max(first, last)] += 1


def _pixels(column: Column, own: list[Shard], counts: _Counts) -> None:
    """The units whose pixels reach a shard, and its kernel."""
    end = len(counts.fed)
    for (low, high), members in _by_columns(column, own).items():
        (entry, cell), read = cells(column, low, high), channels_read(column, low, high)
        for shard in members:
            row, units = counts.used[counts.number[shard]], present(entry[meets(column, shard.rows)[cell]], end)
            row[2] += len(units)
            counts.fed[units] += 1
            if low < high:
                row[1] += kernel_bytes(column, shard.rows, read, counts.header, counts.bits)


def _by_columns(column: Column, own: list[Shard]) -> dict[tuple[int, int], list[Shard]]:
    """Shards by their part of the columns of a projection."""
    found: dict[tuple[int, int], list[Shard]] = defaultdict(list)
    for shard in own:
        found[column.within(shard.cols)].append(shard)
    return found


def _stored(s: Any, low: int, high: int) -> Iterator[tuple[Ints, Ints]]:
    """(axon, target) of synapses that are stored by axon."""
    for piece in s.pieces(low, high, PIECE):
        axon = np.arange(piece.first, piece.stop)
        yield np.repeat(axon, s.lengths(piece.first, piece.stop)), piece.target


def _named(s: Synapse, low: int, high: int) -> Iterator[tuple[Ints, Ints]]:
    """(axon, target) of synapses of any kind."""
    row, axon, _, _ = s.coo()
    kept = (low <= axon) & (axon < high)
    yield axon[kept], row[kept]


def _sorted(column: Column, own: list[Shard], counts: _Counts) -> None:
    """Lists that name their targets: sort the keys (axon, shard) of all synapses and count each."""
    s, number = column.projection.synapse, counts.number
    pairs = _stored if type(s) is Sparse else _named
    blocks: dict[tuple[int, int], list[Shard]] = defaultdict(list)
    for shard in own:
        blocks[shard.cols].append(shard)
    place = None if column.columns is None else column.place()
    for (low, high), members in blocks.items():
        holder = np.full(s.rows, -1, np.int64)
        for shard in members:
            holder[column.targets(shard.rows)] = number[shard]
        low, high = column.within((low, high))
        for axon, target in pairs(s, *((low, high) if place is None else (0, s.columns))):
            source = axon if place is None else place[axon]
            keys = source * len(number) + holder[target]
            if place is not None:
                keys = keys[(source >= low) & (source < high)]
            keys.sort(kind="stable")  # all but sorted where shards are numbered in the order of their rows
            first = np.flatnonzero(np.diff(keys, prepend=-1))
            fan, keys = np.diff(first, append=len(keys)), keys[first]
            size = counts.header + -(-fan * (counts.bits + counts.index_bits) // 8)
            counts.add(keys % len(number), keys // len(number), size)


#: How the lists of a kind are counted; those of any other are sorted.
WAYS: Table[type[Synapse], Callable[[Column, list[Shard], _Counts], None]] = {
    Dense: _full, Grouped: _grouped, Direct: _same, Conv: _pixels,
}  # fmt: skip


def _tables(
    column: Column,
    own: list[Shard],
    sources: list[Shard],
    matrices: dict[str, Matrix],
    number: dict[Shard, int],
    used: Ints,
    system: SystemSpec,
    weight_bits: int | None,
) -> None:
    """Lists and in-axons of the targets, and out-axons of the homes of the sources: one for each entry that they feed."""
    p, entry, neurons = column.projection, entries(column), system.chip.budget.neurons.value
    fed = np.zeros(int(entry[-1]) + 1, np.int64)
    bits = (p.weight_bits if weight_bits is None else weight_bits) + (6 if p.delay_by == "synapse" else 0)
    header, index = system.chip.formats["synapse_row_header_bytes"], math.ceil(math.log2(neurons)) if neurons else 16
    WAYS.get(type(p.synapse), _sorted)(column, own, _Counts(number, used, fed, header, bits, index))
    for shard in sources if p.source in matrices else ():
        if shard.kind == "reducer" or shard.cols == (0, matrices[p.source].columns):
            used[number[shard], 3] += fed[entry[shard.rows[0]] : entry[shard.rows[1] - 1] + 1].sum()


def _places(matrix: Matrix, shards: list[Shard], number: dict[Shard, int], used: Ints, header: int) -> None:
    """What shards take whatever their synapses: neurons, state, sums, the messages of partial sums, outputs."""
    received = np.zeros(matrix.rows + 1, np.int64)  # messages of partial sums that arrive for each row
    words = {span: matrix.words(span) for span in {shard.cols for shard in shards if shard.kind == "synapses"}}
    for shard in shards:
        row, count = used[number[shard]], shard.row_count
        row[0] += count
        if shard.kind == "synapses" and shard.cols != (0, matrix.columns):
            received[shard.rows[0]] += words[shard.cols]
            received[shard.rows[1]] -= words[shard.cols]
            row[3] += count * words[shard.cols]
            row[4] += count * 4 * words[shard.cols]
        else:
            row[3] += count * matrix.outputs
            row[4] += matrix.table + count * matrix.neuron
    before = np.concatenate(([0], received.cumsum().cumsum()))
    for shard in shards:
        if shard.kind == "reducer":
            arriving = int(before[shard.rows[1]] - before[shard.rows[0]])
            used[number[shard], 2] += arriving
            used[number[shard], 1] += arriving * (header + math.ceil(matrix.adder_bits / 8))
