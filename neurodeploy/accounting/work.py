"""From exact counts to the work of each core: what `account` prices and `timing` times.

Counts are of axons and neurons, so any mapping of the same run can be priced without running it again::

    events       = sum of IslandActivity.events[c0:c1]                     per shard
    synops       = events * rows     (dense format: a stored zero weight is read and counted like any other)
    updates      = rows * tokens
    messages out = sum of IslandActivity.messages_out[r0:r1] * words       rows * tokens * words of partial sums

Islands that the host computed have no shard and are in none of this: their work is in `ActivityCounts.host_islands`.

with `words` the messages that carry one value (`flow.words`). A shard whose columns are a part of the island sends a
partial sum per row and token to its reducer, zeros included (an upper bound: the counts do not say which partial sums
vanish). A reducer spends one synop per message that arrives.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.accounting.routes import Traffic
from neurodeploy.errors import InternalError, UserError
from neurodeploy.flow.words import Words, island_words
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import ActivityCounts, IslandActivity, ShardCounts


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One time step of an island: the cores that take part, with their sums over the run.

    `cores` (n, 2) int64: chip, core. `loads` (n, 3) int64: synops, neuron updates, messages out. `active` (n,) int64:
    tokens in which the core got at least one event, at most: ``min(tokens, events)``, exact where either is the limit.
    """

    name: str
    cores: NDArray[np.int64]
    loads: NDArray[np.int64]
    active: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class IslandWork:
    """The work of one island over the run. An island that never ran (an expert never chosen) has no stages.

    `resident` is the neurons that it keeps on each (chip, core), whether it ran or not.
    """

    name: str
    layer: int | None
    tokens: int
    resident: Mapping[tuple[int, int], int]
    stages: tuple[Stage, ...]
    traffic: Traffic

    @property
    def synops(self) -> int:
        return sum(int(stage.loads[:, 0].sum()) for stage in self.stages)

    @property
    def updates(self) -> int:
        return sum(int(stage.loads[:, 1].sum()) for stage in self.stages)

    @property
    def core_steps(self) -> int:
        return sum(int(stage.active.sum()) for stage in self.stages)

    @property
    def neurons(self) -> int:
        return sum(self.resident.values())


def shard_counts(shard: Shard, words: Words, activity: IslandActivity) -> ShardCounts:
    """What the core of `shard` did over the run: exact, but for partial sums sent and added, which are upper bounds.

    `words` of the shard's island (`flow.words.island_words`).
    """
    rows, tokens = shard.row_count, activity.tokens
    outputs = int(activity.messages_out[shard.rows[0] : shard.rows[1]].sum())
    if shard.kind == "reducer":
        arrived = rows * words.received * tokens
        return ShardCounts(arrived, arrived, rows * tokens, outputs * words.output)
    events = int(activity.events[shard.cols[0] : shard.cols[1]].sum())
    values = rows * tokens if shard.cols in words.partial else outputs
    return ShardCounts(events, events * rows, rows * tokens, values * words.sent(shard))


def derive(
    mapping: Placement,
    counts: ActivityCounts,
    islands: Mapping[str, Island],
    system: SystemSpec,
    border: str = "calls",
) -> list[IslandWork]:
    """The work of every island of the mapping, in its order; `border` as in `account`.

    Raises
    ------
    UserError : ND3102, no token was run; ND3106, the mapping is for another system.
    InternalError : ND9031, counts, islands and mapping contradict one another.
    """
    if counts.tokens <= 0:
        raise UserError("ND3102", "energy", "no token was run, and energy is per token", "run at least one token")
    if mapping.system != system.name or any(shard.chip >= system.chips for shard in mapping.shards):
        problem = (
            f"the mapping is for {mapping.system} and the energy was asked of {system.name} with {system.chips} chips"
        )
        raise UserError("ND3106", "energy", problem, "map the model to that system first")
    placed = mapping.by_island()
    for name in (*counts.islands, *placed):
        if name not in placed or name not in islands:
            raise InternalError("ND9031", name, "is not in the mapping, or has no sizes")
    for name in counts.host_islands:
        if name in placed or name not in islands:
            raise InternalError("ND9031", name, "ran on the host and has shards on a chip, or has no sizes")
    works: list[IslandWork] = []
    before = 0
    for name, shards in placed.items():
        traffic = Traffic(system) if border == "calls" else Traffic(system, before, returns=False)
        works.append(_island(name, shards, islands[name], counts.islands.get(name), traffic))
        before = shards[-1].chip
    return works


