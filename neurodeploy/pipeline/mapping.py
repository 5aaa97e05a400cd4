"""`map` and `explain`: which device runs what, on which cores, and why."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.bundle.files import check_place, write_aside
from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.flow import ranges
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.devices import seen_by_chip
from neurodeploy.ir.mapping import Mapping
from neurodeploy.pipeline.following import chips_of, follow
from neurodeploy.pipeline.session import KINDS, STREAM, Progress, read_mapping, refuse
from neurodeploy.pipeline.verbs import verb

if TYPE_CHECKING:
    from neurodeploy.ir.affinity import Affinity
    from neurodeploy.ir.program import Program
    from neurodeploy.ir.run import RunActivity
    from partitioner.options import Options, Pin


@verb
def map(
    bundle: AnyPath,
    system: str | Path = "kapoho-point",
    *,
    chip: str | Path | None = None,
    chips: int | None = None,
    offload: bool = True,
    plan: str | Path | None = None,
    write_plan: str | Path | None = None,
    pins: Sequence[str] | None = None,
    max_rows: int | None = None,
    caps: Table[str, int] | None = None,
    spread: bool = False,
    objective: str = "cores",
    seed: int = 0,
    time_limit: float | None = None,
    place: bool = True,
    work: str | Path | None = None,
    host: str = "cpu-generic",
    rates: Any = None,
    steps: int | None = None,
    layout: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Map a bundle to a system and store the mapping in it; the dictionary is what ``map --json`` prints.

    Parameters
    ----------
    system : a name, or a .toml or .json file of your own (docs/chips.md). chip : such a file of a chip that takes the place
        of the system's own. What the file says is kept in the mapping, so that the bundle can be opened without it.
    chips : use only so many chips of the system. Populations that do not fit them are left to the host, and the dictionary
        has their figures under "offload"; without `chips` a model that does not fit is an error.
    offload : False: an error with `chips` too.
    plan, write_plan : a table op -> device to follow, and where to write the one that was made
        (`partitioner.files.plan_table`).
    pins : hints such as ``"layers.0.attention=rows:64,chip:2"`` beside the table.
    max_rows, caps, spread, objective, seed, time_limit, place : see `partitioner.options.Options`.
    work : a folder where stages keep what they found; a call that was interrupted goes on from there.
    host : profile that prices what is left to the host.
    rates, steps, layout : what is run and counted first. Of a spiking network an input as `run` takes it: the messages of
        that run are kept short, not those of a step in which every neuron sends. Of a mixture of experts a text: experts
        that follow one another share a chip where they can; `eval` then says how far another text is from that.

    Raises
    ------
    DoesNotFit ND2001 and others : what the model needs and what would help. UserError ND2060 to ND2070 : the
    plan or a pin is wrong. ND2046, ND2047, ND3264 : an option that has no effect. Whatever is raised, an older
    mapping stays.
    """
    from partitioner.files.json_form import mapping_to_json
    from partitioner.judge.summary import summary
    from partitioner.options import Options
    from targets.hosts import get_host
    from targets.systems import get_system

    opened, target, profile = open_bundle(bundle), get_system(str(system), chip), get_host(host)
    if write_plan is not None:
        check_place(Path(write_plan))
    if progress:
        progress("map", 0, 1)
    options = Options(
        max_rows=max_rows, caps=dict(caps or {}), spread=spread, chips=chips, objective=objective, seed=seed,
        time_limit=time_limit, place=place, pins=_pins(opened, plan, pins, chips or target.chips),
    )  # fmt: skip
    activity, affinity, said = _counted(opened, {"rates": rates, "steps": steps, "layout": layout}, progress)
    options = replace(options, affinity=affinity)
    wall, cpu = time.perf_counter(), time.process_time()
    mapping, more = _mapped(
        opened.program, target, options, None if work is None else Path(work), profile, offload, activity
    )
    took = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu, "peak_bytes": peak_bytes()}
    placed = seen_by_chip(opened.program, mapping.assignments)
    told = {"widths": ranges.summary(opened.program.network), **more, **said}
    segments = by_segment(opened.program, mapping)[1]
    told |= {key: sum(row[key] for row in segments) for key in ("crossings_per_token", "steps_per_token")}
    found = {**summary(mapping, placed, target, rates=activity), **told}
    if found["metrics"]:
        found["metrics"]["mapper"].update(took)
    if affinity is not None:
        found["rates"]["between_chips"] = affinity.between(chips_of(mapping))
    if not found["violations"]:
        if write_plan is not None:
            write_aside(Path(write_plan), _table(opened, mapping, target, profile, options).encode())
            found["plan"] = str(write_plan)
        opened.write_mapping(mapping_to_json(mapping))
    if progress:
        progress("map", 1, 1)
    return found


