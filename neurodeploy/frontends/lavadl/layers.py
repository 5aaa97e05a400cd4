"""The layers of a `.net` file without kernels, and what all builders share; the meaning stands in each docstring.

netx runs input, flatten, dense and conv; of the others the meaning is that of slayer's blocks (lava-dl 0.6.0
``slayer/block/base.py`` and ``slayer/synapse/layer.py``), each synapse taking one step as everywhere in Lava.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.lavadl.fields import Fields, Notes
from neurodeploy.frontends.lavadl.flow import EXTERNAL, Flow, Wire, delay_of, delays
from neurodeploy.frontends.lavadl.neurons import Neuron
from neurodeploy.frontends.lavadl.weights import Stored, stored
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Direct, build

#: Message bits of a sum that an `average` layer sends.
SUM_BITS = 24


@dataclass(slots=True, eq=False)
class Layer:
    """A layer of the file: its fields, its neurons and what they send. Without neurons the model is ""."""

    index: int
    kind: str
    fields: Fields
    name: str
    neuron: Neuron
    wire: Wire


@dataclass(slots=True, eq=False)
class Builder:
    """The network so far. `layers` has all of them: a concatenation may name a later one."""

    layers: list[Layer]
    flow: Flow
    sparse: bool
    notes: Notes
    external: str = EXTERNAL
    populations: dict[str, Population] = field(default_factory=dict)
    projections: list[Projection] = field(default_factory=list)

    def populate(self, layer: Layer, params: Mapping[str, int | Ints]) -> Wire:
        """Add the population of a layer."""
        self.populations[layer.name] = Population(layer.name, layer.wire.shape, layer.neuron.model, params)
        return layer.wire

    def admit(self, flow: Flow) -> Flow:
        """The flow with the population of the input from outside, which the first layer that reads it shapes."""
        if flow.external:
            shape = flow.wires[0].shape
            self.populations = {self.external: Population(self.external, shape, INPUT), **self.populations}
        return replace(flow, external=False)

    def connect(
        self,
        wire: Wire,
        layer: Layer,
        synapse: Synapse,
        port: str,
        *,
        own_delay: Ints | None = None,
        order: NDArray[Any] | None = None,
        kept: Stored | None = None,
    ) -> None:
        """Add a projection from a wire. `order` is the order of a `Sparse`'s synapses in (rows, columns)."""
        delay = None if synapse.wire else delay_of(wire, own_delay, layer.fields, self.notes)
        if delay is not None and delay.ndim == 2 and order is not None:
            delay = delay[order[0], order[1]]
        name = f"{wire.population}->{layer.name}" + ("" if port == "a" else f".{port}")
        same = sum(p.name == name or p.name.startswith(f"{name}#") for p in self.projections)
        self.projections.append(
            Projection(
                f"{name}#{same + 1}" if same else name,
                wire.population,
                layer.name,
                synapse,
                target_port=port,
                graded=wire.bits > 0 or synapse.wire,
                weight_exp=kept.exponent if kept else 0,
                delay=delay,
                weight_bits=kept.bits if kept else 8,
                sign_mode=kept.sign_mode if kept else "mixed",
            )
        )


def bias_params(layer: Layer) -> dict[str, int | Ints]:
    """The parameters of a layer's neurons with its ``bias``: one, a channel's, or a neuron's in (x, y, channel) as netx."""
    fields, neuron, wire = layer.fields, layer.neuron, layer.wire
    params = dict(neuron.params)
    if not fields.has("bias"):
        return params
    bias = fields.ints("bias")
    if not neuron.bias:
        problem = f"has a bias, and {neuron.model} neurons take none (netx stops here)"
        raise ModelError("ND1285", fields.where, problem, "export it without bias")
    if neuron.model == "atrlif" and bool(bias.any()) and bool(np.any(np.asarray(params["delta_i"]) != 4095)):
        problem = "has ALIF neurons with a bias, which slayer adds to the current and Lava's ATRLIF to the voltage"
        raise ModelError("ND1285", fields.where, problem, "export it without bias, or with iDecay 4096")
    if bias.size == 1:
        params[neuron.bias] = int(bias.reshape(-1)[0])
    elif bias.shape == wire.shape or bias.shape == (wire.shape[-1],):
        params[neuron.bias] = np.ascontiguousarray(np.broadcast_to(bias, wire.shape)).reshape(-1)
    else:
        raise fields.wrong(f"has a bias of shape {bias.shape} for neurons of {wire.shape} (x, y, channel)")
    return params


