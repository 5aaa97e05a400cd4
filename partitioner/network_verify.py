"""Independent recount of a network's mapping: from its shards, the synapses and the formats of the chip alone.

Nothing is shared with the code that made the mapping (`cost.py`, `network_cut.py`, `network_split.py`,
`network_sweep.py`, `place.py`, `neurodeploy.synapses.tiles`): sparse synapses are counted by sorting (shard, axon) keys,
convolutions by the box arithmetic of `neurodeploy.synapses.structure`, out-axons source by source; where neurons lie in
another order, through `network_verify_columns.py` (the network itself is not rearranged). The rules are those of the
docstring of `cost.py`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping as Table
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import INPUT, Conv, Dense, Direct, Network, Population, Projection, Sparse
from neurodeploy.neurons.registry import get_model, state_bytes

from .network_verify_columns import Column, entries, kernel_bytes, meets, order_violations
from .verify import COLUMNS, coverage, frame, reducers, shape

#: Synapses that are sorted at once.
PIECE = 1 << 21


class _Matrix(NamedTuple):
    name: str
    rows: int
    columns: int


def verify_network(
    mapping: Mapping, network: Network, system: SystemSpec, *, weight_bits: int | None = None
) -> list[str]:
    """Every violation in words, with object, resource, used and limit; an empty list where the mapping holds."""
    matrices = _matrices(network)
    found = _frame(mapping, network, system)
    problems = order_violations(mapping, network)
    found.extend(problems)
    sound = not problems
    shards: dict[str, list[Shard]] = defaultdict(list)
    for shard in mapping.shards:
        problems = shape(shard, matrices, mapping, system)
        sound = sound and not problems
        found.extend(problems)
        shards[shard.island].append(shard)
    for name, matrix in matrices.items():
        lies = coverage(matrix, [shard for shard in shards[name] if shard.kind == "synapses"])
        lies += reducers(matrix, shards[name])
        sound = sound and not lies
        found.extend(lies)
    found.extend(_widths(network, system, weight_bits))
    return found + _budgets(mapping, network, system, weight_bits) if sound else found


def _matrices(network: Network) -> dict[str, _Matrix]:
    """Every population on the chip with its rows and axons; one column where it has no axon."""
    return {
        name: _Matrix(name, p.size, max(1, sum(c.projection.synapse.columns for c in _layout(network, name))))
        for name, p in network.populations.items()
        if p.model != INPUT
    }


def _layout(network: Network, name: str, orders: Table[str, Ints] = MappingProxyType({})) -> list[Column]:
    found, start = [], 0
    for projection in network.projections:
        if projection.target == name:
            found.append(Column(projection, start, orders.get(name), orders.get(projection.source)))
            start += projection.synapse.columns
    return found


def _frame(mapping: Mapping, network: Network, system: SystemSpec) -> list[str]:
    found = frame(mapping, system)
    wanted = [(f"populations.{n}", "host" if p.model == INPUT else "chip") for n, p in network.populations.items()]
    if wanted != [(entry.path, entry.device) for entry in mapping.assignments]:
        found.append("mapping: assignments are not those of the populations in their order")
    return found


def _widths(network: Network, system: SystemSpec, weight_bits: int | None) -> list[str]:
    formats, found = system.chip.formats, []
    for p in network.projections:
        need = p.weight_bits if weight_bits is None else weight_bits
        if need > formats["weight_bits"] and not isinstance(p.synapse, Direct):
            found.append(f"{p.name}: weight_bits used {need}, limit {formats['weight_bits']}")
    for name, population in network.populations.items():
        need = 0 if population.model == INPUT else get_model(population.model).out_bits
        if need > 8 * formats["message_bytes"]:
            found.append(f"{name}: payload bits used {need}, limit {8 * formats['message_bytes']}")
    return found


def recount(
    mapping: Mapping, network: Network, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[tuple[int, int], tuple[int, ...]]:
    """What each core takes of each resource in `verify.COLUMNS`, by (chip, core). The shards must cover the network."""
    formats = system.chip.formats
    members = list(mapping.shards)
    number, shards = {shard: index for index, shard in enumerate(members)}, defaultdict(list, mapping.by_island())
    used = np.zeros((len(members), len(COLUMNS)), np.int64)
    matrices = _matrices(network)
    for name, matrix in matrices.items():
        layout = _layout(network, name, mapping.orders)
        own = [shard for shard in shards[name] if shard.kind == "synapses"]
        words = _words(own, layout)
        for column in layout:
            if isinstance(column.projection.synapse, Conv):
                for shard in own:
                    used[number[shard], 1] += kernel_bytes(
                        column, shard, formats["synapse_row_header_bytes"], weight_bits
                    )
            _tables(column, own, shards[column.projection.source], matrices, number, used, system, weight_bits)
        for shard in shards[name]:
            _place(shard, matrix, words, network, system, used[number[shard]])
    used[:, 4] += formats["axon_entry_bytes"] * (used[:, 2] + used[:, 3])
    total: dict[tuple[int, int], Ints] = {}
    for shard, row in zip(members, used, strict=True):
        total[shard.chip, shard.core] = total.get((shard.chip, shard.core), np.zeros(len(COLUMNS), np.int64)) + row
    return {place: tuple(int(x) for x in row) for place, row in sorted(total.items())}


def _budgets(mapping: Mapping, network: Network, system: SystemSpec, weight_bits: int | None) -> list[str]:
    """Recount each core and compare with the limits of the chip."""
    limits = system.chip.budget.limits()
    found = []
    for (chip, core), used in recount(mapping, network, system, weight_bits=weight_bits).items():
        for resource, taken in zip(COLUMNS, used, strict=True):
            limit = limits[resource].value
            if limit is not None and taken > limit:
                found.append(f"chip {chip} core {core}: {resource} used {taken}, limit {limit}")
    return found


class _Reach(NamedTuple):
    """Some of the table entries of a projection: the shard's number, the unit of columns, the bytes of the list."""

    shard: Ints
    unit: Ints
    size: Ints


