"""`to_float`: a `Network` of integers as a `FloatNetwork`, for export to NIR, where its neurons have a counterpart there.

Integers become real numbers with a time step dt and, for each population, a scale s (1/64 voltage units for a voltage of
1; a threshold of 1 where none was recorded)::

    tau = 4096 dt / dv     tau_syn = 4096 dt / (du + 1)     R, w_in: unit gain     v_threshold = vth / s
    weights / s * 2**weight_exp     delays * dt     bias / (64 s): the bias of an Affine before it, or v_leak behind a filter

A direct connection from an input, alone on its way to a population, is a node that scales by 1 / s.

The result has no latency of synapses (as every `FloatNetwork`), no rounding, no 24 bits; its `notes` say what else differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import (
    FloatEdge,
    FloatNetwork,
    FloatNode,
    Floats,
    Note,
    Option,
    chip_order,
    topological,
)
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.neurons.registry import prepared_params
from neurodeploy.synapses import Conv, Direct

ALIGN = 64
#: Entries of a matrix that is written out for synapses that are no convolution: half a gigabyte.
MAX_MATRIX = 1 << 26
FIX = "export what NIR can say, or keep the network as a bundle"
Shape = tuple[int, ...]


def to_float(network: Network, dt: float | None = None) -> FloatNetwork:
    """The network in real numbers; `dt` in seconds, if the network has none. Raises ND1250 naming what does not fit."""
    step = dt if dt is not None else network.dt.value if network.dt else None
    if step is None:
        raise UserError("ND1250", network.name, "has no time step", "give dt in seconds")
    return _Export(network, step).run()


@dataclass(slots=True, eq=False)
class _Export:
    network: Network
    dt: float
    nodes: dict[str, FloatNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    scale: dict[str, float] = field(default_factory=dict)
    bias: dict[str, Floats] = field(default_factory=dict)

    def run(self) -> FloatNetwork:
        network = self.network
        for name, p in network.populations.items():
            shape = self._shape(p)
            if p.model == INPUT:
                self.nodes[name] = FloatNode(name, "input", shape, shape)
            else:
                self._population(p, shape)
            if p.initial and p.model != INPUT:
                self.notes.append(Note(name, "starts with states of its own", "NIR has no field for them: left out"))
        for projection in network.projections:
            self._projection(projection)
        for name, bias in self.bias.items():
            if bias.any():
                raise UserError("ND1250", name, "has a bias and no synapse that could carry it", FIX)
        for name in network.outputs:
            own = self._free(f"{name}.output" if name == "output" or len(network.outputs) > 1 else "output")
            shape = self.nodes[name].shape
            self.nodes[own] = FloatNode(own, "output", shape, shape)
            self.edges.append((name, own))
        self.notes.append(Note(network.name, "takes a step for each synapse", "the exported network takes none"))
        made = FloatNetwork(network.name, self.nodes, self._timed(), self.dt, tuple(self.notes), {**network.provenance})
        made.check()
        return made

    def _shape(self, p: Population) -> Shape:
        """(C, H, W) where convolutions and direct connections lead to it, else flat in the chip's order: none unflattens."""
        into = self.network.into(p.name)
        plain = all(one.synapse.spatial and not getattr(one.synapse, "transposed", False) for one in into)
        return p.shape[::-1] if len(p.shape) == 3 and plain else (p.size,)

    def _free(self, name: str) -> str:
        while name in self.nodes:
            name += "_"
        return name

    def _timed(self) -> tuple[FloatEdge, ...]:
        """Edges that close a cycle take a step: those out of populations that stand later in the order of the network."""
        place = {name: i for i, name in enumerate(self.network.populations)}
        back = set()
        for p in self.network.projections:
            if place[p.source] >= place[p.target]:
                back |= {edge for edge in self.edges if edge[0] == p.source and edge[1].startswith(f"{p.name}.")}
                back |= {edge for edge in self.edges if edge == (p.source, p.target)}
        _, stuck = topological(self.nodes, [edge for edge in self.edges if edge not in back])
        assert not stuck  # every cycle has a projection that leads back in the order of populations
        # Edges are listed source by source, so that a reader walks them in this order.
        return tuple(FloatEdge(*edge, edge in back) for edge in self.edges)

    def _population(self, p: Population, shape: Shape) -> None:
        convert = MODELS.get(p.model)
        if convert is None:
            problem = f"is of the model {p.model}, which NIR 1.0.8 does not have"
            raise UserError("ND1250", p.name, problem, FIX)
        values = {name: self._wide(v, p, shape) for name, v in prepared_params(p).items()}
        recorded = self.network.provenance.get("scales")
        known = recorded.get(p.name) if isinstance(recorded, dict) else None
        top = float(np.abs(values["vth"]).max()) if "vth" in values else 0.0
        self.scale[p.name] = float(known[0]) * 2.0 ** float(known[1]) if known else top or 1.0
        convert(self, p, shape, values)

    def _wide(self, value: NDArray[np.int64], p: Population, shape: Shape) -> Floats:
        """An integer parameter for every neuron in NIR's order and shape."""
        found = np.zeros(p.size)
        found[chip_order(shape)] = np.broadcast_to(value, (p.size,))
        return found.reshape(shape)

    def membrane(self, p: Population, shape: Shape, v: dict[str, Floats]) -> None:
        """lif, lif_subtract and li: whichever of NIR's neurons has the same decays."""
        scale, dt, spikes = self.scale[p.name], self.dt, p.model != "li"
        bias = v["bias_mant"] * np.exp2(v["bias_exp"]) / (ALIGN * scale)
        one, zero = np.ones(shape), np.zeros(shape)
        filtered, leaks = bool((v["du"] < 4095).any()), bool((v["dv"] > 0).any())
        if bool((v["dv"] == 0).any()) and (leaks or filtered):
            problem = "has neurons without a leak beside a synaptic filter or neurons with one"
            raise UserError("ND1250", p.name, f"{problem}, which NIR 1.0.8 has no type for", FIX)
        params = {"r": one / dt} if not leaks else {"tau": 4096 * dt / v["dv"], "r": 4096 / v["dv"], "v_leak": zero}
        kind = "lif" if leaks else "if"
        if bool((v["du"] < 0).any()):
            raise UserError("ND1250", p.name, "has currents that never decay: no time constant says that", FIX)
        if filtered:
            tau_syn = 4096 * dt / (v["du"] + 1)
            kind = "cubalif"
            leak = bias * 4096 / v["dv"]
            params = {
                "tau_syn": tau_syn,
                "w_in": tau_syn / dt,
                "tau_mem": params["tau"],
                "r": params["r"],
                "v_leak": leak,
            }
            if bias.any():
                self.notes.append(Note(p.name, "has a bias", "exported as v_leak, where the voltage also starts"))
        elif bias.any():
            self.bias[p.name] = bias.reshape(-1)
        if spikes:
            params |= {"v_threshold": v["vth"] / scale, "v_reset": zero}
        else:
            kind = {"lif": "li", "if": "i", "cubalif": "cubali"}[kind]
        reset = "subtract" if p.model == "lif_subtract" else "value"
        self.nodes[p.name] = FloatNode(p.name, kind, shape, shape, params, {}, reset)

    def threshold(self, p: Population, shape: Shape, v: dict[str, Floats]) -> None:
        """The step function of a sum."""
        params = {"threshold": v["vth"] / self.scale[p.name]}
        self.nodes[p.name] = FloatNode(p.name, "threshold", shape, shape, params)

    def _projection(self, p: Projection) -> None:
        """Delay -> linear map -> target, once for each delay."""
        source, target = self.nodes[p.source], self.nodes[p.target]
        synapse = p.synapse
        if synapse.wire:
            self._check_direct(p)
        graded = self.network.populations[p.source].model not in (INPUT, "lif", "lif_subtract", "threshold")
        unit = 1.0 / (ALIGN * self.scale[p.source]) if p.source in self.scale and graded else 1.0
        problem = p.beyond_lava or ("counts payloads of any size as one" if graded and not p.graded else "")
        if problem:
            raise UserError("ND1250", p.name, problem, FIX)
        if p.weight_exp < 0:
            self.notes.append(Note(p.name, "rounds its sums down", "exported without rounding"))
        factor = 2.0**p.weight_exp / self.scale[p.target] / unit
        bias = self.bias.pop(p.target, np.zeros(target.size))
        own = OWN_NODES.get(type(synapse))
        node = None if own is None else own(self, p, factor, bias, target)
        if node is not None:
            self._chain(p, source, [(node, 0 if p.delay is None else int(p.delay[0]))])
            return
        if target.size * source.size > MAX_MATRIX:
            problem = f"has {target.size} x {source.size} synapses that are no convolution"
            raise UserError("ND1250", p.name, problem, FIX)
        coo = synapse.coo()
        row, column, lag = chip_order(target.shape)[coo.row], chip_order(source.shape)[coo.column], p.delays_of(coo)
        parts: list[tuple[FloatNode, int]] = []
        for number, steps in enumerate(np.unique(lag) if lag.size else [0]):
            matrix = np.zeros((target.size, source.size))
            at = lag == steps
            np.add.at(matrix, (row[at], column[at]), coo.weight[at] * factor)
            extra = {"bias": bias} if bias.any() and not number else {}
            kind = "affine" if extra else "linear"
            name = self._free(f"{p.name}.{kind}" + (f".{int(steps)}" if int(steps) else ""))
            parts.append(
                (FloatNode(name, kind, (source.size,), (target.size,), {"weight": matrix, **extra}), int(steps))
            )
        self._chain(p, source, parts)

    def _check_direct(self, p: Projection) -> None:
        """Only from an input, alone but for loops: nothing else comes with a step where this comes without."""
        place = {name: i for i, name in enumerate(self.network.populations)}
        if self.network.populations[p.source].model != INPUT:
            problem = f"leads from {p.source} without a step, where other synapses take one"
            raise UserError("ND1250", p.name, problem, FIX)
        for other in self.network.into(p.target):
            if other.latency and place[other.source] < place[p.target]:
                problem = f"comes without a step to {p.target}, and {other.name} with one"
                raise UserError("ND1250", p.name, f"{problem}, which the exported network cannot tell apart", FIX)

    def scale_node(self, p: Projection, factor: float, bias: Floats, target: FloatNode) -> FloatNode | None:
        """A direct connection, None where shapes or a bias ask for a matrix."""
        shape = self.nodes[p.source].shape
        if shape != target.shape or bias.any():
            return None
        return FloatNode(self._free(f"{p.name}.scale"), "scale", shape, shape, {"scale": np.full(shape, factor)})

    def conv_node(self, p: Projection, factor: float, bias: Floats, target: FloatNode) -> FloatNode | None:
        """A convolution, None where NIR's says something else."""
        s: Any = p.synapse
        if s.transposed or (p.delay is not None and len(set(p.delay.tolist())) != 1):
            return None
        x, y, channels = s.input_shape
        out = s.output_shape[::-1]
        per_channel = bias.reshape(s.output_shape[2], -1)
        if (channels, y, x) != self.nodes[p.source].shape or out != target.shape:
            return None
        if not bool((per_channel == per_channel[:, :1]).all()):
            return None
        params = {"weight": s.weight.transpose(0, 3, 2, 1) * factor, "bias": per_channel[:, 0].copy()}
        options: dict[str, Option] = {
            "stride": s.stride[::-1], "dilation": s.dilation[::-1], "groups": s.groups,
            "padding": tuple((pad, pad) for pad in s.padding[::-1]),
        }  # fmt: skip
        return FloatNode(self._free(f"{p.name}.conv2d"), "conv2d", (channels, y, x), out, params, options)

    def _chain(self, p: Projection, source: FloatNode, parts: list[tuple[FloatNode, int]]) -> None:
        target = self.nodes[p.target]
        for node, steps in parts:
            self.nodes[node.name] = node
            chain = [source.name]
            if node.kind not in ("conv2d", "scale") and len(source.shape) > 1:
                chain.append(self._flat(f"{p.name}.flatten", source.shape))
            if steps:
                shape = self.nodes[chain[-1]].shape
                name = self._free(f"{p.name}.delay.{steps}")
                delay = {"delay": np.full(shape, steps * self.dt)}
                self.nodes[name] = FloatNode(name, "delay", shape, shape, delay)
                chain.append(name)
            chain.append(node.name)
            if node.shape != target.shape:
                raise UserError(
                    "ND1250", p.name, f"gives a population of shape {target.shape} that is no convolution", FIX
                )
            self.edges += list(zip(chain, [*chain[1:], target.name], strict=True))

    def _flat(self, name: str, shape: Shape) -> str:
        own = self._free(name)
        options = {"start_dim": 0, "end_dim": len(shape) - 1}
        self.nodes[own] = FloatNode(own, "flatten", shape, (int(np.prod(shape)),), {}, options)
        return own


#: Model -> how it becomes a node.
MODELS: dict[str, Callable[[_Export, Population, Shape, dict[str, Floats]], None]] = {
    "lif": _Export.membrane,
    "lif_subtract": _Export.membrane,
    "li": _Export.membrane,
    "threshold": _Export.threshold,
}
#: Kind of synapses -> its own node where it has one that fits; all others are matrices.
OWN_NODES: dict[type[Synapse], Callable[[_Export, Projection, float, Floats, FloatNode], FloatNode | None]] = {
    Direct: _Export.scale_node,
    Conv: _Export.conv_node,
}
