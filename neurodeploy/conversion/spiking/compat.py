"""`quantize_as_published`: the integers of the published bridge from NIR to Lava, truncations, omissions and all.

Source: neuromorphs/NIR `paper/nir_to_lava.py` (the NIR paper, Pedersen et al. 2024, Nat. Commun. 15:8122). It has two
ways, and so has this module; what the bridge refuses is refused here too (ND1245).

Networks of `LIF` go to Lava's processes, and here to the same bits::

    dv = int(dt / tau 4095)    du = 4095    vth = int(v_threshold 131071) >> 9    weights = int(256 W), then Lava's own cut

R, v_leak and v_reset are not looked at. An Affine becomes `Dense(int(256 W))`, a LIF becomes `Dense(int(256 dt / tau))` and
a LIF process of one neuron. The second `Dense` takes any non-zero number as one spike: a population that passes sums on
(`graded_vec` with a threshold of 0) stands between the two here.

Networks of `CubaLIF` and `IF` go to lava-dl's slayer, which trains with real weights: model `cuba`, decays round(4096 dt /
tau), thresholds int(64 v_threshold) (`IF`: int(4096 R v_threshold)). slayer cuts each sum of real weights to an integer,
here each weight is rounded once, on a grid 64 times finer for `CubaLIF`: close to slayer, not equal to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking import losses
from neurodeploy.conversion.spiking.links import Link, Path, arriving, later, links, paths_into
from neurodeploy.conversion.spiking.report import (
    OutputReport,
    PopulationReport,
    ProjectionReport,
    QuantizationReport,
    Worst,
    assembled,
    weights_line,
    worst,
)
from neurodeploy.conversion.spiking.rounding import synapses_of
from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.float_network import FloatNetwork, FloatNode, Floats, Loss, Note, chip_order, chip_shape
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.synapses import Direct, build
from neurodeploy.synapses.weights import lava_weights

#: The scale that both conversions of the Lava way amount to: W * 256 and thr * 131071 / 512.
LAVA_SCALE = 256
#: Scales of slayer's neurons in the bridge, and what is added to the resolution of weights here.
SLAYER_SCALE = {"cubalif": (64, 64), "if": (4096, 1)}


def quantize_as_published(network: FloatNetwork) -> tuple[Network, QuantizationReport]:
    """Convert as the bridge does. Raises ND1245 where the bridge stops or gives nonsense, ND1241, ND1244."""
    network.check()
    kinds = {node.kind for node in network.nodes.values() if node.role == "neuron"}
    if kinds == {"lif"}:
        return _Lava(network).run()
    if kinds and kinds <= set(SLAYER_SCALE):
        return _Slayer(network).run()
    problem = f"has neurons of the kinds {', '.join(sorted(kinds)) or 'none'}; the bridge takes lif, or cubalif and if"
    raise _refused(network.name, problem)


def _refused(where: str, problem: str) -> UserError:
    return UserError("ND1245", where, f"{problem} (published bridge)", "convert without the rules of the bridge")


#: What would help where the bridge loses something.
CUT = "the bridge cuts it off; convert without its rules"


@dataclass(slots=True, eq=False)
class _Bridge:
    network: FloatNetwork
    populations: dict[str, Population] = field(default_factory=dict)
    projections: list[Projection] = field(default_factory=list)
    lines: list[ProjectionReport] = field(default_factory=list)
    reports: list[PopulationReport] = field(default_factory=list)
    latency: dict[str, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def inputs(self) -> None:
        for name in self.network.inputs:
            self.populations[name] = Population(name, chip_shape(self.network.nodes[name].shape), INPUT)
            self.latency[name] = 0

    def finish(self) -> tuple[Network, QuantizationReport]:
        network = self.network
        outputs = {}
        for name in network.outputs:
            paths = paths_into(network, network.nodes[name])
            if len(paths) != 1 or paths[0].source.role != "neuron" or paths[0].nodes:
                raise _refused(name, "is an output that is not one neuron's own spikes")
            source = paths[0].source
            outputs[name] = OutputReport(name, source.name, self.latency[source.name], chip_order(source.shape))
        units = dict.fromkeys(network.inputs, 1.0)
        said = {"rules": "as the published bridge from NIR to Lava"}
        return assembled(
            network, self.populations, self.projections, units, outputs, self.reports, self.lines, self.notes, said
        )

    def add(self, made: Projection, exact: Floats, got: NDArray[np.int64], steps: int = 0, late: int = 0) -> None:
        """A projection and its line of the report; `exact`: what its weights `got` should be."""
        if exact.any() and not got.any():
            found = f"loses every weight: they are at most {np.abs(exact).max():.3g} in integers"
            self.notes.append(Loss(made.name, found, CUT))
        self.projections.append(made)
        self.lines.append(weights_line(made, exact, got, delay=(steps, steps), late=late))

    def _errors(self, name: str, wanted: Mapping[str, tuple[float, float]]) -> dict[str, Worst]:
        """Of (what a parameter should be, what it is); one that is gone is told."""
        for key, (want, got) in wanted.items():
            if want and not got:
                found = f"loses its {key}: {want:.3g} in integers"
                self.notes.append(Loss(name, found, CUT))
        return {key: worst(np.array([want]), np.array([float(got)])) for key, (want, got) in wanted.items()}


class _Lava(_Bridge):
    """LIF processes behind two `Dense`."""

    def run(self) -> tuple[Network, QuantizationReport]:
        self.inputs()
        for node, paths, _ in arriving(self.network):
            if node.role == "neuron":
                self._neuron(node, paths)
        return self.finish()

    def _neuron(self, node: FloatNode, paths: list[Path]) -> None:
        if node.size != 1:
            raise _refused(node.name, f"has {node.size} neurons where Lava's process gets the shape (1,)")
        p = {key: float(value.reshape(-1)[0]) for key, value in node.params.items()}
        share = self.network.dt / p["tau"]
        values = {"dv": int(share * 4095), "du": 4095, "vth": int(p["v_threshold"] * 131_071) >> 9}
        self.populations[node.name] = Population(node.name, chip_shape(node.shape), "lif", values)
        ignored = {key: p[key] for key, plain in (("r", 1.0), ("v_leak", 0.0), ("v_reset", 0.0)) if p[key] != plain}
        for key, value in ignored.items():
            self.notes.append(Note(node.name, f"{key} = {value:.6g}", "ignored, as the bridge does"))
        wanted = {
            "decay of v": (share * 4096, values["dv"]),
            "threshold": (p["v_threshold"] * LAVA_SCALE, values["vth"]),
        }
        errors = self._errors(node.name, wanted)
        scale = Dyadic.nearest(float(LAVA_SCALE))
        self.reports.append(PopulationReport(node.name, "lif", 1, scale, (0.0, 0.0), errors, {}, None))
        relay = f"{node.name}.sum"
        self.populations[relay] = Population(relay, (1,), "graded_vec", {"vth": 0})
        reached = [self._synapse(path, relay) for path in paths]
        self.latency[node.name] = 1 + max(reached, default=0)
        weight, mode = lava_weights(np.array([[int(share * LAVA_SCALE)]]))
        one = Projection(f"{relay}->{node.name}", relay, node.name, build.dense(weight), sign_mode=mode)
        self.add(one, np.array([p["r"] * share * LAVA_SCALE]), weight.astype(np.int64))

    def _synapse(self, path: Path, relay: str) -> int:
        """One way into the sum before a neuron; returns the steps to it."""
        source, name = path.source.name, f"{path.source.name}->{relay}"
        if name in {one.name for one in self.projections}:
            raise _refused(path.target.name, f"is reached from {source} on two ways")
        early = 0 if path.recurrent else self.latency[source]
        if not path.nodes:
            self.add(Projection(name, source, relay, Direct(1)), np.zeros(0), np.zeros(0, np.int64))
            return early
        if len(path.nodes) > 1 or path.nodes[0].kind != "affine":
            raise _refused(
                path.target.name, f"is reached through {', '.join(node.kind for node in path.nodes)}, not one affine"
            )
        params = path.nodes[0].params
        if not np.allclose(params["bias"], 0.0):
            raise _refused(path.nodes[0].name, "has a bias that is not 0")
        cut = (params["weight"] * LAVA_SCALE).astype(np.int32)
        weight, mode = lava_weights(cut)
        made = build.dense(weight[:, chip_order(path.source.shape)])
        one = Projection(name, source, relay, made, sign_mode=mode)
        self.add(one, params["weight"] * LAVA_SCALE, weight.astype(np.int64))
        return early + 1


class _Slayer(_Bridge):
    """slayer's CUBA neurons."""

    def run(self) -> tuple[Network, QuantizationReport]:
        network = self.network
        waiting, taken = list[tuple[FloatNode, list[Path]]](), set[str]()
        self.inputs()
        for node, paths, silent in arriving(network):
            if node.role == "neuron":
                self.latency[node.name] = later(paths, self.latency)
                self._neuron(node, silent)
                waiting.append((node, paths))
        for node, paths in waiting:
            scale, finer = SLAYER_SCALE[node.kind]
            for link in links(paths, self._gain(node), network.dt, self.latency, taken):
                self._link(link, node, scale * finer)
        return self.finish()

    def _gain(self, node: FloatNode) -> Floats:
        if node.kind == "if":
            return np.ones(node.size)
        gain: Floats = (node.params["w_in"] * self.network.dt / node.params["tau_syn"]).reshape(-1)
        return gain

    def _neuron(self, node: FloatNode, silent: Floats) -> None:
        p, dt = {key: value.reshape(-1) for key, value in node.params.items()}, self.network.dt
        uniform = ("r", "v_threshold") if node.kind == "if" else ("tau_syn", "tau_mem", "v_threshold")
        for key in uniform:
            if np.unique(p[key]).size != 1:
                raise _refused(node.name, f"has different values of {key}")
        scale, finer = SLAYER_SCALE[node.kind]
        if node.kind == "if":
            du, dv, top = 4096.0, 0.0, float(p["v_threshold"][0] * p["r"][0])
        else:
            if not np.allclose(p["v_leak"], 0) or not np.allclose(p["r"], p["tau_mem"] / dt):
                raise _refused(node.name, "has a v_leak that is not 0 or an R that is not tau_mem / dt")
            du, dv, top = (
                4096 * dt / float(p["tau_syn"][0]),
                4096 * dt / float(p["tau_mem"][0]),
                float(p["v_threshold"][0]),
            )
        vth = int(top * scale) * finer
        if not 0 <= vth <= 2**17:
            raise _refused(node.name, f"has a threshold of {top:.6g}, beyond 17 bits at its scale")
        unit = 64 * scale * finer
        constant = self._gain(node) * silent / (du / 4096) * unit
        values: dict[str, int | NDArray[np.int64]] = {"du": round(du), "dv": round(dv), "vth": vth}
        initial: dict[str, int | NDArray[np.int64]] = {}
        order = chip_order(node.shape)
        if constant.any():
            exponent = max(0, int(np.ceil(np.log2(np.abs(constant).max() / 2**15 + 1e-300))) + 1)
            if exponent > 15:
                raise _refused(node.name, "has a bias beyond 30 bits at its scale")
            values |= {"bias_mant": np.rint(constant / 2**exponent).astype(np.int64)[order], "bias_exp": exponent}
            if du < 4096:  # slayer adds a bias to the current: behind the filter it only rises to this value
                initial["u"] = -np.rint(constant).astype(np.int64)[order]
        self.populations[node.name] = Population(node.name, chip_shape(node.shape), "cuba", values, initial)
        wanted: Mapping[str, tuple[float, float]] = {
            "decay of u": (du, round(du)),
            "decay of v": (dv, round(dv)),
            "threshold": (top * scale * finer, vth),
        }
        errors = self._errors(node.name, wanted)
        nominal = Dyadic.nearest(float(scale * finer))
        self.reports.append(PopulationReport(node.name, "cuba", node.size, nominal, (0.0, 0.0), errors, {}, None))

    def _link(self, link: Link, node: FloatNode, scale: int) -> None:
        if link.lag or link.operator.lag is not None:
            raise _refused(link.name, "has a delay")
        exact = link.operator.values * scale
        rounded = np.rint(exact).astype(np.int64)
        if rounded.size and int(np.abs(rounded).max()) >= 2**31:
            raise _refused(link.name, "has weights beyond 32 bits at the scale of the bridge")
        self.notes += losses.of_projection(link, exact.reshape(-1), rounded.reshape(-1).astype(np.float64))
        steps = max(link.extra, 0)
        synapse, delays = synapses_of(link.operator, rounded, self.network.nodes[link.source], node, steps)
        mode = "mixed" if exact.size and exact.min() < 0 < exact.max() else "excitatory"
        mode = "inhibitory" if exact.size and exact.max() <= 0 and exact.min() < 0 else mode
        one = Projection(link.name, link.source, link.target, synapse, delay=delays, weight_bits=32, sign_mode=mode)
        self.add(one, exact, rounded, steps, steps - link.extra)