def _island(
    name: str, shards: list[Shard], island: Island, activity: IslandActivity | None, traffic: Traffic
) -> IslandWork:
    resident: dict[tuple[int, int], int] = {}
    for shard in shards:
        resident[shard.chip, shard.core] = resident.get((shard.chip, shard.core), 0) + shard.row_count
    if activity is None or activity.tokens == 0:
        return IslandWork(name, island.layer, 0, resident, (), traffic)
    if activity.events.shape != (island.columns,) or activity.messages_out.shape != (island.rows,):
        raise InternalError("ND9031", name, f"counts are not of {island.rows} rows and {island.columns} columns")
    words = island_words(island, shards, traffic.system.chip)
    counted = [(shard, shard_counts(shard, words, activity)) for shard in shards]
    sources = [pair for pair in counted if pair[0].kind != "reducer"]
    reducers = [pair for pair in counted if pair[0].kind == "reducer"]
    for chip, spans in _columns_by_chip(shard for shard, _ in sources).items():
        traffic.to_chip(chip, sum(int(activity.events[a:b].sum()) for a, b in spans))
    by_rows = sorted((shard for shard, _ in reducers), key=lambda reducer: reducer.rows)
    for shard, work in sources:
        traffic.port_to_core(shard.chip, shard.core, work.events)
        if shard.cols not in words.partial:
            traffic.leave(shard.chip, shard.core, work.messages_out)
            continue
        for reducer, rows in _reached(name, shard, by_rows):
            target = (reducer.chip, reducer.core)
            traffic.core_to_core((shard.chip, shard.core), target, rows * words.sent(shard) * activity.tokens)
    for shard, work in reducers:
        traffic.leave(shard.chip, shard.core, work.messages_out)
    stages = (
        _stage(kind, group, activity.tokens) for kind, group in (("synapses", sources), ("reducer", reducers)) if group
    )
    return IslandWork(name, island.layer, activity.tokens, resident, tuple(stages), traffic)


def _columns_by_chip(shards: Iterable[Shard]) -> dict[int, list[tuple[int, int]]]:
    """Per chip the columns that any of its cores reads, as disjoint spans: the host sends each event once per chip."""
    spans: dict[int, set[tuple[int, int]]] = {}
    for shard in shards:
        spans.setdefault(shard.chip, set()).add(shard.cols)
    merged: dict[int, list[tuple[int, int]]] = {}
    for chip, found in spans.items():
        result: list[tuple[int, int]] = []
        for start, stop in sorted(found):
            if result and start <= result[-1][1]:
                result[-1] = (result[-1][0], max(stop, result[-1][1]))
            else:
                result.append((start, stop))
        merged[chip] = result
    return merged


def _reached(name: str, shard: Shard, reducers: list[Shard]) -> list[tuple[Shard, int]]:
    """The reducers of a shard's rows with the number of rows each takes; `reducers` are disjoint and sorted by rows."""
    found: list[tuple[Shard, int]] = []
    first = max(0, bisect_right(reducers, shard.rows[0], key=lambda r: r.rows[0]) - 1)
    for reducer in reducers[first:]:
        if reducer.rows[0] >= shard.rows[1]:
            break
        rows = min(reducer.rows[1], shard.rows[1]) - max(reducer.rows[0], shard.rows[0])
        if rows > 0:
            found.append((reducer, rows))
    if sum(rows for _, rows in found) != shard.row_count:
        raise InternalError("ND9031", name, f"rows {shard.rows} have split columns and not one reducer each")
    return found


def _stage(kind: str, shards: list[tuple[Shard, ShardCounts]], tokens: int) -> Stage:
    cores: dict[tuple[int, int], list[int]] = {}
    for shard, work in shards:
        load = cores.setdefault((shard.chip, shard.core), [0, 0, 0, 0])
        load[0] += work.synops
        load[1] += work.neuron_updates
        load[2] += work.messages_out
        load[3] += work.events
    table = np.array(list(cores.values()), dtype=np.int64)
    return Stage(kind, np.array(list(cores), dtype=np.int64), table[:, :3], np.minimum(tokens, table[:, 3]))
