"""Independent recount of a mapping: from its shards, the shapes of the islands and the formats of the chip alone.

Nothing here is shared with the code that made the mapping (`usage.py`, `split.py`, `place.py`), and the counting goes
another way round: every row is followed through its columns and its reducer, and cores are summed up with numpy. The
rules are those of the docstring of `usage.py`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping as Table
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import host_islands
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import BLOCK, Island, IslandCall, Program


class Matrix(Protocol):
    """What a recount of shards needs of an island, or of a population: its name and how many rows and columns it has."""

    @property
    def name(self) -> str: ...

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...


COLUMNS = ("neurons", "synapse_bytes", "in_axons", "out_axons", "state_bytes")


def verify(mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None) -> list[str]:
    """Every violation in words, with object, resource, used and limit; an empty list where the mapping holds.

    `weight_bits` is the width that the mapping was planned with, where that is not the program's own.
    """
    found = _frame(mapping, program, system)
    hosted = host_islands(program, mapping.assignments)
    shards: dict[str, list[Shard]] = defaultdict(list)
    sound: dict[str, list[Shard]] = defaultdict(list)
    for shard in mapping.shards:
        problems = shape(shard, program.islands, mapping, system)
        found.extend(problems)
        if shard.island in program.islands:
            shards[shard.island].append(shard)
        if not problems:
            sound[shard.island].append(shard)
    for name, island in program.islands.items():
        if name in hosted:
            found.extend(f"{_label(shard)}: on a core, but the host computes this island" for shard in shards[name])
            continue
        found.extend(_widths(island, system))
        found.extend(coverage(island, [shard for shard in shards[name] if shard.kind == "synapses"]))
        found.extend(reducers(island, shards[name]))
    found.extend(_budgets(sound, program, system, weight_bits))
    return found


def frame(mapping: Mapping, system: SystemSpec) -> list[str]:
    """The mapping as a whole, whatever was mapped: its system, its chips, its bound."""
    found = []
    if mapping.system != system.name:
        found.append(f"mapping: made for system {mapping.system}, checked against {system.name}")
    if mapping.cores_per_chip != system.chip.cores:
        found.append(
            f"mapping: cores_per_chip {mapping.cores_per_chip}, limit {system.chip.cores} of {system.chip.name}"
        )
    if mapping.chips_available > system.chips:
        found.append(f"mapping: chips_available {mapping.chips_available}, limit {system.chips} of {system.name}")
    if mapping.cores_used < mapping.lower_bound:
        found.append(f"mapping: cores used {mapping.cores_used} are fewer than the lower bound {mapping.lower_bound}")
    return found


def _frame(mapping: Mapping, program: Program, system: SystemSpec) -> list[str]:
    """`frame`, and a device for every step in order; an island's may be the host, then it has no shard."""
    found = frame(mapping, system)
    found += [f"{name}: has an order of neurons, rows of an island keep theirs" for name in mapping.orders]
    hosted = host_islands(program, mapping.assignments)
    wanted = [
        (step.path, "chip" if isinstance(step, IslandCall) and step.island not in hosted else "host")
        for step in program.steps
    ]
    given = [(entry.path, entry.device) for entry in mapping.assignments]
    if wanted != given:
        for path, device in sorted((Counter(wanted) - Counter(given)).keys()):
            found.append(f"{path}: step is not assigned to the {device}")
        for path, device in sorted((Counter(given) - Counter(wanted)).keys()):
            found.append(f"{path}: assigned to the {device}, but the program has no such step")
        if Counter(wanted) == Counter(given):
            found.append("mapping: assignments are not in the order of the steps")
    return found


def _label(shard: Shard) -> str:
    return f"{shard.island} {shard.kind} rows {shard.rows[0]}:{shard.rows[1]} columns {shard.cols[0]}:{shard.cols[1]}"


