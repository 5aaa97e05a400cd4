"""`outline_loads`: the loads of a token for a plan without weights, class by class.

One copy of each class of islands is derived from its shards (`program.works_of`) and multiplied. Two things are simpler than
in a run: loads of cores that two copies share are not added up, and partial sums load no link. Counts come from an
assumed activity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.accounting.loads import (
    SILENT,
    Busiest,
    EventCounts,
    MeanStep,
    PartCounts,
    Roofline,
    RunLoads,
    loaded,
    together,
)
from neurodeploy.accounting.program import SegmentWork
from neurodeploy.accounting.spread import Floats
from neurodeploy.flow.border import BorderLoads
from neurodeploy.flow.routes import HOST_CHIP, nodes
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.copies import ALONE
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.program import Program
from neurodeploy.ops import experts_of, lookup
from neurodeploy.ops.host.linear import island_work
from neurodeploy.ops.host.operation import Load, Work


@dataclass(frozen=True, slots=True, eq=False)
class ClassLoad:
    """One class of segments, or islands: the work of one copy and the place of every copy.

    share : fraction of tokens that one copy sees. unit : classes of one unit share cores, whose loads add up.
    """

    work: SegmentWork
    share: float
    flows: Sequence[BorderLoads]
    unit: int

    @property
    def calls(self) -> float:
        """Calls a token of all copies."""
        return self.share * len(self.flows)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a price assumes: the activity and where it is from, tokens of the prompt."""

    activity: float
    source: str
    prompt: int


@dataclass(frozen=True, slots=True)
class OnHost:
    """Islands of one class that the host computes: so many copies, each seen by the fraction `share` of tokens."""

    rows: int
    columns: int
    copies: int
    share: float
    layer: int | None


def outline_loads(
    classes: Sequence[ClassLoad],
    host: Sequence[Roofline],
    host_of_prompt: Sequence[Roofline],
    system: SystemSpec,
    assumed: Assumed,
    *,
    chips: int,
    cores: int,
    ends: float = 0.0,
) -> RunLoads:
    """The loads of a token, by itself or in a prompt, for the phases "prefill" and "generate".

    classes : all that stand on chips. host, host_of_prompt : as in `RunLoads`. chips, cores : used ones, for the static
        terms and the report. ends : exchanges of the model with the host beside those of its classes.
    """
    steps = tuple(step for load in classes for step in _steps(load, system, assumed.activity))
    whole = None
    if classes:
        flows = [(load.share, flow) for load in classes for flow in load.flows]
        whole = together(
            "", [step for load in classes for step in _apart(load)], _ways(flows, system, assumed.activity)
        )
    return RunLoads(
        units=assumed.prompt,
        tick=1.0,
        counting="assumed",
        parts=tuple(_part(load, system, assumed) for load in classes),
        steps=steps,
        whole=whole,
        neurons=sum(sum(load.work.resident.values()) * len(load.flows) for load in classes),
        fullest=max((max(load.work.resident.values(), default=0) for load in classes), default=0),
        exchanges=ends + sum(load.work.exchanges * load.calls for load in classes),
        opened=ends
        + sum(load.work.exchanges * len(load.flows) * (1.0 - (1.0 - load.share) ** assumed.prompt) for load in classes),
        host=tuple(host),
        host_of_prompt=tuple(host_of_prompt),
        chips_used=chips,
        cores_used=cores,
        phases=("prefill", "generate"),
        facts={"outline": True, "activity": assumed.activity, "activity_source": assumed.source},
        assumed=True,
        layers=(),
    )


