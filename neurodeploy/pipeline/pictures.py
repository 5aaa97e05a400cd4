"""Rasters and states of a report: what some neurons of every population did in the first steps of the first sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe, RunResult
from neurodeploy.neurons.arithmetic import ALIGN_BITS
from neurodeploy.neurons.registry import get_model, output_ports
from neurodeploy.pipeline.streams import probe_of, source_order

#: Neurons of a population in its raster, neurons of a trace, marks of a raster.
RASTER_NEURONS, TRACE_NEURONS, RASTER_MARKS = 96, 3, 40_000
#: Populations whose states are drawn where the user asks for none.
TRACED_POPULATIONS = 3
#: Steps that rasters and states show.
SHOWN_STEPS = 10_000


class Pictures:
    """What is drawn of a network: of every population a raster, and of the states `probes` (or those of the last
    populations) a trace of a few neurons each. ND3258 where there is no such state.

    probes : to record in the run of `beginning`.
    """

    def __init__(self, opened: Bundle, probes: Sequence[str]) -> None:
        self.opened, network = opened, opened.program.network
        self._watched = [_raster_probe(network, name) for name in network.populations]
        shown = {probe.name: probe for probe in self._watched}
        traced = [probe_of(text, network, TRACE_NEURONS) for text in probes] or _default_traces(network)
        self._traced = [shown.get(probe.name, probe) for probe in traced]
        self.probes = [*shown.values(), *(probe for probe in self._traced if probe.name not in shown)]

    def drawn(self, seen: RunResult) -> dict[str, list[dict[str, Any]]]:
        """Sections "rasters" and "traces" of a report."""
        populations = self.opened.program.network.populations
        return {
            "rasters": [_raster(self.opened, populations[p.population], p, seen) for p in self._watched],
            "traces": [
                row for p in self._traced for row in _traces(self.opened, populations[p.population], p, seen)
            ],
        }  # fmt: skip


def beginning(stream: Stream) -> Stream:
    """The first steps of the first sample: what rasters and states show."""
    steps = min(stream.steps, SHOWN_STEPS)
    return Stream({name: array[:1, :steps] for name, array in stream.inputs.items()}, steps, 1)


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


def _raster(opened: Bundle, population: Population, probe: Probe, seen: RunResult) -> dict[str, Any]:
    """Messages of the first sample; what exceeds `RASTER_MARKS` is counted, not drawn."""
    steps, rows = np.nonzero(seen.probes[probe.name][0])
    return {
        "population": probe.population, "size": population.size, "neurons": _labels(opened, population, probe),
        "length": seen.activity.steps,
        "steps": (steps[:RASTER_MARKS] + 1).tolist(), "rows": rows[:RASTER_MARKS].tolist(),
        "dropped": max(0, len(steps) - RASTER_MARKS),
    }  # fmt: skip


def _traces(opened: Bundle, population: Population, probe: Probe, seen: RunResult) -> list[dict[str, Any]]:
    values = seen.probes[probe.name][0]
    neurons = range(population.size) if probe.neurons is None else probe.neurons
    shown = zip(neurons, _labels(opened, population, probe)[:TRACE_NEURONS], strict=False)
    unit = _unit(opened, population, probe.variable)
    return [
        {
            "population": probe.population, "variable": probe.variable, "neuron": neuron,
            "values": values[:, i].tolist(), "thresholds": _thresholds(population, probe.variable, own), "unit": unit,
        }
        for i, (own, neuron) in enumerate(shown)
    ]  # fmt: skip


def _thresholds(population: Population, variable: str, neuron: int) -> list[int]:
    """What this state of a neuron must pass for a message, in its units."""
    rows = [row for row in get_model(population.model).thresholds if row.state == variable]
    every = [np.broadcast_to(np.asarray(population.params[row.param]), population.size) for row in rows]
    return [int(values[neuron]) << row.shift for values, row in zip(every, rows, strict=True)]


def _unit(opened: Bundle, population: Population, variable: str) -> float | None:
    """What 1 of a voltage is in the source, where conversion has recorded it and 0 is 0 there too."""
    rows: Any = opened.program.conversion.get("populations", ())
    for row in rows:
        if variable == "v" and row.get("name") == population.name and not any(row.get("shift", (1,))):
            mantissa, exponent = row["scale"]
            return float(1 / (2.0**ALIGN_BITS * mantissa * 2.0**exponent))
    return None
