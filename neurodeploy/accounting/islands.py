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

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.accounting.loads import (
    SILENT,
    EventCounts,
    MeanStep,
    PartCounts,
    Phrases,
    Roofline,
    RunLoads,
    Tally,
    busiest,
    check_option,
    derive,
    together,
)
from neurodeploy.errors import InternalError, UserError
from neurodeploy.flow.loads import COLUMNS, EVENTS, PARTIALS, SYNOPS, UPDATES
from neurodeploy.flow.routes import HOST_CHIP, Routes
from neurodeploy.flow.streams import Broadcasts, Streams, island_ends
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.program import Island
from neurodeploy.ir.run import ActivityCounts, IslandActivity

#: Whether each island call crosses the host border in and out, or the islands feed one another.
BORDERS = ("calls", "none")
WORDS = Phrases(
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

    `resident` is the neurons that it keeps on each (chip, core), whether it ran or not; `steps` are those of one call;
    `table` (shards, 8) is the work of each.
    """

    part: PartCounts
    tokens: int
    resident: Mapping[tuple[int, int], int]
    steps: tuple[MeanStep, ...]
    traffic: Tally
    table: Ints


def island_loads(
    mapping: Placement,
    counts: ActivityCounts,
    islands: Mapping[str, Island],
    system: SystemSpec,
    border: str = "calls",
) -> RunLoads:
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
    works = works_of(mapping, counts, islands, system, border)
    running, tokens = [work for work in works if work.tokens], counts.tokens
    shares = [(work.tokens / tokens, step) for work in running for step in work.steps]
    steps = tuple(replace(step, times=share, floors=share) for share, step in shares)
    resident: Counter[tuple[int, int]] = Counter()
    for work in works:
        resident.update(work.resident)
    calls = border == "calls"
    host = [Roofline(counts.host_flops / tokens, counts.host_bytes / tokens, False, None)]
    for name, done in counts.host_islands.items():
        if done.activity.tokens:
            host.append(Roofline(done.flops / tokens, done.bytes / tokens, True, islands[name].layer))
    whole = together("pipeline", steps, busiest([w.traffic for w in running], system, tokens)) if running else None
    return RunLoads(
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


def works_of(
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
        traffic = Tally(Routes(system, chip, core, HOST_CHIP if calls else before), system.chips, returns=calls)
        works.append(_island(islands[name], shards, counts.islands.get(name), system, traffic, calls))
        before = shards[-1].chip
    return works


def _island(
    island: Island, shards: Sequence[Shard], activity: IslandActivity | None, system: SystemSpec, traffic: Tally,
    calls: bool,
) -> IslandWork:  # fmt: skip
    name, resident = island.name, Counter[tuple[int, int]]()
    for shard in shards:
        resident[shard.chip, shard.core] += shard.row_count
    if activity is None or activity.tokens == 0:
        none = np.zeros((len(shards), COLUMNS), np.int64)
        return IslandWork(PartCounts(name, island.layer, EventCounts.of()), 0, resident, (), traffic, none)
    if activity.events.shape != (island.columns,) or activity.messages_out.shape != (island.rows,):
        raise InternalError("ND9031", name, f"counts are not of {island.rows} rows and {island.columns} columns")
    streams = Broadcasts({name: island_ends(island, system.chip)}, shards, activity.tokens, {name: activity})
    _covered(name, shards, streams)
    table = derive(streams, {name: traffic}, system.chips)
    for number, shard in enumerate(shards):
        table[number, UPDATES] = shard.row_count * activity.tokens  # a row that sends partial sums is updated too
    steps: list[MeanStep] = []
    active = 0
    adds = np.array([shard.kind == "reducer" for shard in shards])
    for stage in (np.flatnonzero(~adds), np.flatnonzero(adds)):
        if len(stage):
            ways = SILENT if steps else busiest([traffic], system, activity.tokens)
            cores, loads = _by_core([shards[i] for i in stage.tolist()], table[stage])
            # The whole traffic of an island loads one step: its two steps are not told apart on the links.
            steps.append(MeanStep(name, cores, loads / activity.tokens, ways, 1.0, 1.0))
            active += int(np.minimum(activity.tokens, loads[:, EVENTS] + loads[:, PARTIALS]).sum())
    sums = table.sum(axis=0).tolist()
    counts = EventCounts.of(
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
    return IslandWork(PartCounts(name, island.layer, counts), activity.tokens, resident, tuple(steps), traffic, table)


def _covered(name: str, shards: Sequence[Shard], streams: Streams) -> None:
    """Every row of a shard with a part of the columns has one reducer."""
    adders = sorted(shard.rows for shard in shards if shard.kind == "reducer")
    for shard in shards:
        if not streams.home(shard):
            rows = [max(0, min(shard.rows[1], high) - max(shard.rows[0], low)) for low, high in adders]
            if sum(rows) != shard.row_count:
                problem = f"rows {shard.rows} have split columns and not one reducer each"
                raise InternalError("ND9031", name, problem)


def _by_core(shards: Sequence[Shard], table: Ints) -> tuple[Ints, Ints]:
    """Cores in the order in which their shards come, and their loads."""
    places: dict[tuple[int, int], int] = {}
    index = [places.setdefault((shard.chip, shard.core), len(places)) for shard in shards]
    loads = np.zeros((len(places), COLUMNS), np.int64)
    np.add.at(loads, index, table)
    return np.array(list(places), np.int64), loads
