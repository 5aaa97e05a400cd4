"""`island_loads`: from the exact counts of islands and a mapping to the work of each core.

Counts are of axons and neurons, so any mapping of the same run can be priced without running it again::

    events       = sum of IslandActivity.events[c0:c1]                     per shard
    synops       = events * rows     (dense format: a stored zero weight is read and counted like any other)
    updates      = rows * tokens
    messages out = sum of IslandActivity.messages_out[r0:r1] * words       rows * tokens * words of partial sums

with `words` the messages that carry one value (`flow.words`). A shard whose columns are a part of the island sends a
partial sum per row and token to its reducer, zeros included (an upper bound: the counts do not say which partial sums
vanish). A reducer spends one synop per message that arrives. Islands that the host computed have no shard: their work is
in `ActivityCounts.host_islands`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.accounting.loads import (
    COLUMNS,
    EVENTS,
    PARTIALS,
    SENT,
    SILENT,
    SPIKES,
    SYNOPS,
    UPDATES,
    Counts,
    HostWork,
    Loads,
    Part,
    Step,
    Traffic,
    busiest,
    check_option,
    together,
)
from neurodeploy.accounting.loads import (
    Words as Said,
)
from neurodeploy.errors import InternalError, UserError
from neurodeploy.flow.border import union
from neurodeploy.flow.routes import HOST_CHIP, Routes
from neurodeploy.flow.words import Words, island_words
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import ActivityCounts, IslandActivity, ShardCounts

#: Whether each island call crosses the host border in and out, or the islands feed one another.
BORDERS = ("calls", "none")
WORDS = Said(
    core="{name}: core {core} of chip {chip} with {adds:,.0f} synops, {updates:,.0f} neuron updates, {sent:,.0f} messages "
    "a step",
    idle="the {fullest} resident neurons of the fullest core",
    port="{name}: {port_messages:,.0f} messages a token at the port of chip {port}",
    link="{name}: {link_messages:,.0f} messages a token from chip {link[0]} to chip {link[1]}",
    latency="{crossings:,.4g} crossings of the border a token, two an exchange",
)


@dataclass(frozen=True, slots=True, eq=False)
class IslandWork:
    """The work of one island over the `tokens` of a run in which it was called: none, and it has no steps.

    `resident` is the neurons that it keeps on each (chip, core), whether it ran or not; `steps` are those of one call.
    """

    part: Part
    tokens: int
    resident: Mapping[tuple[int, int], int]
    steps: tuple[Step, ...]
    traffic: Traffic


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


def island_loads(
    mapping: Placement,
    counts: ActivityCounts,
    islands: Mapping[str, Island],
    system: SystemSpec,
    border: str = "calls",
) -> Loads:
    """The loads of one token of a run, for the phases "prefill" and "generate".

    Parameters
    ----------
    mapping : which core of `system` holds which shard.
    counts : exact counts of a run of that phase; `host_flops` and `host_bytes` are the host's own work in it,
        `host_islands` what it computed in place of the chip.
    islands : every island in the mapping; their weights are not read, so that they may be hollow (`ir.hollow`).
    border : "calls", each island call crosses the host border in and out; "none", the islands feed one another.

    Raises
    ------
    UserError : ND3102, no token was run; ND3104, no such border; ND3106, the mapping is for another system.
    InternalError : ND9031, counts, islands and mapping contradict one another.
    """
    check_option("border", border, BORDERS)
    works = derive(mapping, counts, islands, system, border)
    running, tokens = [work for work in works if work.tokens], counts.tokens
    shares = [(work.tokens / tokens, step) for work in running for step in work.steps]
    steps = tuple(replace(step, times=share, floors=share) for share, step in shares)
    resident: Counter[tuple[int, int]] = Counter()
    for work in works:
        resident.update(work.resident)
    calls = border == "calls"
    host = [HostWork(counts.host_flops / tokens, counts.host_bytes / tokens, False, None)]
    for name, done in counts.host_islands.items():
        if done.activity.tokens:
            host.append(HostWork(done.flops / tokens, done.bytes / tokens, True, islands[name].layer))
    whole = together("pipeline", steps, busiest([w.traffic for w in running], system, tokens)) if running else None
    return Loads(
        units=tokens,
        parts=tuple(work.part for work in works),
        steps=steps,
        whole=whole,
        neurons=sum(resident.values()),
        fullest=max(resident.values(), default=0),
        exchanges=sum(work.tokens for work in works) / tokens if calls else 0.0,
        opened=float(len(running)) if calls else 0.0,
        host=tuple(host),
        host_of_prompt=tuple(host),
        chips_used=mapping.chips_used,
        cores_used=mapping.cores_used,
        phases=("prefill", "generate"),
        facts={
            "islands": True,
            f"border {border}": True,
            "on_host": len(counts.host_islands),
            "reducers": any(len(work.steps) > 1 for work in running),
        },
        words=WORDS,
        assumed=False,
        layers=(),
    )


def derive(
    mapping: Placement, counts: ActivityCounts, islands: Mapping[str, Island], system: SystemSpec, border: str
) -> list[IslandWork]:
    """The work of every island of the mapping, in its order; parameters and errors of `island_loads`."""
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
    before = HOST_CHIP
    for name, shards in placed.items():
        chip, core = (np.array([getattr(shard, part) for shard in shards], np.int64) for part in ("chip", "core"))
        calls = border == "calls"
        traffic = Traffic(Routes(system, chip, core, HOST_CHIP if calls else before), system.chips, returns=calls)
        works.append(_island(name, shards, islands[name], counts.islands.get(name), system, traffic, calls))
        before = shards[-1].chip
    return works


def _island(
    name: str, shards: Sequence[Shard], island: Island, activity: IslandActivity | None, system: SystemSpec,
    traffic: Traffic, calls: bool,
) -> IslandWork:  # fmt: skip
    resident: Counter[tuple[int, int]] = Counter()
    for shard in shards:
        resident[shard.chip, shard.core] += shard.row_count
    if activity is None or activity.tokens == 0:
        return IslandWork(Part(name, island.layer, Counts.of()), 0, resident, (), traffic)
    if activity.events.shape != (island.columns,) or activity.messages_out.shape != (island.rows,):
        raise InternalError("ND9031", name, f"counts are not of {island.rows} rows and {island.columns} columns")
    words = island_words(island, shards, system.chip)
    table = np.array([_loads(shard, words, activity) for shard in shards], np.int64)
    adds = np.array([shard.kind == "reducer" for shard in shards])
    split = np.array([shard.kind != "reducer" and shard.cols in words.partial for shard in shards])
    sources, reducers = np.flatnonzero(~adds), np.flatnonzero(adds)
    traffic.receive(sources, table[sources, EVENTS])
    first, entering = _entries([shards[i] for i in sources.tolist()], activity)
    traffic.enter(sources[first], entering)
    traffic.send(*_partials(name, shards, np.flatnonzero(split), reducers, words, activity.tokens))
    homes = np.flatnonzero(~split)
    traffic.leave(homes, table[homes, SENT])
    steps: list[Step] = []
    active = 0
    for stage in (sources, reducers):
        if len(stage):
            ways = SILENT if steps else busiest([traffic], system, activity.tokens)
            cores, loads = _by_core([shards[i] for i in stage.tolist()], table[stage])
            # The whole traffic of an island loads one step: its two steps are not told apart on the links.
            steps.append(Step(name, cores, loads / activity.tokens, ways, 1.0, 1.0))
            active += int(np.minimum(activity.tokens, loads[:, EVENTS] + loads[:, PARTIALS]).sum())
    sums = table.sum(axis=0).tolist()
    counts = Counts.of(
        synops=sums[SYNOPS],
        partial_sums=sums[PARTIALS],
        active_updates=sums[UPDATES],
        active_steps=active,
        messages=traffic.deliveries,
        hops_ew=traffic.hops_ew,
        hops_ns=traffic.hops_ns,
        interchip=traffic.interchip,
        interchip_least=traffic.interchip_least,
        host_messages=traffic.entering + traffic.leaving if calls else 0,
    )
    return IslandWork(Part(name, island.layer, counts), activity.tokens, resident, tuple(steps), traffic)


def _loads(shard: Shard, words: Words, activity: IslandActivity) -> Ints:
    """The row of a shard in a table of loads."""
    counted, row = shard_counts(shard, words, activity), np.zeros(COLUMNS, np.int64)
    row[[UPDATES, SENT]] = counted.neuron_updates, counted.messages_out
    if shard.kind == "reducer":
        row[PARTIALS] = counted.synops
    else:
        row[[SYNOPS, EVENTS]] = counted.synops, counted.events
    if shard.kind == "reducer" or shard.cols not in words.partial:
        row[SPIKES] = activity.messages_out[slice(*shard.rows)].sum()
    return row


def _by_core(shards: Sequence[Shard], table: Ints) -> tuple[Ints, Ints]:
    """Cores in the order in which their shards come, and their loads."""
    places: dict[tuple[int, int], int] = {}
    index = [places.setdefault((shard.chip, shard.core), len(places)) for shard in shards]
    loads = np.zeros((len(places), COLUMNS), np.int64)
    np.add.at(loads, index, table)
    return np.array(list(places), np.int64), loads


def _entries(shards: Sequence[Shard], activity: IslandActivity) -> tuple[Ints, Ints]:
    """(a shard of each chip, events of the columns that any of the chip's cores reads): sent once a chip."""
    first: dict[int, int] = {}
    columns: dict[int, set[tuple[int, int]]] = {}
    for index, shard in enumerate(shards):
        first.setdefault(shard.chip, index)
        columns.setdefault(shard.chip, set()).add(shard.cols)
    events = [sum(int(activity.events[a:b].sum()) for a, b in union(spans)) for spans in columns.values()]
    return np.array(list(first.values()), np.int64), np.array(events, np.int64)


def _partials(
    name: str, shards: Sequence[Shard], split: Ints, reducers: Ints, words: Words, tokens: int
) -> tuple[Ints, Ints, Ints]:
    """(shard, reducer, messages) of the partial sums; reducers of an island are disjoint in rows."""
    ordered = sorted(reducers.tolist(), key=lambda index: shards[index].rows)
    found: list[tuple[int, int, int]] = []
    for source in split.tolist():
        (low, high), reached = shards[source].rows, 0
        start = max(0, bisect_right(ordered, low, key=lambda index: shards[index].rows[0]) - 1)
        for target in ordered[start:]:
            first, last = shards[target].rows
            if first >= high:
                break
            rows = min(last, high) - max(first, low)
            if rows > 0:
                found.append((source, target, rows * words.sent(shards[source]) * tokens))
                reached += rows
        if reached != high - low:
            problem = f"rows {shards[source].rows} have split columns and not one reducer each"
            raise InternalError("ND9031", name, problem)
    source, target, messages = np.array(found, np.int64).reshape(-1, 3).T
    return source, target, messages
