"""`loads`: from the exact counts of a program and a mapping to the work of each core, port and link.

Counts are of neurons, so any mapping of the same run is priced without running it again. A neuron that fired f times sent
f messages to every shard that holds synapses of its axon (`neurodeploy.flow.streams`), and in that shard::

    events   = sum over touched axons of f                    synops = sum over touched axons of f * fan
    updates  = neurons * ticks                                partial sums = rows * words * ticks

with `fan` the axon's stored synapses in the shard's rows (stored zeros count; a direct connection has none), `ticks` the
steps of all samples (or the tokens) in which the shard's segment ran, and `words` the messages of a row's partial sums
(`flow.words`). Partial sums are sent every tick, zeros included, each by a neuron of its own, and cost their reducer one
operation a message.

A tick of a segment is a row of *phases*, synchronised steps of the chip: one, one more where partial sums go before the
neurons, one more for each projection within the tick between populations on the chip. What the host sends is there before,
so that a projection out of an input is no phase of its own. The whole traffic of a segment loads its first phase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from neurodeploy.accounting.counted import Counted, agree, counted, layers_of
from neurodeploy.accounting.loads import (
    SILENT,
    EventCounts,
    MeanStep,
    PartCounts,
    RunLoads,
    busiest,
    check_option,
    together,
)
from neurodeploy.accounting.step_time import core_prices
from neurodeploy.accounting.steps import mean_steps, phases_of
from neurodeploy.errors import InternalError
from neurodeploy.flow.loads import (
    COLUMNS,
    CONV_SYNOPS,
    FIXED_UPDATES,
    PARTIALS,
    SPIKES,
    SYNOPS,
    UPDATES,
    WRITES,
    loads_of,
    rests_of,
)
from neurodeploy.flow.routes import HOST_CHIP, Routes
from neurodeploy.flow.streams import Streams, ends_of
from neurodeploy.flow.tally import Tally, tallied
from neurodeploy.flow.ticks import ByTick, extremes
from neurodeploy.flow.ways_out import WaysOut
from neurodeploy.ir.arrange import arranged, counts_there
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.ir.segments import Segment

#: When chips and host exchange messages: in every tick of every segment; once a sample, its events beforehand and its result
#: afterwards; never.
BORDERS = ("calls", "sample", "none")


@dataclass(frozen=True, slots=True, eq=False)
class SegmentWork:
    """The work of a segment over the `ticks` of a run in which it ran: none, and it has no steps.

    exchanges : with the host in a tick; half a one where it is fed, or read, on the chip.
    parts : its populations, and what none of them causes alone. resident : neurons that it keeps on each (chip, core),
    whether it ran or not. steps : its phases. traffic : by population, what arrives at it and returns to the host.
    shards : positions in the mapping; table (shards, 9) : the work of each.
    """

    name: str
    ticks: int
    exchanges: float
    parts: tuple[PartCounts, ...]
    resident: Mapping[tuple[int, int], int]
    steps: tuple[MeanStep, ...]
    traffic: Mapping[str, Tally]
    shards: Ints
    table: Ints

    @property
    def counts(self) -> EventCounts:
        return EventCounts.total(part.counts for part in self.parts)


def loads(
    program: Program, counts: ActivityCounts | RunActivity, mapping: Placement, system: SystemSpec, border: str = "",
    resting: Mapping[str, Ints] | None = None,
) -> RunLoads:  # fmt: skip
    """The loads of one unit of a run: of a token, for the phases "prefill" and "generate", or of a sample of a program that
    is fed by streams, for the phase "sample".

    Parameters
    ----------
    counts : exact counts of the run of any runner, of the host's own work, and of what it computed in place of the chip.
    mapping : which core of `system` holds which shard; populations without a shard are the host's.
    border : "calls", every tick of a segment crosses the host border in and out; "sample", one exchange a sample: all its
        events in, then its outputs back; "none", no exchange: segments feed one another, and nobody reads the last. By
        default "sample" where streams feed the chip alone, else "calls".
    resting : population -> (size,) ticks in which nothing reached the neuron, which is no update then; others are updated
        in every tick.

    Raises
    ------
    UserError : ND3102, nothing was run; ND3104, no such border; ND3106, the mapping is for another system.
    InternalError : ND9031, counts, program and mapping contradict one another.
    """
    run = counted(program, counts, mapping.assignments)
    alone = program.streamed and not program.operations and not run.host
    check_border(program, border)
    border = border or ("sample" if alone else "calls")
    works = works_of(program, run, mapping, system, border, resting)
    running = [work for work in works if work.ticks]
    ticks = [work.ticks for work in running] or [activity.ticks for activity in run.everywhere.values()]
    tick = max(ticks, default=1) / run.units if program.streamed else 1.0
    steps = [replace(step, times=work.ticks / run.units) for work in running for step in work.steps]
    traffic = [tally for work in running for tally in work.traffic.values()]
    ways = busiest(traffic, system, run.units * tick, _crosses(program, border)) if running else SILENT
    fed = np.sum([np.multiply(work.steps[0].ways.fed, work.ticks) for work in running], axis=0) / (run.units * tick)
    ways = replace(ways, fed=tuple(fed.tolist())) if running else ways
    resident: Counter[tuple[int, int]] = Counter()
    for work in works:
        resident.update(work.resident)
    host = tuple(
        replace(work, flops=work.flops / run.units, bytes=work.bytes / run.units, calls=work.calls / run.units)
        for work in (() if alone else (run.own, *run.host.values()))
    )
    once = len(program.operations) / run.units  # all tokens of a prompt in one call
    recorded = not any(len(step.spread.least) for step in steps)
    every, phases = program.network.populations, max((len(work.steps) for work in works), default=0)
    return RunLoads(
        units=run.units,
        tick=tick,
        counting="counted" if recorded else "upper bound",
        parts=tuple(part for work in works for part in work.parts),
        steps=tuple(steps),
        whole=together("pipeline", steps, ways, tick) if running else None,
        neurons=sum(resident.values()),
        fullest=max(resident.values(), default=0),
        exchanges={"none": 0.0, "sample": 1.0}.get(
            border, sum(work.exchanges * work.ticks for work in works) / run.units
        ),
        opened=sum(work.exchanges for work in running) if border != "none" else 0.0,
        host=host,
        host_of_prompt=host if program.streamed else (replace(host[0], calls=once), *host[1:]),
        chips_used=mapping.chips_used,
        cores_used=mapping.cores_used,
        phases=("sample",) if program.streamed else ("prefill", "generate"),
        facts={
            "streamed": program.streamed,
            f"border {border}": True,
            "microcoded": ", ".join(sorted({p.model for p in every.values()} - {INPUT, *system.chip.supports.neurons})),
            "on_host": len(run.host),
            "reducers": any(shard.kind == "reducer" for shard in mapping.shards),
            "delays": any(p.depth > 1 for p in program.network.projections),
            "phases": phases if phases > 1 else 0,
            "resting": bool(resting),
            "recorded": recorded,
        },
        assumed=False,
        layers=() if any(p.layer is not None for p in every.values()) else tuple(every),
    )


def check_border(program: Program, border: str) -> None:
    """ND3104 unless it is one of `BORDERS` that the program can have, or "" for its own."""
    check_option("border", border, ["", *(name for name in BORDERS if program.streamed or name != "sample")])


def _crosses(program: Program, border: str) -> bool:
    """Whether what comes from outside travels between chips: from the host, or from the segment before."""
    return border != "none" or len(program.segments) > 1


def works_of(
    program: Program, run: Counted, mapping: Placement, system: SystemSpec, border: str,
    resting: Mapping[str, Ints] | None = None,
) -> list[SegmentWork]:  # fmt: skip
    """The work of every segment of the mapping, in the order of the schedule; parameters and errors of `loads`."""
    agree(program, run, mapping, system)
    network = arranged(program.network, mapping.orders)
    segments = [item for item in program.schedule if isinstance(item, Segment)]
    at: dict[str, list[int]] = {}
    for number, shard in enumerate(mapping.shards):
        at.setdefault(shard.island, []).append(number)
    chip, core = (np.array([getattr(shard, part) for shard in mapping.shards], np.int64) for part in ("chip", "core"))
    routes, origin, opened = Routes(system, chip, core), HOST_CHIP, border != "none"
    per = max((run.ticks(segment.name) for segment in segments), default=1)
    shares, sent, traffic = dict[str, Fraction](), dict[str, Mapping[str, Ints]](), dict[str, Tally]()
    placed = {s.name: [n for n in s.network.populations if n in at and n not in s.reads] for s in segments}
    for segment in segments:
        names = placed[segment.name]
        shares |= dict.fromkeys(names, Fraction(run.ticks(segment.name), per or 1))
        traffic |= {name: Tally(routes, system.chips, origin, opened) for name in names}
        if activity := run.chip.get(segment.name):
            sent |= {name: ports for name, ports in activity.fired.items() if name not in segment.reads}
        if names and not opened:
            origin = int(chip[at[names[-1]][-1]])
    ends, there = ends_of(program, network, system.chip, shares), counts_there(sent, mapping.orders)
    streams = Streams(network, ends, mapping.shards, per, there)
    _covered(streams, at)
    by_tick, heard = dict[str, ByTick](), dict[int, int]()
    for segment in segments:
        raster = run.chip[segment.name].raster if run.ticks(segment.name) else None
        if raster is not None and placed[segment.name]:
            own = np.array([number for name in placed[segment.name] for number in at[name]], np.int64)
            by_tick[segment.name] = ByTick(streams, own, raster, run.ticks(segment.name), mapping.orders)
            heard |= by_tick[segment.name].heard()
    bounds = (
        None
        if by_tick.keys() >= {s.name for s in segments if placed[s.name] and run.ticks(s.name)}
        else extremes(streams, there)
    )
    streams = Streams(network, ends, mapping.shards, per, there, heard=heard)
    ways_out = WaysOut(routes, mapping.shards, system.chip)
    every = loads_of(streams, ways_out.of(tallied(streams, traffic, system)))
    at_rest = counts_there({name: {"": counts} for name, counts in (resting or {}).items()}, mapping.orders)
    ways_out.table[:, 0] = rests = rests_of(streams, at_rest)
    table = every.copy()
    table[:, FIXED_UPDATES] -= rests
    neurons = np.array([streams.neurons(shard) for shard in mapping.shards], np.int64)
    places = list(zip(chip.tolist(), core.tolist(), strict=True))
    layers, crosses, prices = layers_of(program), _crosses(program, border), core_prices(system.chip)

    def counts(name: str) -> EventCounts:
        moved, sums = traffic[name], table[at[name]].sum(axis=0).tolist()
        return EventCounts.of(
            synops=sums[SYNOPS],
            conv_synops=sums[CONV_SYNOPS],
            partial_sums=sums[PARTIALS],
            fixed_updates=sums[FIXED_UPDATES],
            updates=sums[UPDATES],
            writes=sums[WRITES],
            spikes=sums[SPIKES],
            messages=moved.deliveries - sums[PARTIALS],
            partial_messages=sums[PARTIALS],
            hops_ew=moved.hops_ew,
            hops_ns=moved.hops_ns,
            host_messages=moved.entering + moved.leaving if opened else 0,
        )

    def work(segment: Segment, names: Sequence[str]) -> SegmentWork:
        own, ticks = np.array([number for name in names for number in at[name]], np.int64), run.ticks(segment.name)
        resident: Counter[tuple[int, int]] = Counter()
        for number in own.tolist():
            resident[places[number]] += int(neurons[number])
        moved, parts, steps = {name: traffic[name] for name in names}, list[PartCounts](), tuple[MeanStep, ...]()
        if ticks:
            phase, on = phases_of(segment, [mapping.shards[i] for i in own.tolist()]), [places[i] for i in own.tolist()]
            silent, added = (part[own] for part in bounds or (every, every))
            known = by_tick.get(segment.name) or (silent / ticks, added + silent / ticks)
            ways = replace(busiest([*moved.values()], system, ticks, crosses), fed=ways_out.fed_to(names, ticks))
            always = np.hstack([np.zeros((len(own), COLUMNS)), ways_out.each(own, ticks)])
            always[:, FIXED_UPDATES] = -rests[own] / ticks
            steps = mean_steps(segment.name, ticks, on, phase, every[own], always, known, prices, ways)
            shared = {layers[name] for name in names}
            least = sum(tally.interchip_least for tally in moved.values())
            all_ways = sum(tally.interchip for tally in moved.values()) if crosses else least
            active = sum(len(step.cores) for step in steps) * ticks
            rest = EventCounts.of(interchip=all_ways, interchip_least=least, core_steps=active)
            parts = [PartCounts(name, layers[name], counts(name)) for name in names]
            parts.append(PartCounts(segment.name, shared.pop() if len(shared) == 1 else None, rest))
        border = 1.0 if program.streamed else (bool(segment.encodes) + bool(segment.decodes)) / 2
        return SegmentWork(segment.name, ticks, border, tuple(parts), resident, steps, moved, own, table[own])

    return [work(segment, placed[segment.name]) for segment in segments if placed[segment.name]]


def _covered(streams: Streams, at: Mapping[str, Sequence[int]]) -> None:
    """Every row of a shard with a part of the columns has one reducer."""
    for name, numbers in at.items():
        adders = [streams.pieces[i].rows for i in numbers if streams.pieces[i].kind == "reducer"]
        rows = np.array(adders, np.int64).reshape(-1, 2).T
        for low, high in {streams.pieces[i].rows for i in numbers if not streams.home(streams.pieces[i])}:
            if np.maximum(0, np.minimum(high, rows[1]) - np.maximum(low, rows[0])).sum() != high - low:
                problem = f"rows {(low, high)} have split columns and not one reducer each"
                raise InternalError("ND9031", name, problem)
