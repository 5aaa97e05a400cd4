"""The data of a spiking network's report: a run with its counts, its mapping, its energy, and float against integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.accounting.neurobench import metrics
from neurodeploy.bundle import Bundle
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.chip import HostSpec
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Runner, RunResult
from neurodeploy.pipeline.comparing import compare, float_network, has_float, longest_latency, outputs_of, run_float
from neurodeploy.pipeline.counts import population_counts, projection_counts, synapses
from neurodeploy.pipeline.map_section import map_section
from neurodeploy.pipeline.pictures import Pictures, beginning
from neurodeploy.pipeline.pricing import price
from neurodeploy.pipeline.session import Progress, provenance, read_mapping
from neurodeploy.pipeline.stepping import advance
from neurodeploy.pipeline.streams import lengthened, runner_for, stream_of


def of_stream(
    opened: Bundle, input: str | Path, profile: HostSpec, *, runner: str, progress: Progress | None,
    steps: int | None = None, layout: str | None = None, probes: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """See `report`."""
    network = opened.program.network
    pictures = Pictures(opened, network, probes)
    stream = stream_of(input, opened, network, steps, layout)
    engine = runner_for(runner, opened, network, stream.steps, stream.samples)
    result = advance(network, engine, stream, progress=progress)
    seen = advance(network, engine, beginning(stream), None, pictures.probes)
    return {
        "network": about(opened, network),
        "run": {
            "input": Path(input).name, "runner": runner, "steps": stream.steps, "samples": stream.samples,
            "saturations": sum(result.activity.saturated.values()), "wraps": sum(result.activity.wrapped.values()),
            "notes": [*stream.questions, *stream.notes],
        },
        **_mapped(opened, result, profile),
        "populations": population_counts(network, result.activity),
        "projections": projection_counts(network, result.activity),
        **pictures.drawn(seen),
        "comparison": _comparison(opened, network, engine, stream, result),
        "conversion": _conversion(opened),
        "provenance": provenance(opened, None),
    }  # fmt: skip


def _comparison(
    opened: Bundle, network: Network, engine: Runner, stream: Stream, result: RunResult
) -> list[dict[str, Any]] | None:
    """Float against integers, which run on for their latency; counts and energy are those of the input's steps alone."""
    if not has_float(opened):
        return None
    late = lengthened(stream, longest_latency(opened))
    if late.steps > stream.steps:
        tail = advance(network, engine, late, result.state)
        outputs = {name: np.concatenate([a, tail.outputs[name]], axis=1) for name, a in result.outputs.items()}
        result = replace(result, outputs=outputs)
    real = float_network(opened)
    return compare(outputs_of(opened, real), run_float(opened, real, stream), result, "float")


def about(opened: Bundle, network: Network) -> dict[str, Any]:
    info = opened.program.info
    return {
        "name": network.name, "family": info.family, "source": info.source, "licence": info.licence,
        "neurons": network.neurons, "synapses": synapses(network),
        "dt_s": None if network.dt is None else network.dt.value, "outputs": list(network.outputs),
    }  # fmt: skip


def _mapped(opened: Bundle, result: RunResult, profile: HostSpec) -> dict[str, Any]:
    """Map, energy and NeuroBench metrics; None for those that need a mapping where there is none."""
    bench = {
        name: value
        for name, value in _flat(metrics(opened.program, result.activity))
        if not isinstance(value, str | bool)
    }
    if not opened.is_mapped:
        return {"map": None, "energy": None, "neurobench": bench}
    mapping, system = read_mapping(opened)
    priced = price(opened.program, mapping, system, {"sample": result.activity}, profile)
    keys = ("device", "component", "event", "boundary", "count", "basis", "source", "unit_cost", "joules")
    entries = [{key: entry[key] for key in keys} for entry in priced["step"]["entries"]]
    return {
        "map": map_section(opened.program, mapping, system, result.activity),
        "energy": {
            **{unit: {key: priced[unit][key] for key in ("joules", "seconds")} for unit in ("step", "sample")},
            "bound_by": priced["bound_by"], "entries": entries,
            "assumptions": priced["assumptions"], "not_modelled": priced["not_modelled"],
        },
        "neurobench": bench,
    }  # fmt: skip


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested metrics under dotted names."""
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return found


def _conversion(opened: Bundle) -> dict[str, Any]:
    found: Mapping[str, Any] = opened.program.conversion
    warnings = [line for key in ("open_questions", "losses", "warnings") for line in found.get(key, [])]
    return {"warnings": warnings, "errors": list(found.get("errors", []))}