def peak_bytes() -> int | None:
    """Largest resident memory of this process so far; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _pins(opened: Bundle, plan: str | Path | None, hints: Sequence[str] | None, chips: int) -> dict[str, Pin]:
    """Of the table and of the hints beside it, checked against the model."""
    from partitioner.files.plan_table import all_pins, parse_pin, pins_of_plan, read_plan

    if plan is None and not hints:
        return {}
    given = all_pins({} if plan is None else read_plan(plan), [parse_pin(text) for text in hints or ()])
    return pins_of_plan(opened.program, given, chips)


def _counted(
    opened: Bundle, asked: dict[str, Any], progress: Progress | None
) -> tuple[RunActivity | None, Affinity | None, dict[str, Any]]:
    """What a run of the data of `--rates` counted, of a network or of experts, and what is told of it."""
    from neurodeploy.pipeline.stepping import advance
    from neurodeploy.pipeline.streams import fed

    rates = asked.pop("rates")
    if not opened.program.streamed:
        refuse(KINDS[STREAM].several, asked)
        if rates is None:
            return None, None, {}
        affinity = follow(opened, rates, progress)
        return None, affinity, {"rates": {"text": Path(rates).name, "tokens": affinity.tokens}}
    if rates is None:
        for name in (name for name, value in asked.items() if value is not None):
            raise UserError("ND2046", f"--{name}", "says how --rates is read, which was not given", "leave it out")
        return None, None, {}
    stream, engine = fed(rates, opened, "fast", **asked)
    told = {"input": Path(rates).name, "steps": stream.steps, "samples": stream.samples, "notes": stream.notes}
    activity = advance(opened.program.network, engine, stream, progress=progress).activity
    return activity, None, {"rates": told, "open_questions": stream.questions}


def _mapped(
    program: Program,
    target: SystemSpec,
    options: Options,
    work: Path | None,
    host: HostSpec,
    offload: bool,
    rates: RunActivity | None,
) -> tuple[Mapping, dict[str, Any]]:
    """The mapping, and what was left to the host; where streams feed the program, only if nobody asked for it."""
    from partitioner.offload.mapping import map_offloaded, offer
    from targets.systems import SYSTEMS

    others = tuple(SYSTEMS.values())
    automatic = offload and options.chips is not None
    hosted = [name for name, pin in options.pins.items() if pin.device == "host"]
    if hosted and not offload:
        problem = f"is asked for, and the plan puts {hosted[0]} on the host"
        raise UserError("ND2069", "--no-offload", problem, "leave one of them out")
    try:
        mapping, figures = map_offloaded(
            program, target, options, host, automatic=automatic, alternatives=others, work=work, rates=rates
        )
    except DoesNotFit as error:
        if error.code != "ND2001" or automatic:
            raise
        fix = f"{error.fix}; or {offer(program, target, options, host)}"
        raise DoesNotFit(error.code, error.subject, error.problem, fix) from None
    return mapping, {} if program.streamed and not (figures and figures["unasked"]) else {"offload": figures}


def _table(opened: Bundle, mapping: Mapping, target: SystemSpec, host: HostSpec, options: Options) -> str:
    """The plan of a mapping as a table, with the hints that were in force."""
    from neurodeploy.ir.devices import population_paths
    from neurodeploy.ir.population import INPUT
    from partitioner.classify import group_of
    from partitioner.files.plan_table import write_plan
    from partitioner.offload.mapping import joules_of
    from partitioner.pins import pins_of

    program = opened.program
    names = {path: name for name, path in population_paths(program).items()}
    pins = {name: replace(pin, device=None) for name, pin in pins_of(program, options.pins).items()}
    groups = {name: group_of(p) for name, p in program.network.populations.items() if p.model != INPUT}
    return write_plan(mapping, names, groups, joules_of(program, target, mapping, host), pins)


@verb
def explain(bundle: AnyPath) -> list[dict[str, Any]]:
    """Every step of the program: device, rule, reason, bytes per token over the host border; of a population also its
    widths, each proven or calibrated and counted (`flow.ranges`). A segment's crossings of the border and its steps of the
    chip, each a token, stand with its first population on the chip, so that those of all add up."""
    from partitioner.judge.summary import explain as explain_mapping

    opened = open_bundle(bundle)
    mapping, _ = read_mapping(opened)
    found: dict[str, list[str]] = {}
    for width in ranges.widths(opened.program.network):
        found.setdefault(width.population, []).append(str(width))
    segments = dict(zip(*by_segment(opened.program, mapping), strict=True))
    none = {"crossings_per_token": 0.0, "steps_per_token": 0.0}
    rows = ((row["path"].removeprefix("populations."), row) for row in explain_mapping(mapping))
    return [{**row, **segments.get(name, none), "widths": found.get(name, [])} for name, row in rows]


def by_segment(program: Program, mapping: Mapping) -> tuple[list[str], list[dict[str, float]]]:
    """The first population of every segment on the chip, and what the segment crosses and takes, a token or step."""
    from neurodeploy.accounting.steps import steps_of
    from partitioner.classify import passages

    found = list(passages(program, mapping.assignments))
    rows = [
        {"crossings_per_token": float(p.crossings), "steps_per_token": float(p.share * steps_of(p.segment, mapping))}
        for p in found
    ]
    return [p.first for p in found], rows
