"""Independent recount of a network's mapping: from its shards, the synapses and the formats of the chip alone.

Nothing is shared with the code that made the mapping (`network_cost.py`, `network_cut.py`, `network_split.py`,
`network_sweep.py`, `place.py`, `neurodeploy.synapses.tiles`): sparse synapses are counted by sorting (shard, axon) keys,
convolutions by the box arithmetic of `neurodeploy.synapses.structure`, out-axons source by source. The rules are those
of the docstring of `network_cost.py`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import INPUT, Conv, Dense, Direct, Network, Population, Projection, Sparse
from neurodeploy.neurons.registry import get_model, state_bytes
from neurodeploy.synapses.structure import fan_out

from .verify import COLUMNS, coverage, frame, reducers, shape

#: Synapses that are sorted at once.
PIECE = 1 << 21


class _Matrix(NamedTuple):
    name: str
    rows: int
    columns: int


class _Column(NamedTuple):
    """A projection and its first column among the axons of its target."""

    projection: Projection
    start: int


def verify_network(
    mapping: Mapping, network: Network, system: SystemSpec, *, weight_bits: int | None = None
) -> list[str]:
    """Every violation in words, with object, resource, used and limit; an empty list where the mapping holds."""
    matrices = _matrices(network)
    found = _frame(mapping, network, system)
    sound = True
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


def _layout(network: Network, name: str) -> list[_Column]:
    found, start = [], 0
    for projection in network.projections:
        if projection.target == name:
            found.append(_Column(projection, start))
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
        layout = _layout(network, name)
        own = [shard for shard in shards[name] if shard.kind == "synapses"]
        words = _words(own, layout)
        for column in layout:
            if isinstance(column.projection.synapse, Conv):
                for shard in own:
                    used[number[shard], 1] += _kernel(column, shard, formats["synapse_row_header_bytes"], weight_bits)
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


def _share(projection: Projection) -> int:
    """Columns that share an entry: the channels of a pixel of a convolution without delays."""
    s = projection.synapse
    return s.input_shape[2] if isinstance(s, Conv) and projection.delay is None else 1


def _reach(
    column: _Column, own: list[Shard], number: dict[Shard, int], system: SystemSpec, weight_bits: int | None
) -> Iterator[_Reach]:
    p, formats = column.projection, system.chip.formats
    header = formats["synapse_row_header_bytes"]
    bits = (p.weight_bits if weight_bits is None else weight_bits) + (6 if _delay_each(p) else 0)
    if isinstance(p.synapse, Sparse):
        neurons = system.chip.budget.neurons.value
        index = math.ceil(math.log2(neurons)) if neurons else 16
        yield from _sorted(p.synapse, column.start, own, number, header, bits + index)
        return
    for shard in own:
        low, high = max(shard.cols[0] - column.start, 0), min(shard.cols[1] - column.start, p.synapse.columns)
        axons = np.arange(low, max(low, high), dtype=np.int64)
        size = 0
        if isinstance(p.synapse, Dense):
            size = header + math.ceil(shard.row_count * bits / 8)
        elif isinstance(p.synapse, Direct):
            axons = axons[(axons >= shard.rows[0]) & (axons < shard.rows[1])]
        else:
            axons = np.unique(axons[fan_out(p.synapse, shard.rows)[axons] > 0] // _share(p))
        yield _Reach(np.full(len(axons), number[shard]), axons, np.full(len(axons), size))


def _delay_each(p: Projection) -> bool:
    s = p.synapse
    return p.delay is not None and isinstance(s, Dense | Sparse) and p.delay.shape == s.weight.shape


def _sorted(
    s: Sparse, start: int, own: list[Shard], number: dict[Shard, int], header: int, bits: int
) -> Iterator[_Reach]:
    """Sparse synapses: sort the keys (axon, shard) of all synapses and count each."""
    blocks: dict[tuple[int, int], list[Shard]] = defaultdict(list)
    for shard in own:
        blocks[shard.cols].append(shard)
    indptr = s.indptr.astype(np.int64)
    for (low, high), members in blocks.items():
        holder = np.full(s.rows, -1, np.int64)
        for shard in members:
            holder[shard.rows[0] : shard.rows[1]] = number[shard]
        axon, end = max(0, low - start), min(high - start, s.columns)
        while axon < end:
            stop = max(axon + 1, min(end, int(np.searchsorted(indptr, indptr[axon] + PIECE))))
            source = np.repeat(np.arange(axon, stop), np.diff(indptr[axon : stop + 1]))
            keys = source * len(number) + holder[s.target[indptr[axon] : indptr[stop]]]
            keys.sort(kind="stable")  # all but sorted where shards are numbered in the order of their rows
            first = np.flatnonzero(np.diff(keys, prepend=-1))
            counts, keys = np.diff(first, append=len(keys)), keys[first]
            yield _Reach(keys % len(number), keys // len(number), header + -(-counts * bits // 8))
            axon = stop


def _kernel(column: _Column, shard: Shard, header: int, weight_bits: int | None) -> int:
    """A list for each tap and input channel that the shard's columns have, with its group's outputs among the rows."""
    p = column.projection
    if not isinstance(p.synapse, Conv):
        return 0
    out, kx, ky, each = p.synapse.weight.shape
    low, high = max(shard.cols[0] - column.start, 0), min(shard.cols[1] - column.start, p.synapse.columns)
    if low >= high:
        return 0
    inputs = {axon % p.synapse.input_shape[2] for axon in range(low, min(high, low + p.synapse.input_shape[2]))}
    outputs = {row % out for row in range(shard.rows[0], min(shard.rows[1], shard.rows[0] + out))}
    bits = p.weight_bits if weight_bits is None else weight_bits
    total = 0
    for group in range(p.synapse.groups):
        held = sum(o // (out // p.synapse.groups) == group for o in outputs)
        read = sum(c // each == group for c in inputs)
        total += kx * ky * read * (header + math.ceil(held * bits / 8)) if held else 0
    return total


def _words(own: list[Shard], layout: list[_Column]) -> dict[tuple[int, int], int]:
    """Messages of the partial sums of a row, by block of columns: one a delay slot of each projection in it."""
    found = {}
    for low, high in {shard.cols for shard in own}:
        inside = [c.projection for c in layout if c.start < high and c.start + c.projection.synapse.columns > low]
        found[low, high] = sum(1 if p.delay is None else int(p.delay.max(initial=0)) + 1 for p in inside)
    return found


def _tables(
    column: _Column,
    own: list[Shard],
    sources: list[Shard],
    matrices: dict[str, _Matrix],
    number: dict[Shard, int],
    used: Ints,
    system: SystemSpec,
    weight_bits: int | None,
) -> None:
    """Lists and in-axons of the targets, and out-axons of the homes of the sources: one for each entry that they feed."""
    name, share = column.projection.source, _share(column.projection)
    entries = np.zeros(column.projection.synapse.columns // share, np.int64)
    for reach in _reach(column, own, number, system, weight_bits):
        if not isinstance(column.projection.synapse, Conv):
            used[:, 1] += np.bincount(reach.shard, weights=reach.size, minlength=len(used)).astype(np.int64)
        used[:, 2] += np.bincount(reach.shard, minlength=len(used))
        entries += np.bincount(reach.unit, minlength=len(entries))
    for shard in sources if name in matrices else ():
        if shard.kind == "reducer" or shard.cols == (0, matrices[name].columns):
            used[number[shard], 3] += entries[shard.rows[0] // share : math.ceil(shard.rows[1] / share)].sum()


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
