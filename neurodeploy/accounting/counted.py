"""`counted`: what a run has counted, by segment of its program, whoever ran it; `agree`: whether a mapping fits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from neurodeploy.accounting.loads import Roofline
from neurodeploy.errors import InternalError, UserError, some
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import POPULATION
from neurodeploy.ir.mapping import Assignment
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity

#: Operations and bytes.
Work = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """units : tokens, or samples. own : the work of the host's operations, each called for every token.

    chip : by segment, of what ran on the chip. host : work of the populations that the host computed, by name.
    everywhere : by segment, wherever it ran.
    """

    units: int
    chip: Mapping[str, RunActivity]
    own: Roofline
    host: Mapping[str, Roofline]
    everywhere: Mapping[str, RunActivity]

    def ticks(self, segment: str) -> int:
        """Steps of all samples, or tokens."""
        activity = self.chip.get(segment)
        return 0 if activity is None else activity.steps * activity.samples


def counted(program: Program, counts: ActivityCounts | RunActivity, assignments: Iterable[Assignment] = ()) -> Counted:
    every, layers = dict[str, RunActivity](), layers_of(program)
    if isinstance(counts, RunActivity):
        every = {segment.name: counts for segment in program.segments}
        on_host = {entry.path.removeprefix(POPULATION) for entry in assignments if entry.device == "host"}
        gone = sorted(p.name for p in program.network.populations.values() if p.name in on_host and p.model != INPUT)
        own, host = _host(program, gone, counts.ticks) if gone or program.operations else ((0, 0), ())
        of_host = {
            name: Roofline(*work, counts.ticks, False, True, layers[name])
            for name, work in zip(gone, host, strict=True)
        }
        calls = counts.ticks * len(program.operations)
        return Counted(counts.samples, every, Roofline(*own, calls, False, False, None), of_host, every)
    every = counts.everywhere()
    if strangers := every.keys() - {segment.name for segment in program.segments}:
        raise InternalError("ND9031", min(strangers), "was run and is no segment of the program")
    return Counted(
        counts.tokens,
        counts.segments,
        Roofline(counts.host_flops, counts.host_bytes, counts.tokens * len(program.operations), False, False, None),
        {
            name: Roofline(done.flops, done.bytes, done.calls, False, True, layers[name])
            for name, done in counts.host.items()
            if done.ticks
        },
        every,
    )


def homes(program: Program, run: Counted) -> dict[str, RunActivity]:
    """What ran where each population is computed. A later segment that reads what has stayed of it on the chip may be of
    fewer steps, as the head's is, and counts what arrives there alone."""
    return {
        name: run.everywhere[segment.name]
        for segment in program.segments
        if segment.name in run.everywhere
        for name in segment.network.populations
        if name not in segment.reads
    }


def _host(program: Program, gone: Sequence[str], ticks: int) -> tuple[Work, list[Work]]:
    """The work of the host's operations and of each of the populations that it computes, tick by tick."""
    from neurodeploy.ops import lookup
    from neurodeploy.ops.host.linear import population_work
    from neurodeploy.ops.host.operation import Load

    works = [lookup(op).work(Load(op, program.sizes, 1, 0, 1)) for op in program.operations]
    own = (ticks * sum(work.flops for work in works), ticks * sum(work.bytes for work in works))
    return own, [population_work(program.network, name, ticks, ticks) for name in gone]


def layers_of(program: Program) -> dict[str, int | None]:
    """The layer of each population: that of the model, or where it names none each population by itself."""
    every = program.network.populations.values()
    named = any(p.layer is not None for p in every)
    return {p.name: p.layer if named else number for number, p in enumerate(every)}


def agree(program: Program, run: Counted, mapping: Placement, system: SystemSpec) -> None:
    """Whether these belong together; UserError ND3102, ND3106, InternalError ND9031."""
    name = program.info.name
    if run.units <= 0 or (not any(run.ticks(segment) for segment in run.chip) and program.streamed):
        raise UserError("ND3102", name, "no token or time step was run, and energy is of one", "run at least one")
    if mapping.system != system.name or any(shard.chip >= system.chips for shard in mapping.shards):
        problem = (
            f"is mapped to {mapping.system} and its energy was asked of {system.name} with {some(system.chips, 'chip')}"
        )
        raise UserError("ND3106", name, problem, "map it to that system first")
    sizes = {p.name: p.size for p in program.network.populations.values()}
    living = {p.name for p in program.network.populations.values() if p.model != INPUT}
    placed = {shard.island for shard in mapping.shards}
    for other in (placed - living) | (placed & run.host.keys()) | (run.host.keys() - living):
        raise InternalError("ND9031", other, "is no population of the program, or was run on the host and has shards")
    known = {segment.name: segment for segment in program.segments}
    for segment, activity in run.everywhere.items():
        for other in known[segment].network.populations.keys() & living if run.ticks(segment) else ():
            if other not in placed and other not in run.host:
                raise InternalError("ND9031", other, "was run on the chip and is not in the mapping")
        for other, ports in activity.fired.items():
            if any(counts.shape != (sizes.get(other),) for counts in ports.values()):
                raise InternalError("ND9031", other, "counts are not those of its neurons")
        for other, _, bits in activity.raster or ():
            if bits.shape[0] * bits.shape[1] != activity.ticks or bits.shape[2] != -(-sizes.get(other, 0) // 8):
                raise InternalError("ND9031", other, "events are not those of its neurons in these steps")
