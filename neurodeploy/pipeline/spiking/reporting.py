"""`report` of a spiking network: a run with rasters and states, its counts, its mapping and its energy on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.files import check_place
from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.network import INPUT, Network, Population
from neurodeploy.ir.network_run import NetworkResult, Probe, Runner
from neurodeploy.neurons.registry import get_model, output_ports
from neurodeploy.pipeline.session import Progress, read_mapping
from neurodeploy.pipeline.spiking.converting import synapses
from neurodeploy.pipeline.spiking.evaluating import compare, float_network, has_float, longest_latency, run_float
from neurodeploy.pipeline.spiking.opening import (
    lengthened,
    open_network,
    probe_of,
    runner_for,
    source_order,
    stream_of,
)
from neurodeploy.pipeline.spiking.pricing import price
from neurodeploy.pipeline.spiking.running import advance, population_counts, projection_counts
from neurodeploy.version import __version__

#: Neurons of a population in its raster, neurons of a trace, marks of a raster.
RASTER_NEURONS, TRACE_NEURONS, RASTER_MARKS = 96, 3, 40_000
#: Populations whose states are drawn where the user asks for none.
TRACED_POPULATIONS = 3
#: Steps that rasters and states show.
SHOWN_STEPS = 10_000


def report_network(
    bundle: str | Path,
    input: str | Path,
    out: str | Path,
    *,
    steps: int | None = None,
    layout: str | None = None,
    probes: Sequence[str] = (),
    host: str = "cpu-generic",
    measure_host: bool = False,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write ``out`` (HTML) and its JSON and CSV files; returns their paths and the data.

    `layout` is that of `run_network`. `probes` are the states to draw ("POPULATION.VARIABLE"), three neurons each; by
    default those of the last populations.
    Rasters and states show the first sample. All else is of all samples.
    """
    from neurodeploy.reporting.network.files import render_network

    out = Path(out)
    check_place(out, "report.html", parents=True)
    opened, network = open_network(bundle)
    watched = [_raster_probe(network, name) for name in network.populations]
    shown = {probe.name: probe for probe in watched}
    traced = [probe_of(text, network, TRACE_NEURONS) for text in probes] or _default_traces(network)
    traced = [shown.get(probe.name, probe) for probe in traced]
    stream = stream_of(input, opened, network, steps, layout)
    engine = runner_for(runner, opened, network, stream.steps, stream.samples)
    result = advance(network, engine, stream, progress=progress)
    seen = advance(
        network, engine, _beginning(stream), None, [*shown.values(), *(t for t in traced if t.name not in shown)]
    )
    data = {
        "network": about(opened, network),
        "run": {
            "input": Path(input).name, "runner": runner, "steps": stream.steps, "samples": stream.samples,
            "saturations": sum(result.activity.saturated.values()), "wraps": sum(result.activity.wrapped.values()),
            "notes": [*stream.questions, *stream.notes],
        },
        **_mapped(opened, network, result, host, measure_host),
        "populations": population_counts(network, result.activity),
        "projections": projection_counts(network, result.activity),
        "rasters": [_raster(opened, network.populations[probe.population], probe, seen) for probe in watched],
        "traces": [
            trace for probe in traced for trace in _traces(opened, network.populations[probe.population], probe, seen)
        ],
        "comparison": _comparison(opened, network, engine, stream, result),
        "conversion": _conversion(opened),
        "provenance": {
            "tool_version": __version__, "created": None, "seed": None, "bundle": opened.path.name,
            "hashes": {"program.json": opened.digest},
        },
    }  # fmt: skip
    paths = render_network(data, out)
    return {"paths": [str(path) for path in paths], "data": data}


def _beginning(stream: Stream) -> Stream:
    """The first steps of the first sample: what rasters and states show."""
    steps = min(stream.steps, SHOWN_STEPS)
    return Stream({name: array[:1, :steps] for name, array in stream.inputs.items()}, steps, 1)


def _comparison(
    opened: Bundle, network: Network, engine: Runner, stream: Stream, result: NetworkResult
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
    return compare(opened, real, run_float(opened, real, stream), result)


def about(opened: Bundle, network: Network) -> dict[str, Any]:
    info = opened.program.info
    return {
        "name": network.name, "family": info.family, "source": info.source, "licence": info.licence,
        "neurons": network.neurons, "synapses": synapses(network),
        "dt_s": None if network.dt is None else network.dt.value, "outputs": list(network.outputs),
    }  # fmt: skip


def _raster_probe(network: Network, name: str) -> Probe:
    population = network.populations[name]
    return probe_of(f"{name}.{output_ports(population)[0]}", network, RASTER_NEURONS)


def _default_traces(network: Network) -> list[Probe]:
    """The last state variable (the voltage, where there is one) of the last populations."""
    live = [name for name, p in network.populations.items() if p.model != INPUT and get_model(p.model).state]
    chosen = live[-TRACED_POPULATIONS:]
    return [
        probe_of(f"{name}.{list(get_model(network.populations[name].model).state)[-1]}", network, TRACE_NEURONS)
        for name in chosen
    ]


def _labels(opened: Bundle, population: Population, probe: Probe) -> list[int]:
    """The probed neurons by their index in the source."""
    order = source_order(opened, population)
    chosen = np.arange(population.size) if probe.neurons is None else np.asarray(probe.neurons)
    found: list[int] = (chosen if order is None else np.argsort(order)[chosen]).tolist()
    return found


def _raster(opened: Bundle, population: Population, probe: Probe, seen: NetworkResult) -> dict[str, Any]:
    """Messages of the first sample; what exceeds `RASTER_MARKS` is counted, not drawn."""
    steps, rows = np.nonzero(seen.probes[probe.name][0])
    return {
        "population": probe.population, "size": population.size, "neurons": _labels(opened, population, probe),
        "first_step": 1, "length": seen.activity.steps,
        "steps": (steps[:RASTER_MARKS] + 1).tolist(), "rows": rows[:RASTER_MARKS].tolist(),
        "dropped": max(0, len(steps) - RASTER_MARKS),
    }  # fmt: skip


def _traces(opened: Bundle, population: Population, probe: Probe, seen: NetworkResult) -> list[dict[str, Any]]:
    values = seen.probes[probe.name][0]
    return [
        {
            "population": probe.population, "variable": probe.variable, "neuron": neuron, "first_step": 1,
            "values": values[:, i].tolist(),
        }
        for i, neuron in enumerate(_labels(opened, population, probe)[:TRACE_NEURONS])
    ]  # fmt: skip


def _mapped(opened: Bundle, network: Network, result: NetworkResult, host: str, measure_host: bool) -> dict[str, Any]:
    """Map, energy and NeuroBench metrics; None for those that need a mapping where there is none."""
    from neurodeploy.accounting.neurobench import metrics

    bench = {name: value for name, value in _flat(metrics(network, result.activity)) if not isinstance(value, str)}
    try:
        mapping, system = read_mapping(opened)
    except UserError as error:
        if error.code != "ND2005":
            raise
        return {"map": None, "energy": None, "neurobench": bench}
    from neurodeploy.pipeline.reporting import map_section

    priced = price(network, mapping, system, result.activity, host, measure_host, "used")
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