def host_load(
    program: Program, gone: Iterable[OnHost], prompt: int, batch: int = 1, weight_bytes: float = 1.0
) -> list[list[Roofline]]:
    """The work of a token of a prompt, and of one generated behind it: the host's own operations of all layers, and the
    islands that it computes, in a batch of so many sequences of one length.

    A call reads the weights of an island once if any of its tokens sees it, and the tables of an operation once; what an
    operation has remembered of a sequence is read for each. weight_bytes : of a weight of an island.
    """
    found, (_, chosen), left = [], experts_of(program.operations), list(gone)
    for before, length in ((0, prompt), (prompt, 1)):
        tokens = length * batch
        own, calls = list[Work](), 0.0
        for op in program.operations:
            work = _batched(op, program, length, before, batch, chosen.get(op.layer, 1))
            times = program.copies.get(op.path, ALONE).met
            own.append(Work(times * -(-work.flops // tokens), times * -(-work.bytes // tokens)))
            calls += times
        flops = moved = started = 0.0
        for entry in left:
            token = island_work(entry.rows, entry.columns, 1)
            once = 2 * token.bytes - island_work(entry.rows, entry.columns, 2).bytes
            weights = once + (weight_bytes - 1.0) * entry.rows * entry.columns
            called = entry.share if tokens == 1 else (1.0 - (1.0 - entry.share) ** tokens) / tokens
            flops += entry.copies * entry.share * token.flops
            moved += entry.copies * (called * weights + entry.share * (token.bytes - once))
            started += entry.copies * called
        done = sum(own, start=Work(0, 0))
        found.append(
            [
                Roofline(done.flops, done.bytes, calls / tokens, False, False, None),
                Roofline(flops, moved, started, False, True, None),
            ]
        )
    return found


def _batched(op: HostOp, program: Program, length: int, before: int, batch: int, chosen: int) -> Work:
    """An operation on so many tokens of each of `batch` sequences: sequence by sequence where it reads what was before a
    token, else all rows at once."""

    def work(tokens: int, context: int) -> Work:
        return lookup(op).work(Load(op, program.sizes, tokens, context, tokens * chosen))

    if batch == 1 or work(1, 0) == work(1, 1):
        return work(batch * length, before)
    one = work(length, before)
    return Work(batch * one.flops, batch * one.bytes)


def _steps(load: ClassLoad, system: SystemSpec, activity: float) -> list[MeanStep]:
    """The steps of a call, the first once for each pattern of chips that copies stand on."""
    if not load.work.steps:
        return []
    first, *later = load.work.steps
    patterns: Counter[tuple[bytes, ...]] = Counter()
    known: dict[tuple[bytes, ...], BorderLoads] = {}
    for flow in load.flows:
        inside = flow.chips - flow.chips[:1] // system.chips * system.chips
        key = tuple(part.tobytes() for part in (inside, flow.entering, flow.delivered, flow.leaving))
        patterns[key] += 1
        known.setdefault(key, flow)
    found = [
        replace(first, ways=_ways([(1.0, known[key])], system, activity), times=times)
        for key, times in ((key, load.share * count) for key, count in patterns.items())
    ]
    return [*found, *(replace(step, times=load.calls) for step in later)]


def _apart(load: ClassLoad) -> list[MeanStep]:
    """The steps of one copy for a token, on chips of numbers that no other unit has."""
    shift = np.array([load.unit << 32, 0])
    return [replace(step, cores=step.cores + shift, times=load.share) for step in load.work.steps]


def _ways(flows: Iterable[tuple[float, BorderLoads]], system: SystemSpec, activity: float) -> Busiest:
    """The busiest port and link of these copies, each with its share."""
    held = list(flows)
    chips, at = np.unique(np.concatenate([flow.chips for _, flow in held]), return_inverse=True)
    if not len(chips):
        return SILENT

    def summed(name: str, factor: float) -> Floats:
        amounts = np.concatenate([share * factor * getattr(flow, name) for share, flow in held])
        return np.bincount(at.reshape(-1), amounts, len(chips)).astype(np.float64)

    entering, leaving = summed("entering", activity), summed("leaving", 1.0)
    ports = summed("delivered", activity) + leaving
    port = chips - chips % system.chips + HOST_CHIP
    source, target = np.concatenate([port, chips]), np.concatenate([chips, port])
    return loaded(system, chips, ports, source, target, np.concatenate([entering, leaving]), per=1.0)


def _part(load: ClassLoad, system: SystemSpec, assumed: Assumed) -> PartCounts:
    """Counts of all copies over a prompt; what crosses the border and the grid is that of their own places."""
    inner = load.work.counts
    one = inner.times(load.calls * assumed.prompt / load.work.ticks) if load.work.ticks else EventCounts.of()
    crossing = entering = leaving = 0.0
    for flow in load.flows:
        messages = assumed.activity * flow.entering + flow.leaving
        crossing += float(nodes(system, flow.chips % system.chips).sum(axis=1) @ messages)
        entering, leaving = entering + int(flow.entering.sum()), leaving + int(flow.leaving.sum())
    every = load.share * assumed.prompt
    return PartCounts(
        load.work.name,
        None,
        replace(
            one,
            interchip=one.interchip_least + every * crossing,
            host_messages=every * (assumed.activity * entering + leaving),
        ),
    )
