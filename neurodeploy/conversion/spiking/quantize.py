"""`quantize`: a `FloatNetwork` as a `Network` of the chip's integers, and a report of what that changed.

Each neuron or input becomes a population, each chain of linear nodes between two of them a projection. A scale s for each
population (`scales`) makes its integers::

    dv = round(4096 rate_v)     du = round(4096 rate_u) - 1     vth = round(s threshold)     bias = round(64 s bias)
    weights = round(s gain W / 2**weight_exp), even where signs are mixed

(without any leak, voltages are sums of whole weights, and vth is rounded down: ``v > x`` is ``v > floor(x)`` then; weights
that are multiples of one number get a scale that makes them and vth whole without rounding, where there is one)

with rates, gains, thresholds and biases of `membranes`. In steps: a synapse takes one, so population P follows the float
network by ``latency(P)`` steps, the number of synapses on the longest way to it; shorter ways get a delay. A loop through
several populations takes a step for each, one in the float network: what cannot be made up for is reported as `late`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.conversion.spiking import losses
from neurodeploy.conversion.spiking.links import Link, Path, arriving, later, links
from neurodeploy.conversion.spiking.membranes import Membrane, membrane, rates
from neurodeploy.conversion.spiking.operators import Tick
from neurodeploy.conversion.spiking.options import MARGIN, QuantizeOptions
from neurodeploy.conversion.spiking.report import (
    OutputReport,
    PopulationReport,
    ProjectionReport,
    QuantizationReport,
    assembled,
)
from neurodeploy.conversion.spiking.rounding import population, projection
from neurodeploy.conversion.spiking.scales import ALIGN, SCALE_BITS, STATE_MAX, Bounds, choose, on_grid, span
from neurodeploy.conversion.spiking.starts import reach
from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.float_network import FloatNetwork, Floats, Note, chip_order, chip_shape
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population


def quantize(
    network: FloatNetwork, options: QuantizeOptions | None = None, tick: Tick | None = None
) -> tuple[Network, QuantizationReport]:
    """Convert; `tick` is told how many of all columns are known where long chains of linear nodes are joined. Raises
    ND1240..ND1246 and ND1274, each naming the node or projection."""
    options = options or QuantizeOptions()
    options.check(network)
    network.check()
    return _Conversion(network, options, tick).run()


@dataclass(slots=True, eq=False)
class _Conversion:
    network: FloatNetwork
    options: QuantizeOptions
    tick: Tick | None = None
    notes: list[Note] = field(default_factory=list)
    paths: dict[str, list[Path]] = field(default_factory=dict)
    latency: dict[str, int] = field(default_factory=dict)
    membranes: dict[str, Membrane] = field(default_factory=dict)
    links: dict[str, list[Link]] = field(default_factory=dict)
    scales: dict[str, Dyadic] = field(default_factory=dict)
    bounds: dict[str, float | None] = field(default_factory=dict)

    def run(self) -> tuple[Network, QuantizationReport]:
        network, options = self.network, self.options
        direct = self._prepare()
        for name in self.membranes:
            self._scale(name)
        shapes = {name: chip_shape(network.nodes[name].shape) for name in network.inputs}
        populations = {name: Population(name, shape, INPUT) for name, shape in shapes.items()}
        reports, projections, link_reports = [], list[Projection](), []
        for name, m in self.membranes.items():
            made, report = population(m, self.scales[name], self.latency[name], self.bounds[name], self.notes)
            populations[name] = made
            reports.append(report)
        for name, found in self.links.items():
            for link in found:
                factor = self.scales[name].value * self._payload(link.source)
                nodes = network.nodes[link.source], network.nodes[name]
                one, line = projection(link, *nodes, factor, self._graded(link.source), options.weight_bits, self.notes)
                projections.append(one)
                link_reports.append(line)
            self._refuse_silence(name, found, projections[len(projections) - len(found) :])
        outputs = {name: self._output(name, direct) for name in network.outputs}
        units = {name: self._payload(name) for name in network.inputs}
        self._tell(link_reports, reports)
        said = {
            "scales": {name: [s.mantissa, s.exponent] for name, s in self.scales.items()},
            "latency": {name: output.latency for name, output in outputs.items()},
        }
        return assembled(network, populations, projections, units, outputs, reports, link_reports, self.notes, said)

    def _prepare(self) -> dict[str, str]:
        """Paths, latencies, membranes and links; returns outputs that are a population's own spikes."""
        network, rate = self.network, rates(self.options.scheme, self.network.dt)
        direct, taken = dict[str, str](), set[str]()
        self.latency |= dict.fromkeys(network.inputs, 0)
        for name in network.order():
            if network.nodes[name].kind == "delay":
                self.notes += losses.of_delays(network.nodes[name], network.dt)
        for node, paths, silent in arriving(network):
            name = node.name
            if node.kind == "output":
                source = _passed_on(paths)
                if source:
                    direct[name], self.latency[name] = source, self.latency[source]
                    continue
                if not paths:
                    fix = "remove the output, or lead a neuron into it"
                    raise UserError("ND1246", name, "is an output that no input and no neuron reaches", fix)
            self.paths[name] = paths
            self.latency[name] = later(paths, self.latency)
            self.membranes[name] = membrane(node, silent, rate, network.dt)
        for name, paths in self.paths.items():
            self.links[name] = links(paths, self.membranes[name].gain, network.dt, self.latency, taken, self.tick)
        return direct

    def _scale(self, name: str) -> None:
        m, bits = self.membranes[name], self.options.weight_bits
        waiting = {source for source, other in self.membranes.items() if other.graded and source not in self.scales}
        known = [link for link in self.links[name] if link.source not in waiting]
        values = [link.operator.values * self._payload(link.source) for link in known]
        spans = [(span(one, bits), self._graded(link.source)) for one, link in zip(values, known, strict=True)]
        current, voltage = self._current(m, name), self._voltage(m, name)
        if voltage is None and current is not None and bool((m.rate_v > 0).all()):
            voltage = (current + np.abs(m.bias)) / m.rate_v
        start = reach(m, self.latency[name]) if m.model != "threshold" else 0.0
        bounds = Bounds(current, voltage, name in (self.options.peaks or {}), start)
        given = self.options.scales.get(name)
        read = any(link.source == name for found in self.links.values() for link in found)
        scale = Dyadic.nearest(given, SCALE_BITS) if given is not None else choose(m, spans, bounds, read)
        if given is None and len(known) == len(self.links[name]):
            scale = on_grid(m, scale, values, bits)
        self.scales[name] = scale
        self.bounds[name] = None
        if current is not None:
            self.bounds[name] = float(np.abs(current).max()) * scale.value * ALIGN / STATE_MAX

    def _refuse_silence(self, name: str, found: list[Link], made: list[Projection]) -> None:
        """ND1274 where no weight into a population is left."""
        if any(link.operator.values.any() for link in found) and not any(p.synapse.weight.any() for p in made):
            problem = "loses every weight of its inputs: all are below half a step of what its other parameters allow"
            fix = "check the time step, R and time constants, and a threshold, bias or weight that is out of scale"
            raise UserError("ND1274", name, problem, fix)

    def _current(self, m: Membrane, name: str) -> Floats | None:
        """(size,) the largest magnitude of u in volts: seen (`peaks`), or proven for inputs that are spikes."""
        peaks = (self.options.peaks or {}).get(name)
        if peaks is not None:
            if m.node.kind in ("cubali", "cubalif"):
                unit = m.gain / (m.rate_u * m.node.params["w_in"].reshape(-1))
                seen = np.abs(unit) * (peaks["c"] + np.abs(m.u0 / np.where(unit, unit, 1)))
            else:
                seen = np.abs(m.gain) * peaks["in"]
            return seen * MARGIN
        total = np.zeros((2, m.node.size))
        for link in self.links[name]:
            if self._graded(link.source):
                return None
            total += np.stack(link.operator.row_sums())
        bound: Floats = np.abs(total).max(axis=0) / m.rate_u + np.abs(m.u0)
        return bound

    def _voltage(self, m: Membrane, name: str) -> Floats | None:
        peaks = (self.options.peaks or {}).get(name)
        if peaks is None or m.model == "threshold":
            return None
        return (peaks["v"] + np.abs(m.shift)) * MARGIN

    def _graded(self, name: str) -> bool:
        return name in self.options.graded_inputs or (name in self.membranes and self.membranes[name].graded)

    def _payload(self, name: str) -> float:
        """The value that a payload of 1 stands for."""
        if name in self.membranes:
            return 1.0 / (ALIGN * self.scales[name].value) if self.membranes[name].graded else 1.0
        return self.options.graded_inputs.get(name, 1.0)

    def _output(self, name: str, direct: Mapping[str, str]) -> OutputReport:
        source = direct.get(name, name)
        order = chip_order(self.network.nodes[source].shape)
        return OutputReport(name, source, self.latency[name], order, self._payload(source), self._graded(source))

    def _tell(self, projections: list[ProjectionReport], populations: list[PopulationReport]) -> None:
        """What a user should know without reading every line."""
        for line in projections:
            if line.late:
                found = f"takes {line.late:+d} steps against the float network"
                self.notes.append(Note(line.name, found, "no delay can make up for it: timing in this loop differs"))
            if line.clipped:
                self.notes.append(Note(line.name, f"has {line.clipped} weights beyond its bits", "clipped"))
        for row in populations:
            for key, count in row.saturated.items():
                self.notes.append(Note(row.name, f"{key} of {count} neurons is beyond its register", "clipped"))
            if row.u_bound is not None and row.u_bound > 1:
                found = f"could get currents of {row.u_bound:.3g} times what 24 bits hold if all inputs fired at once"
                self.notes.append(Note(row.name, found, "such a current wraps; it would be counted in the run"))
            elif row.u_bound is None and row.model != "threshold":
                self.notes.append(Note(row.name, "has graded inputs of unknown size", "give peaks to bound currents"))


def _passed_on(paths: list[Path]) -> str:
    """The neuron whose output is an output of the network as it is, "" where there is none."""
    if len(paths) != 1 or paths[0].source.role != "neuron" or paths[0].recurrent:
        return ""
    return paths[0].source.name if all(node.kind == "flatten" for node in paths[0].nodes) else ""