def shape(shard: Shard, islands: Table[str, Matrix], mapping: Mapping, system: SystemSpec) -> list[str]:
    """Whether a shard lies inside its island and on a core that there is."""
    found = []
    label = _label(shard)
    chips = min(mapping.chips_available, system.chips)
    if not 0 <= shard.chip < chips:
        found.append(f"{label}: chip {shard.chip}, limit {chips} chips")
    if not 0 <= shard.core < system.chip.cores:
        found.append(f"{label}: core {shard.core} of chip {shard.chip}, limit {system.chip.cores} cores")
    if shard.kind not in ("synapses", "reducer"):
        found.append(f"{label}: unknown kind of shard")
    island = islands.get(shard.island)
    if island is None:
        found.append(f"{label}: the program has no such island")
        return found
    if not 0 <= shard.rows[0] < shard.rows[1] <= island.rows:
        found.append(f"{label}: rows outside the island, limit {island.rows} rows")
    if (
        shard.cols[0] < 0
        or shard.cols[0] >= shard.cols[1]
        or (shard.kind == "synapses" and shard.cols[1] > island.columns)
    ):
        found.append(f"{label}: columns outside the island, limit {island.columns} columns")
    return found


def _widths(island: Island, system: SystemSpec) -> list[str]:
    """The chip's messages, states and weights are wide enough for the island's numbers."""
    formats = system.chip.formats
    widths = (
        ("payload_bits", max(island.payload_bits, island.neurons.out_bits)),
        ("state_bits", island.neurons.state_bits),
        ("weight_bits", island.synapses.weight_bits),
    )
    return [f"{island.name}: {key} used {need}, limit {formats[key]}" for key, need in widths if need > formats[key]]


def coverage(island: Matrix, shards: list[Shard]) -> list[str]:
    """Every weight exactly once: between two row boundaries the shards there must tile the columns."""
    found = []
    starts: dict[int, list[Shard]] = defaultdict(list)
    stops: dict[int, list[Shard]] = defaultdict(list)
    for shard in shards:
        starts[shard.rows[0]].append(shard)
        stops[shard.rows[1]].append(shard)
    marks = sorted({0, island.rows, *starts, *stops})
    active: list[Shard] = []
    for row, after in pairwise(marks):
        active = [shard for shard in active if shard.rows[1] > row] + starts[row]
        if not 0 <= row < island.rows:
            continue
        reached = 0
        for low, high in sorted(shard.cols for shard in active):
            if low > reached:
                found.append(f"{island.name} rows {row}:{after}: columns {reached}:{low} are on no core")
            if low < reached:
                found.append(f"{island.name} rows {row}:{after}: columns {low}:{min(reached, high)} are on two cores")
            reached = max(reached, high)
        if reached < island.columns:
            found.append(f"{island.name} rows {row}:{after}: columns {reached}:{island.columns} are on no core")
    return found


def reducers(island: Matrix, shards: list[Shard]) -> list[str]:
    """Rows with more than one column block have exactly one reducer that expects as many blocks; other rows none."""
    synapses = [shard for shard in shards if shard.kind == "synapses"]
    adders = [shard for shard in shards if shard.kind == "reducer"]
    if not adders and all(shard.cols == (0, island.columns) for shard in synapses):
        return []
    found = []
    marks = sorted({0, island.rows} | {edge for shard in shards for edge in shard.rows if 0 <= edge <= island.rows})
    blocks = np.zeros(island.rows + 1, np.int64)
    holders = np.zeros(island.rows + 1, np.int64)
    expected = np.zeros(island.rows + 1, np.int64)
    for shard in shards:
        low, high = max(0, shard.rows[0]), min(island.rows, shard.rows[1])
        if low < high:
            target = blocks if shard.kind == "synapses" else holders
            target[low], target[high] = target[low] + 1, target[high] - 1
            if shard.kind == "reducer":
                expected[low], expected[high] = expected[low] + shard.cols[1], expected[high] - shard.cols[1]
    blocks, holders, expected = blocks.cumsum(), holders.cumsum(), expected.cumsum()
    for row, after in pairwise(marks):
        where = f"{island.name} rows {row}:{after}"
        need = 1 if blocks[row] > 1 else 0
        if holders[row] != need:
            found.append(f"{where}: {holders[row]} reducers, {blocks[row]} column blocks need {need}")
        elif need and expected[row] != blocks[row]:
            found.append(f"{where}: reducer expects {expected[row]} column blocks, there are {blocks[row]}")
    found.extend(f"{_label(shard)}: a reducer's columns start at 0" for shard in adders if shard.cols[0] != 0)
    return found


