"""`build`: a `TensorGraph` and what samples have shown of it -> a `Program`.

Every form with a lowering becomes populations within the step (`ops.tensors`); the others stay operations of the host
(`ops/tensor.py`), and what crosses is encoded and decoded in its own unit. So a sample is one step, and a stream of
samples a stream of steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.asked import SUM_HEADROOM, Lowering
from neurodeploy.conversion.tensors.calibrate import Seen
from neurodeploy.conversion.tensors.passes import fused, trimmed
from neurodeploy.conversion.tensors.sites import WEIGHING, Site
from neurodeploy.conversion.tensors.units import Bits, ValueUnits
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.ir.tensors import FORMAT, Node, Shape, TensorGraph, multiply_adds
from neurodeploy.neurons.registry import payload_bits
from neurodeploy.ops.host.lowering import Signal
from neurodeploy.ops.tensor import operation_of
from neurodeploy.ops.tensors import FORMS
from neurodeploy.ops.tensors.arithmetic import wires
from neurodeploy.ops.tensors.asking import Bend, FromValue, Value, chip_shape, spatial
from neurodeploy.ops.tensors.curve import bend_of

#: Forms whose input is a map with its channels side by side.
SPATIAL = ("conv", "avg_pool", "max_pool")


@dataclass(slots=True, eq=False)
class _Builder:
    graph: TensorGraph
    seen: Mapping[str, Seen]
    bits: Bits
    units: ValueUnits = field(init=False)
    shapes: dict[str, Shape] = field(init=False)
    populations: dict[str, Population] = field(default_factory=dict)
    projections: list[Projection] = field(default_factory=list)
    host: list[HostStep] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    #: Values of the host by name, with the order in which they lie there.
    hosted: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    work: dict[str, int] = field(default_factory=lambda: {"chip": 0, "host": 0})
    #: Values as weights read them by their form, where payloads are narrow.
    codes: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.units = ValueUnits(self.graph, self.seen, self.bits)
        self.shapes = self.graph.shapes()

    def _site(self, node: Node) -> Site | None:
        return self.seen[node.inputs[0]].sites.get(node.form) if node.inputs else None

    def given(self, node: Node) -> list[Value]:
        """What a node reads, in the payloads that it is to read: narrow ones have a population of their own
        (`conversion.tensors.sites`) where their maker does not write them."""
        inputs = [self.on_chip(name) for name in node.inputs]
        if node.form not in WEIGHING or not self.bits.narrow or node.inputs[0] in self.units.columns:
            return inputs
        (name,), (value,), key = node.inputs, inputs, f"{node.inputs[0]} {node.form}"
        if key not in self.codes:
            coding, order = self.units.coding(node.form, name), spatial(value.shape) if node.form == "conv" else None
            if self.units.uneven(node.form, name):
                self.codes[key] = self._in_two(value, order)
                return [self.codes[key]]
            self.codes[key] = self.rewired(value, order, coding.unit, coding.base)._replace(base=coding.base)
        return [self.codes[key]]

    def rewired(self, value: Value, order: Ints | None, unit: Unit | None = None, base: Floats | None = None) -> Value:
        """A population whose neurons send on what they get, in another order or unit, or what is above a base."""
        count = sum(name.startswith(f"{value.signal.population.name}.moved") for name in self.populations)
        node = Node(f"{value.signal.population.name}.moved{count}", "take", (), value.shape)
        most = value.unit if base is None else (value.unit * value.signal.largest + np.abs(base).max()) / SUM_HEADROOM
        ask = Lowering(node, [value], unit or value.signal.unit, None, self.bits.weight, np.array([most]), self)
        layout = chip_shape(value.shape) if order is not None and len(value.shape) in (2, 3) else None
        return ask.scaled(
            [FromValue(value, wires(value, order))], value.shape, np.full(value.size, value.unit),
            None if base is None or not base.any() else -base, order=order, layout=layout,
        )  # fmt: skip

    def _in_two(self, value: Value, order: Ints | None) -> Value:
        """An input of the network in two payloads: the rounded upper bits, and what is left of them."""
        unit, bits = value.signal.unit.scale, self.bits.payload
        up = value.signal.unit.bits - bits
        down = max(0, up - bits + 1)  # bits that are left out, so that what is left never is clipped
        coarse, fine = (Unit(Dyadic(unit.mantissa, unit.exponent + e), bits) for e in (up, down))
        upper = self.rewired(value, order, coarse)
        node = Node(f"{value.signal.population.name}.rest", "take", (), value.shape)
        ask = Lowering(node, [value], fine, None, self.bits.weight, np.array([value.unit]), self)
        sources = [FromValue(value, wires(value, order)), FromValue(upper, wires(upper, order, -1), up)]
        made = ask.scaled(
            sources, value.shape, np.full(value.size, value.unit), None, order=order,
            layout=upper.signal.population.shape if order is not None else None,
        )  # fmt: skip
        return made._replace(coarse=(upper.signal, up - down))

    def feed(self, name: str, shape: Shape, *, from_host: bool) -> Value:
        """An input population of a value, in the order in which most of its readers want it."""
        readers = self.units.readers[name]
        maps = len(shape) in (2, 3) and (not from_host or any(node.form in SPATIAL for node in readers))
        order, size, unit = (spatial(shape) if maps else None), math.prod(shape), self.units.of(name)
        own = f"{name}.in" if from_host else name
        population = Population(own, chip_shape(shape) if maps else (size,), INPUT, {"bits": unit.bits})
        self.populations[own] = population
        return Value(Signal(population, 0, size, unit), shape, order)

    def on_chip(self, name: str) -> Value:
        """A value of the host is encoded where the chip wants it."""
        if name not in self.values:
            shape = self.shapes[name]
            value = self.feed(name, shape, from_host=True)
            self.values[name] = value
            self.host.append(Encode(self._laid(name, value), value.signal.population.name, value.signal.unit.scale))
        return self.values[name]

    def _laid(self, name: str, value: Value) -> str:
        """The host value in the order of a population."""
        if value.order is None:
            return name
        node = Node(f"{name}.laid", "take", (name,), (value.size,), {}, {"index": np.argsort(value.order)})
        self._operate(node, [name], [self.shapes[name]])
        return node.name

    def on_host(self, name: str) -> str:
        """A value of the chip is decoded where the host wants it, once."""
        if name in self.hosted:
            return self.hosted[name]
        value = self.values[name]
        if not value.whole:
            value = self.rewired(value, None)
        population = value.signal.population
        raw = f"{population.name}.out"
        if raw not in self.sizes:
            self.host.append(Decode(population.name, value.signal.unit.scale, (raw,)))
            self.sizes[raw] = population.size
        if value.order is not None:
            node = Node(f"{name}.read", "take", (raw,), value.shape, {}, {"index": value.order})
            self._operate(node, [raw], [(population.size,)])
            raw = node.name
        self.hosted[name] = raw
        return raw

    def _made(self) -> tuple[dict[str, Any], ...]:
        """What a lowering adds to."""
        return self.populations, self.values, self.hosted, self.sizes, self.weights, self.codes

    @staticmethod
    def _place(value: Value) -> dict[str, Any]:
        """The population that a value has to itself, and whether it lies there as a map."""
        shape = value.signal.population.shape
        return {"population": value.signal.population.name, "map": len(shape) > 1} if value.plain else {}

    def _operate(self, node: Node, inputs: list[str], shapes: list[Shape]) -> None:
        step, weights = operation_of(node, inputs, shapes)
        self.weights |= weights
        self.sizes[node.name] = node.size
        self.host.append(step)
        self.hosted[node.name] = node.name

    def run(self, node: Node, bend: tuple[Bend, str] | None) -> None:
        form, shapes = FORMS[node.form], self.shapes
        name = bend[1] if bend else node.name
        made = multiply_adds(node, shapes)
        value = None
        from_host = [n for n in node.inputs if n not in self.values]
        wires_only = node.form == "take" and from_host
        if form.lower is not None and not wires_only:
            kept = [dict(table) for table in self._made()]
            counts = len(self.projections), len(self.host)
            inputs = self.given(node)
            peaks = self.seen[node.name].peaks
            bent = bend[0] if bend else bend_of(node) if node.form == "rectify" else None
            ask = Lowering(node, inputs, self.units.of(name), bent, self.bits.weight, peaks, self, self._site(node))
            value = form.lower(ask)
            if value is None:  # nothing of it was made
                del self.projections[counts[0] :], self.host[counts[1] :]
                for table, before in zip(self._made(), kept, strict=True):
                    table.clear()
                    table.update(before)
        row = {"path": node.name, "form": node.form, "where": node.where, "multiply_adds": made}
        if value is not None:
            self.values[name] = value
            self.work["chip"] += made
            self.rows.append({**row, "device": "chip", "value": name, "unit": value.unit, **self._place(value)})
            if name in self.units.columns:
                self.rows[-1] |= {"exponents": self.units.columns[name], "by": self.units.readers[name][0].form}
            return
        self._operate(node, [self.on_host(n) for n in node.inputs], [shapes[n] for n in node.inputs])
        if bend:  # its activation stays with it
            self._operate(self.units.nodes[name], [node.name], [node.shape])
        self.work["host"] += made
        reason = form.reason
        self.rows.append({**row, "device": "host", "rule": reason.rule, "reason": reason.text, "remedy": reason.remedy})


def payloads_by_width(network: Network, weighing: Sequence[str], bits: Bits) -> dict[str, dict[str, int]]:
    """Numbers of a sample that populations send, by their width: those that weights multiply, on their way into the
    populations `weighing`, and the others."""
    read = {p.source for name in weighing if name in network.populations for p in network.into(name)}
    found: dict[str, dict[str, int]] = {"weighed": {}, "others": {}}
    for name, population in network.populations.items():
        width = payload_bits(population)
        unsigned = name in read and bits.narrow and width > bits.payload
        title = f"{bits.payload} without a sign" if unsigned else str(width)
        counts = found["weighed" if name in read else "others"]
        counts[title] = counts.get(title, 0) + population.size
    return found


def build(
    graph: TensorGraph, seen: Mapping[str, Seen], bits: Bits, info: ModelInfo, conversion: Mapping[str, Any]
) -> tuple[Program, dict[str, NDArray[np.float32]]]:
    """The program, and the tensors of its host operations by name."""
    results, (graph, tail) = graph.outputs, trimmed(graph)
    whole, bends = fused(graph)
    own = _Builder(graph, seen, bits)
    for name, shape in graph.inputs.items():
        own.values[name] = own.feed(name, shape, from_host=False)
    for node in whole.nodes:
        own.run(node, bends.get(node.name))
    outputs: dict[str, Value] = {}
    for name in graph.outputs:
        value = own.on_chip(name)
        order = spatial(value.shape) if len(value.shape) in (2, 3) else None
        if not value.plain or value.signal.population.name in graph.inputs:
            value = own.rewired(value, order if value.order is not None else None)
        outputs[name] = value
    names = tuple(value.signal.population.name for value in outputs.values())
    network = Network(graph.name, own.populations, tuple(own.projections), tuple(dict.fromkeys(names)))
    done = sum(own.work.values())
    told = {
        **conversion,
        "format": FORMAT,
        "shapes": {name: list(shape) for name, shape in graph.inputs.items()},
        "graded": list(graph.inputs),
        "inputs": {name: {"unit": own.values[name].unit} for name in graph.inputs},
        "outputs": {
            name: {
                "population": value.signal.population.name, "unit": value.unit, "latency": 0, "shape": list(value.shape),
                "map": len(value.signal.population.shape) > 1,
            }
            for name, value in outputs.items()
        },
        "tail": tail,
        "results": list(results),
        "operations": own.rows,
        "multiply_adds": {**own.work, "on_chip": own.work["chip"] / done if done else None},
        "bits": {"payload": bits.payload, "weight": bits.weight},
        "payloads": payloads_by_width(network, [node.name for node in whole.nodes if node.form in WEIGHING], bits),
    }  # fmt: skip
    crossing = {step.population for step in own.host if isinstance(step, Encode | Decode)}
    units = {
        v.signal.population.name: v.signal.unit for v in own.values.values() if v.signal.population.name not in crossing
    }
    units = {name: unit for name, unit in units.items() if name in own.populations}
    program = Program(info, network, tuple(own.host), own.sizes, conversion=told, units=units)
    program.check()
    return program, own.weights