def ports(layer: Layer) -> dict[str, str]:
    """Input port -> field of its weights: complex weights go with resonators, real ones with all others. ND1286."""
    fields, neuron = layer.fields, layer.neuron
    found = {"re": "weight/real", "im": "weight/imag"} if fields.has("weight/imag") else {"a": "weight"}
    if tuple(found) != neuron.ports:
        raise fields.wrong(f"has the weights {list(found.values())} and {neuron.model} neurons, which do not fit")
    return found


def input_layer(b: Builder, layer: Layer) -> Flow:
    """Input from outside, without a synapse into neurons where the layer has any.

    netx puts the input of a LIF layer into its bias, so the current stays 0 and iDecay has no effect: the same spikes and
    voltages come from a current that is forgotten in each step (du = 4095), on which the input arrives directly.
    """
    fields, neuron = layer.fields, layer.neuron
    if not neuron.model:
        return b.flow
    given = {name: fields.integer(name, -(2**31), 2**31) for name in ("weight", "bias") if fields.has(name)}
    b.notes.transforms[layer.name] = {"weight": 64, "bias": 0} | given
    weight, bias = b.notes.transforms[layer.name].values()
    b.notes.host.append(f"{fields.layer}: its input is int({weight} * x + {bias}) of the data x, in every step")
    params = dict(neuron.params)
    if neuron.model in ("lif", "lif_reset"):
        if params["du"] != 4095:
            b.notes.repairs.append(f"{fields.layer}: iDecay has no effect, as in netx, where input is a bias")
        params["du"] = 4095
    if "re" in neuron.ports:
        b.notes.repairs.append(f"{fields.layer}: netx stops here; input reaches both parts, as in its ComplexInput")
    own = b.populate(layer, params)
    flow = b.admit(Flow((Wire(b.external, own.shape, 0),), external=True))
    for port in neuron.ports:
        b.connect(flow.wires[0], layer, Direct(own.size), port)
    return Flow((own,))


def flatten(b: Builder, layer: Layer) -> Flow:
    """(channel, y, x) in a row; no neurons."""
    layer.fields.shape()
    return replace(b.flow, flat=True)


def _matrix(fields: Fields, name: str, rows: int) -> Ints:
    """A dense weight (rows, columns); netx also takes it in one row."""
    weight = fields.ints(name)
    if weight.ndim == 1 and rows and weight.size % rows == 0:
        weight = weight.reshape(rows, -1)
    if weight.ndim != 2 or weight.shape[0] != rows or not weight.size:
        raise fields.wrong(f"has {name} of shape {weight.shape} for {rows} neurons")
    return weight


def _synapse_delays(b: Builder, fields: Fields, weight: Ints) -> Ints | None:
    """netx's delays of a dense layer as () or (rows, columns).

    A delay for each neuron delays what arrives at it, which delays its spikes; only where the number fits the columns alone
    are they those of the axons that come in.
    """
    if not fields.has("delay"):
        return None
    values = delays(fields, b.notes)
    rows, columns = weight.shape
    if values.ndim == 1 and values.size == rows:
        values = values[:, None]
    elif not (values.ndim == 0 or values.shape in ((columns,), weight.shape)):
        raise fields.wrong(f"has delays of shape {values.shape} for weights of {weight.shape}")
    return np.ascontiguousarray(np.broadcast_to(values, weight.shape))