def _reach(
    column: Column, own: list[Shard], number: dict[Shard, int], system: SystemSpec, weight_bits: int | None
) -> Iterator[_Reach]:
    p, formats = column.projection, system.chip.formats
    header = formats["synapse_row_header_bytes"]
    bits = (p.weight_bits if weight_bits is None else weight_bits) + (6 if _delay_each(p) else 0)
    if isinstance(p.synapse, Sparse):
        neurons = system.chip.budget.neurons.value
        index = math.ceil(math.log2(neurons)) if neurons else 16
        yield from _sorted(p.synapse, column, own, number, header, bits + index)
        return
    entry = entries(column)
    for shard in own:
        low, high = max(shard.cols[0] - column.start, 0), min(shard.cols[1] - column.start, p.synapse.columns)
        axons = np.arange(low, max(low, high), dtype=np.int64)
        size = 0
        if isinstance(p.synapse, Dense):
            size = header + math.ceil(shard.row_count * bits / 8)
        elif isinstance(p.synapse, Direct):
            axons = axons[(axons >= shard.rows[0]) & (axons < shard.rows[1])]
        else:
            axons = np.unique(entry[axons[meets(column, shard)[column.sources(low, high)]]])
        yield _Reach(np.full(len(axons), number[shard]), axons, np.full(len(axons), size))


def _delay_each(p: Projection) -> bool:
    s = p.synapse
    return p.delay is not None and isinstance(s, Dense | Sparse) and p.delay.shape == s.weight.shape