def _budgets(
    shards: dict[str, list[Shard]], program: Program, system: SystemSpec, weight_bits: int | None
) -> list[str]:
    """Recount each core and compare with the limits of the chip."""
    cores = system.chip.cores
    used = np.zeros((system.chips * cores, len(COLUMNS)), np.int64)
    found = []
    for name, members in shards.items():
        bits = program.islands[name].synapses.weight_bits if weight_bits is None else weight_bits
        words = _partial_words(program.islands[name], members, system)
        for span, messages in words.items():
            if messages > 2:
                found.append(f"{name} columns {span[0]}:{span[1]}: messages of a partial sum used {messages}, limit 2")
        core = np.array([shard.chip * cores + shard.core for shard in members], np.int64)
        np.add.at(used, core, _count(program.islands[name], members, words, bits, system))
    limits = system.chip.budget.limits()
    for index, resource in enumerate(COLUMNS):
        limit = limits[resource].value
        if limit is not None:
            for place in np.flatnonzero(used[:, index] > limit):
                chip, core_index = divmod(int(place), cores)
                found.append(f"chip {chip} core {core_index}: {resource} used {used[place, index]}, limit {limit}")
    return found


def _partial_words(island: Island, members: list[Shard], system: SystemSpec) -> dict[tuple[int, int], int]:
    """Messages of one partial sum, by column range, from the largest sum that the weights there can make."""
    word = 8 * system.chip.formats["message_bytes"]
    sums = [0, *np.cumsum(island.synapses.block_abs_sum.astype(object))]
    found = {}
    for low, high in {shard.cols for shard in members if shard.kind == "synapses" and shard.col_count < island.columns}:
        largest = int(sums[math.ceil(high / BLOCK)] - sums[low // BLOCK]) * island.payload_max
        found[low, high] = math.ceil((len(f"{largest:b}") + 1 if largest else 1) / word)
    return found


def _count(
    island: Island, members: list[Shard], words: dict[tuple[int, int], int], bits: int, system: SystemSpec
) -> NDArray[np.int64]:
    """(shards, 5) what each shard takes of each resource in `COLUMNS`."""
    formats = system.chip.formats
    rows = np.array([shard.rows for shard in members], np.int64)
    reducer = np.array([shard.kind == "reducer" for shard in members])
    received = np.zeros(island.rows + 1, np.int64)  # messages of partial sums that arrive for each row
    for shard in members:
        if shard.kind == "synapses" and shard.cols in words:
            received[shard.rows[0]] += words[shard.cols]
            received[shard.rows[1]] -= words[shard.cols]
    before = np.concatenate(([0], received.cumsum().cumsum()))
    neurons = rows[:, 1] - rows[:, 0]
    axons = np.where(reducer, before[rows[:, 1]] - before[rows[:, 0]], [shard.col_count for shard in members])
    targets = np.where(reducer, 1, neurons)
    output = math.ceil(island.neurons.out_bits / (8 * formats["message_bytes"]))
    sends = [output if shard.kind == "reducer" else words.get(shard.cols, output) for shard in members]
    out = neurons * np.array(sends, np.int64)
    lists = axons * (formats["synapse_row_header_bytes"] + (targets * bits + 7) // 8)
    state = neurons * formats["neuron_state_bytes"] + (axons + out) * formats["axon_entry_bytes"]
    return np.stack([neurons, lists, axons, out, state], axis=1)
