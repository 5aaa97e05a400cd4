"""`mean_steps`: the time steps of a segment, one for each of its phases, with how their cores differ from step to step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.accounting.loads import SILENT, Busiest, MeanStep
from neurodeploy.accounting.spread import NO_ROWS, Floats, Spread, of_steps
from neurodeploy.flow.loads import WORK
from neurodeploy.flow.ticks import ByTick
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.segments import Segment


def mean_steps(
    name: str, ticks: int, places: Sequence[tuple[int, int]], phase: Sequence[int], table: Ints, always: Floats,
    known: ByTick | tuple[Floats, Floats], prices: Floats, ways: Busiest,
) -> tuple[MeanStep, ...]:  # fmt: skip
    """Of `ticks` ticks, all traffic in the first step.

    places, phase, table : of each shard its chip and core, when it works, and what it does in all ticks, (shards, 9).
    always : what is taken as the same in every tick beside that, (shards, 17). known : what each does tick by tick, or the
    least and the most that it can do in one, (shards, 9). prices : `timing.core_prices`.
    """
    phases, cores = range(max(phase, default=-1) + 1), list[Ints]()
    cells = np.full((len(phases), len(places)), -1, np.int64)
    for number in phases:
        index: dict[tuple[int, int], int] = {}
        for shard, place in enumerate(places):
            if phase[shard] == number:
                cells[number, shard] = index.setdefault(place, len(index))
        cores.append(np.array(list(index), np.int64).reshape(-1, 2))

    def on_cores(number: int, loads: Ints | Floats) -> Floats:
        found, mine = np.zeros((len(cores[number]), len(WORK))), cells[number] >= 0
        np.add.at(found[:, : loads.shape[1]], cells[number][mine], loads[mine])
        return found

    beside = [on_cores(number, always) for number in phases]
    if isinstance(known, ByTick):
        spreads = [Spread(rows, NO_ROWS, NO_ROWS) for rows in of_steps(known, always, list(cells), prices)]
    else:
        spreads = [Spread(NO_ROWS, *(on_cores(number, table) + beside[number] for table in known)) for number in phases]
    return tuple(
        MeanStep(
            name,
            cores[number],
            on_cores(number, table) / ticks + beside[number],
            SILENT if number else ways,
            1.0,
            spread,
        )
        for number, spread in enumerate(spreads)
    )


def phases_of(segment: Segment, shards: Sequence[Shard]) -> list[int]:
    """The phase of each of these shards of a segment, which are all that it has."""
    placed, split = {shard.island for shard in shards}, {s.island for s in shards if s.kind == "reducer"}
    last: dict[str, int] = {}
    for name in segment.network.order():
        if name in placed:
            before = (last[p.source] + 1 for p in segment.network.into(name) if not p.latency and p.source in last)
            last[name] = max(before, default=0) + (name in split)
    return [last[s.island] - (s.island in split and s.kind != "reducer") for s in shards]


def steps_of(segment: Segment, mapping: Mapping) -> int:
    """Steps of the chip that a tick of a segment takes, one after the other."""
    own = [s for s in mapping.shards if s.island in segment.network.populations and s.island not in segment.reads]
    return max(phases_of(segment, own), default=-1) + 1
