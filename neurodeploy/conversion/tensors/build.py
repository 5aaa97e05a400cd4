"""`build`: a `TensorGraph` and what samples have shown of it -> a `Program`.

Every form with a lowering becomes populations within the step (`ops.tensors`); the others stay operations of the host
(`ops/tensor.py`), and what crosses is encoded and decoded in its own unit. So a sample is one step, and a stream of
samples a stream of steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.asked import Lowering
from neurodeploy.conversion.tensors.calibrate import Seen
from neurodeploy.conversion.tensors.coding import (
    GRADED,
    PLAIN,
    RATE,
    SIGMA_DELTA,
    Coding,
    recoded_unit,
    refused,
)
from neurodeploy.conversion.tensors.passes import fused, trimmed
from neurodeploy.conversion.tensors.units import Bits, UnitsOfValues
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.ir.tensors import FORMAT, Node, Shape, TensorGraph, multiply_adds
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
    units: UnitsOfValues
    graph: TensorGraph = field(init=False)
    coding: Coding = field(init=False)
    readers: dict[str, list[Node]] = field(init=False)
    nodes: dict[str, Node] = field(init=False)
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
    recodings: dict[tuple[str, str], Value] = field(default_factory=dict)
    #: The node that makes each value, the activation behind it included.
    sites: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        units = self.units
        self.graph, self.coding, self.readers, self.nodes = units.graph, units.coding, units.readers, units.nodes
        self.shapes = units.graph.shapes()

    def rewired(self, value: Value, order: Ints | None, unit: Unit | None = None, code: str | None = None) -> Value:
        """A population whose neurons send on what they get, in another order, unit or code."""
        count = sum(name.startswith(f"{value.signal.population.name}.moved") for name in self.populations)
        node = Node(f"{value.signal.population.name}.moved{count}", "take", (), value.shape)
        own = SIGMA_DELTA if value.changes else RATE if self.coding.kind == RATE else GRADED
        code = code or own
        unit = unit or recoded_unit(value.signal.unit, own, code)
        unit = unit._replace(bits=2) if code == RATE else unit
        ask = Lowering(node, [value], unit, None, self.units.bits.weight, np.array([value.unit]), self, code)
        layout = chip_shape(value.shape) if order is not None and len(value.shape) in (2, 3) else None
        return ask.scaled(
            [FromValue(value, wires(value, order))], value.shape, np.full(value.size, value.unit), None, order=order,
            layout=layout,
        )  # fmt: skip

    def recoded(self, value: Value, code: str) -> Value:
        """The whole population of a value in another code, made once."""
        key = value.signal.population.name, code
        if key not in self.recodings:
            whole = Value(value.signal, (value.signal.size,), None, value.changes)
            self.recodings[key] = self.rewired(whole, None, code=code)
        return value._replace(signal=self.recodings[key].signal, changes=code == SIGMA_DELTA)

    def valued(self, name: str) -> Value:
        """A value of the chip as it is in each step, for what cannot add up parts of it. ND1317 for rates."""
        value = self.values[name]
        if self.coding.kind == RATE:
            raise refused(name, "is read by an operation that is no sum")
        return self.recoded(value, GRADED) if value.changes else value

    def feed(self, name: str, shape: Shape, *, from_host: bool) -> Value:
        """An input population of a value, in the order in which most of its readers want it."""
        readers = self.readers[name]
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
        value = self.valued(name)
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
        return self.populations, self.values, self.hosted, self.sizes, self.weights

    @staticmethod
    def _place(value: Value) -> dict[str, Any]:
        """The population that a value has to itself, and whether it lies there as a map."""
        shape = value.signal.population.shape
        return {"population": value.signal.population.name, "map": len(shape) > 1} if value.plain else {}

    def _coded(self, value: Value) -> dict[str, str]:
        """Its code, where it is not graded."""
        rates = self.coding.kind == RATE and value.signal.population.model != "graded_sigma_delta"
        return {"code": RATE if rates else SIGMA_DELTA} if rates or value.changes else {}

    def sent(self) -> list[dict[str, Any]]:
        """Where changes are sent: the site, the population that sends its values in graded
        code and its changes here, the root mean square of the value that calibration saw in its units, the threshold."""
        found: dict[str, dict[str, Any]] = {}
        for name, value in self.values.items():
            population = value.signal.population
            if value.changes and population.params.get("changes") and population.name not in found:
                some = np.concatenate(self.units.seen[name].some).astype(np.float64)
                found[population.name] = {
                    "site": self.sites.get(name, name),
                    "values": name if name in self.graph.inputs else population.name,
                    "population": population.name,
                    "rms": math.sqrt(float(np.square(some).mean())) / value.unit,
                    "vth": int(np.max(population.params["vth"])),
                }
        return list(found.values())

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
            inputs = [self.on_chip(n) for n in node.inputs]
            if not form.sums:
                inputs = [self.valued(n) for n in node.inputs]
            peaks = self.units.seen[node.name].peaks
            bent = bend[0] if bend else bend_of(node) if node.form == "rectify" else None
            ask = Lowering(
                node,
                inputs,
                self.units.of(name),
                bent,
                self.units.bits.weight,
                peaks,
                self,
                self.units.code_of(name, node.name),
            )
            value = form.lower(ask)
            if value is None:  # nothing of it was made
                del self.projections[counts[0] :], self.host[counts[1] :]
                for table, before in zip(self._made(), kept, strict=True):
                    table.clear()
                    table.update(before)
        row = {"path": node.name, "form": node.form, "where": node.where, "multiply_adds": made}
        if self.coding.kind == RATE and value is None:
            raise refused(node.name, f"is {form.reason.text}")
        if value is not None:
            self.values[name], self.sites[name] = value, node.name
            self.work["chip"] += made
            self.rows.append(
                {**row, "device": "chip", "value": name, "unit": value.unit, **self._place(value), **self._coded(value)}
            )
            return
        self._operate(node, [self.on_host(n) for n in node.inputs], [shapes[n] for n in node.inputs])
        if bend:  # its activation stays with it
            self._operate(self.nodes[name], [node.name], [node.shape])
        self.work["host"] += made
        reason = form.reason
        self.rows.append({**row, "device": "host", "rule": reason.rule, "reason": reason.text, "remedy": reason.remedy})


def build(
    graph: TensorGraph,
    seen: Mapping[str, Seen],
    bits: Bits,
    info: ModelInfo,
    conversion: Mapping[str, Any],
    coding: Coding = PLAIN,
) -> tuple[Program, dict[str, NDArray[np.float32]]]:
    """The program, and the tensors of its host operations by name."""
    results, (graph, tail) = graph.outputs, trimmed(graph)
    whole, bends = fused(graph)
    own = _Builder(UnitsOfValues(graph, seen, bits, coding))
    for name, shape in graph.inputs.items():
        value = own.feed(name, shape, from_host=False)
        code = own.units.code_of(name, name)
        own.values[name] = value._replace(changes=True) if code == RATE else value
        if code == SIGMA_DELTA:
            own.values[name] = own.recoded(value, SIGMA_DELTA)
    for node in whole.nodes:
        own.run(node, bends.get(node.name))
    outputs: dict[str, Value] = {}
    for name in graph.outputs:
        value = own.on_chip(name)
        if own._coded(value):
            value = own.recoded(value, GRADED)
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
        "code": {"kind": coding.kind, "steps": coding.steps, "sites": dict(coding.sites), "sent": own.sent()},
    }  # fmt: skip
    crossing = {step.population for step in own.host if isinstance(step, Encode | Decode)}
    units = {
        v.signal.population.name: v.signal.unit for v in own.values.values() if v.signal.population.name not in crossing
    }
    units = {name: unit for name, unit in units.items() if name in own.populations}
    program = Program(info, network, tuple(own.host), own.sizes, conversion=told, units=units)
    program.check()
    return program, own.weights