def _sorted(
    s: Sparse, column: Column, own: list[Shard], number: dict[Shard, int], header: int, bits: int
) -> Iterator[_Reach]:
    """Sparse synapses: sort the keys (axon, shard) of all synapses and count each."""
    blocks: dict[tuple[int, int], list[Shard]] = defaultdict(list)
    for shard in own:
        blocks[shard.cols].append(shard)
    place = None if column.columns is None else column.place()
    for (low, high), members in blocks.items():
        holder = np.full(s.rows, -1, np.int64)
        for shard in members:
            holder[column.targets(shard.rows)] = number[shard]
        low, high = max(0, low - column.start), min(high - column.start, s.columns)
        for piece in s.pieces(*((low, high) if place is None else (0, s.columns)), PIECE):
            axon = np.arange(piece.first, piece.stop)
            source = np.repeat(axon if place is None else place[axon], s.lengths(piece.first, piece.stop))
            keys = source * len(number) + holder[piece.target]
            if place is not None:
                keys = keys[(source >= low) & (source < high)]
            keys.sort(kind="stable")  # all but sorted where shards are numbered in the order of their rows
            first = np.flatnonzero(np.diff(keys, prepend=-1))
            counts, keys = np.diff(first, append=len(keys)), keys[first]
            yield _Reach(keys % len(number), keys // len(number), header + -(-counts * bits // 8))


def _words(own: list[Shard], layout: list[Column]) -> dict[tuple[int, int], int]:
    """Messages of the partial sums of a row, by block of columns: one a delay slot of each projection in it."""
    found = {}
    for low, high in {shard.cols for shard in own}:
        inside = [c.projection for c in layout if c.start < high and c.start + c.projection.synapse.columns > low]
        found[low, high] = sum(1 if p.delay is None else int(p.delay.max(initial=0)) + 1 for p in inside)
    return found


def _tables(
    column: Column,
    own: list[Shard],
    sources: list[Shard],
    matrices: dict[str, _Matrix],
    number: dict[Shard, int],
    used: Ints,
    system: SystemSpec,
    weight_bits: int | None,
) -> None:
    """Lists and in-axons of the targets, and out-axons of the homes of the sources: one for each entry that they feed."""
    name, entry = column.projection.source, entries(column)
    fed = np.zeros(int(entry[-1]) + 1, np.int64)
    for reach in _reach(column, own, number, system, weight_bits):
        if not isinstance(column.projection.synapse, Conv):
            used[:, 1] += np.bincount(reach.shard, weights=reach.size, minlength=len(used)).astype(np.int64)
        used[:, 2] += np.bincount(reach.shard, minlength=len(used))
        fed += np.bincount(reach.unit, minlength=len(fed))
    for shard in sources if name in matrices else ():
        if shard.kind == "reducer" or shard.cols == (0, matrices[name].columns):
            used[number[shard], 3] += fed[entry[shard.rows[0]] : entry[shard.rows[1] - 1] + 1].sum()


def _place(
    shard: Shard,
    matrix: _Matrix,
    words: dict[tuple[int, int], int],
    network: Network,
    system: SystemSpec,
    used: Ints,
) -> None:
    """What a shard takes whatever its synapses: neurons, state, sums, the messages of partial sums, outputs."""
    formats, rows = system.chip.formats, shard.row_count
    used[0] += rows
    if shard.kind == "synapses" and shard.cols != (0, matrix.columns):
        used[3] += rows * words[shard.cols]
        used[4] += 4 * rows * words[shard.cols]
        return
    used[3] += rows if matrix.name in network.outputs else 0
    used[4] += rows * _neuron(network, network.populations[matrix.name])
    if shard.kind == "reducer":
        arriving = rows * sum(words.values())
        used[2] += arriving
        used[1] += arriving * (formats["synapse_row_header_bytes"] + math.ceil(formats["weight_bits"] / 8))


def _neuron(network: Network, population: Population) -> int:
    total = state_bytes(population)
    for port in get_model(population.model).ports:
        slots = [p.depth for p in network.projections if p.target == population.name and p.target_port == port]
        total += 4 * max([1, *slots])
    return total
