"""Whether a mapping holds: its frame, its shards, its widths, its budgets. An independent check.

Nothing here is shared with the code that made the mapping but the data of the chip (`flow.support`); what cores hold is
counted again by `verify/recount.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping as Table
from itertools import pairwise

import numpy as np

from neurodeploy.flow.support import lacking, needs_of
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import hosted_populations, population_paths, steps_of
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from partitioner.verify.recount import COLUMNS, Matrix, matrices_of, recount


def verify(mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None) -> list[str]:
    """Every violation in words, with object, resource, used and limit; an empty list where the mapping holds.

    `weight_bits` is the width that the mapping was planned with, where that is not the model's own. What cores hold is
    counted where every shard is in its place.
    """
    hosted = hosted_populations(program, mapping.assignments)
    matrices = matrices_of(program, system, hosted=hosted)
    found = _whole(mapping, system) + _devices(mapping, program, hosted)
    problems = _orders(mapping, program.network)
    shards: dict[str, list[Shard]] = defaultdict(list)
    for shard in mapping.shards:
        problems += _shape(shard, matrices, mapping, system)
        shards[shard.island].append(shard)
    for name, matrix in matrices.items():
        if name in hosted:
            problems += [f"{_label(shard)}: on a core, but the host computes it" for shard in shards[name]]
            continue
        problems += _coverage(matrix, [shard for shard in shards[name] if shard.kind == "synapses"])
        problems += _reducers(matrix, shards[name])
    found += problems
    lacks = lacking(system.chip, needs_of(program.network, weight_bits))
    found += [str(lack) for lack in lacks if lack.need.at not in hosted]
    return found if problems else found + _budgets(mapping, program, matrices, system, weight_bits)


def _whole(mapping: Mapping, system: SystemSpec) -> list[str]:
    """The mapping as a whole: its system, its chips, its bound."""
    m, chip = mapping, system.chip
    wrong = {
        f"made for system {m.system}, checked against {system.name}": m.system != system.name,
        f"cores_per_chip {m.cores_per_chip}, limit {chip.cores} of {chip.name}": m.cores_per_chip != chip.cores,
        f"chips_available {m.chips_available}, limit {system.chips} of {system.name}": m.chips_available > system.chips,
        f"cores used {m.cores_used} are fewer than the lower bound {m.lower_bound}": m.cores_used < m.lower_bound,
    }
    return [f"mapping: {text}" for text, is_so in wrong.items() if is_so]


def _devices(mapping: Mapping, program: Program, hosted: frozenset[str]) -> list[str]:
    """A device for every host operation and population, in order; a population that the host computes has no shard."""
    what = "population" if program.streamed else "step"
    paths = population_paths(program)
    wanted = [
        (step.path, "host")
        if isinstance(step, HostOp)
        else (paths[step.name], "host" if step.model == INPUT or step.name in hosted else "chip")
        for step in steps_of(program)
    ]
    given = [(entry.path, entry.device) for entry in mapping.assignments]
    found = [
        f"{path}: {what} is not assigned to the {device}"
        for path, device in sorted((Counter(wanted) - Counter(given)).keys())
    ]
    found += [
        f"{path}: assigned to the {device}, but the program has no such {what}"
        for path, device in sorted((Counter(given) - Counter(wanted)).keys())
    ]
    if wanted != given and not found:
        found.append(f"mapping: assignments are not in the order of the {what}s")
    return found


def _orders(mapping: Mapping, network: Network) -> list[str]:
    """An order names a population with neurons on the chip, each of its neurons once, and no direct connection knows it."""
    found = []
    for name, order in mapping.orders.items():
        population = network.populations.get(name)
        if population is None:
            found.append(f"orders: {name} is no population")
        elif population.model == INPUT:
            found.append(f"{name}: is an input and has an order")
        elif any(p.synapse.wire and name in (p.source, p.target) for p in network.projections):
            found.append(f"{name}: has an order and a direct connection")
        elif order.dtype != np.int64 or order.shape != (population.size,):
            found.append(f"{name}: its order is of {order.dtype} {order.shape}, not int64 ({population.size},)")
        else:
            inside = (order >= 0) & (order < population.size)
            seen = np.bincount(order[inside], minlength=population.size)
            if not inside.all() or (seen != 1).any():
                found.append(f"{name}: its order does not hold each of its neurons once")
    return found


def _label(shard: Shard) -> str:
    return f"{shard.island} {shard.kind} rows {shard.rows[0]}:{shard.rows[1]} columns {shard.cols[0]}:{shard.cols[1]}"


def _shape(shard: Shard, matrices: Table[str, Matrix], mapping: Mapping, system: SystemSpec) -> list[str]:
    """Whether a shard lies inside its island and on a core that there is."""
    chips, cores, island = min(mapping.chips_available, system.chips), system.chip.cores, matrices.get(shard.island)
    holds = {
        f"chip {shard.chip}, limit {chips} chips": 0 <= shard.chip < chips,
        f"core {shard.core} of chip {shard.chip}, limit {cores} cores": 0 <= shard.core < cores,
        "unknown kind of shard": shard.kind in ("synapses", "reducer"),
        "the program has no such island": island is not None,
    }
    if island is not None:
        first, last = shard.cols
        inside = 0 <= first < last and (shard.kind != "synapses" or last <= island.columns)
        holds[f"rows outside the island, limit {island.rows} rows"] = 0 <= shard.rows[0] < shard.rows[1] <= island.rows
        holds[f"columns outside the island, limit {island.columns} columns"] = inside
    return [f"{_label(shard)}: {text}" for text, so in holds.items() if not so]


def _coverage(island: Matrix, shards: list[Shard]) -> list[str]:
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


def _reducers(island: Matrix, shards: list[Shard]) -> list[str]:
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
    mapping: Mapping, program: Program, matrices: dict[str, Matrix], system: SystemSpec, weight_bits: int | None
) -> list[str]:
    """Recount each core and compare with the limits of the chip."""
    found, limits = [], system.chip.budget.limits()
    for name, shards in mapping.by_island().items():
        matrix = matrices[name]
        for low, high in {s.cols for s in shards if s.kind == "synapses" and s.cols != (0, matrix.columns)}:
            words = matrix.words((low, high))
            if words > matrix.most:
                found.append(
                    f"{name} columns {low}:{high}: messages of a partial sum used {words}, limit {matrix.most}"
                )
    for (chip, core), used in recount(mapping, program, system, weight_bits=weight_bits).items():
        for resource, taken in zip(COLUMNS, used, strict=True):
            limit = limits[resource].value
            if limit is not None and taken > limit:
                found.append(f"chip {chip} core {core}: {resource} used {taken}, limit {limit}")
    return found