def dense(b: Builder, layer: Layer) -> Flow:
    """All-to-all, with netx's optimisation of weight bits; complex weights are optimised each for itself.

    ``dense_rec`` adds recurrent weights, which share the exponent of the others. As in slayer its axonal delays lie on what
    leaves the layer and not on the recurrence (netx puts them on both and has no process to run it).
    """
    fields, own = layer.fields, b.populate(layer, bias_params(layer))
    recurrent, complex_ = layer.kind == "dense_rec", "weight/imag" in fields.group
    named = ports(layer)
    weights = {port: _matrix(fields, name, own.size) for port, name in named.items()}
    columns = next(iter(weights.values())).shape[1]
    if any(weight.shape[1] != columns for weight in weights.values()):
        raise fields.wrong("has real and imaginary weights of different shapes")
    for name, size in (("inFeatures", columns), ("outFeatures", own.size)):
        fields.same(name, size)
    flow = b.admit(b.flow.columns(fields, columns))
    delay = None if recurrent or complex_ else _synapse_delays(b, fields, weights["a"])
    for port, weight in weights.items():
        matrices = [weight, _matrix(fields, "weight_rec", own.size)] if recurrent else [weight]
        kept = stored(matrices, fields, named[port], b.notes)
        start = 0
        for wire in flow.wires:
            at = start + wire.positions()
            start += wire.size
            _dense(b, wire, layer, kept[0]._replace(weight=kept[0].weight[:, at]), port, delay, at)
        if recurrent:
            if kept[1].weight.shape[1] != own.size:
                raise fields.wrong(f"has recurrent weights of shape {kept[1].weight.shape} for {own.size} neurons")
            _dense(b, replace(own, delay=None), layer, kept[1], port, None, np.arange(own.size))
    return Flow((own,), True)


def _dense(b: Builder, wire: Wire, layer: Layer, kept: Stored, port: str, delay: Ints | None, at: Ints) -> None:
    own = None if delay is None else delay[:, at]
    if not b.sparse:
        b.connect(wire, layer, build.dense(kept.weight), port, own_delay=own, kept=kept)
        return
    row, column = np.nonzero(kept.weight)
    order = build.synapse_order(row, column)
    synapse = build.sparse_from_coo(kept.weight.shape[0], kept.weight.shape[1], row, column, kept.weight[row, column])
    if own is None and wire.delay is not None:
        own = np.zeros(kept.weight.shape, np.int64)
    b.connect(wire, layer, synapse, port, own_delay=own, order=np.stack([row[order], column[order]]), kept=kept)


def average(b: Builder, layer: Layer) -> Flow:
    """Sums over equal groups of neighbours in the file's order, sent in every step; the division is the host's."""
    fields, own = layer.fields, b.populate(layer, layer.neuron.params)
    total = sum(wire.size for wire in b.flow.wires) if not b.flow.external or b.flow.wires[0].shape else 0
    if not total or total % own.size:
        raise fields.wrong(f"averages {total} neurons in {own.size} groups")
    flow, start, members = b.admit(replace(b.flow, flat=True).columns(fields, total)), 0, total // own.size
    for wire in flow.wires:
        row = (start + wire.positions()) // members
        start += wire.size
        column = np.arange(wire.size)
        synapse = build.sparse_from_coo(own.size, wire.size, row, column, np.ones(wire.size, np.int64))
        b.connect(wire, layer, synapse, "a")
    b.notes.host.append(f"{fields.layer}: divide each payload of {layer.name} by {members} for the average")
    return Flow((own,), True)


def concat(b: Builder, layer: Layer) -> Flow:
    """The channels of the layer before, then those of each layer that ``layers`` names, later ones too (recurrence)."""
    fields, flow = layer.fields, b.flow
    if flow.external and not flow.wires[0].shape:
        raise fields.wrong("concatenates an input of unknown shape", "give input_shape")
    flow = b.admit(flow)
    wires = list(flow.wires)
    for index in (int(i) for i in fields.ints("layers", 0, len(b.layers) - 1).reshape(-1)):
        named = b.layers[index]
        if not named.neuron.model:
            raise fields.wrong(f"names layer {index}, which has no neurons here")
        wires.append(named.wire)
    declared, total = int(np.prod(fields.shape())), sum(wire.size for wire in wires)
    if declared != total:
        raise fields.wrong(f"has {declared} neurons by its shape, {total} by what it joins")
    return Flow(tuple(wires), flow.flat or all(len(wire.shape) == 1 for wire in wires))
