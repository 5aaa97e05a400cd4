"""What the shards and cores of a mapping cost, by the rules of `cost`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table

import numpy as np

from neurodeploy.flow.words import Range
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import hosted_populations
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Program
from partitioner.cost.budget import NOTHING, Demand, add
from partitioner.cost.lists import Destinations, many_tiles, reached
from partitioner.cost.population import View, views_of

Core = tuple[int, int]


def by_columns(shards: Iterable[Shard]) -> dict[Range, list[Shard]]:
    """Synapse shards by their columns, in row order."""
    found: dict[Range, list[Shard]] = {}
    for shard in sorted(shards, key=lambda s: (s.cols, s.rows)):
        if shard.kind == "synapses":
            found.setdefault(shard.cols, []).append(shard)
    return found


def row_ranges(shards: list[Shard]) -> Ints:
    return np.array([shard.rows for shard in shards], np.int64).reshape(-1, 2)


def demands_of(view: View, shards: Sequence[Shard], units: Table[str, Destinations]) -> dict[Shard, Demand]:
    """What every shard of one population costs."""
    sends, blocks, found = view.sends(units), by_columns(shards), dict[Shard, Demand]()
    words = {columns: view.sums.words(columns) for columns in blocks}
    for columns, members in blocks.items():
        costs = [many_tiles(part, row_ranges(members), columns, view.form) for part in view.segments]
        for index, shard in enumerate(members):
            stored, axons = sum(int(c[0][index]) for c in costs), sum(int(c[1][index]) for c in costs)
            if columns == view.whole:
                found[shard] = view.home(shard.row_count, stored, axons, sends.count(shard.rows))
            else:
                found[shard] = view.partial(shard.row_count, stored, axons, words[columns])
    for shard in shards:
        if shard.kind == "reducer":
            found[shard] = view.reducer(shard.row_count, sum(words.values()), sends.count(shard.rows))
    return found


def shard_demands(
    mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[Shard, Demand]:
    """What every shard costs."""
    placed = mapping.by_island()
    hosted = hosted_populations(program, mapping.assignments)
    views = views_of(program, system.chip, weight_bits, mapping.orders, hosted)
    sources = {p.name for view in views.values() for p in view.outgoing}
    units: dict[str, Destinations] = {}
    found: dict[Shard, Demand] = {}
    for name, view in views.items():
        blocks = {columns: row_ranges(shards) for columns, shards in by_columns(placed.get(name, ())).items()}
        parts = (part for part in view.segments if part.projection.name in sources)
        units |= {part.projection.name: reached(part, blocks) for part in parts}
    for name, shards in placed.items():
        found |= demands_of(views[name], shards, units)
    return found


def core_demands(
    mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[Core, Demand]:
    """The demand of every core that holds a shard, by (chip, core), in order."""
    found: dict[Core, Demand] = {}
    demands = shard_demands(mapping, program, system, weight_bits=weight_bits)
    for shard in mapping.shards:
        key = (shard.chip, shard.core)
        found[key] = add(found.get(key, NOTHING), demands[shard])
    return dict(sorted(found.items()))
