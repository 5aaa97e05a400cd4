"""`TensorsBuilder`: nodes one by one as populations or operations of the host, and what lies between."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.presets import ON_CHIP
from neurodeploy.conversion.tensors.asked import SUM_HEADROOM, Lowering
from neurodeploy.conversion.tensors.coding import GRADED, RATE, SIGMA_DELTA, Coding, recoded_unit, refused
from neurodeploy.conversion.tensors.sites import WEIGHING, Site
from neurodeploy.conversion.tensors.units import Bits, ValueUnits
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.network import Projection
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.ir.tensors import Node, Shape, TensorGraph, multiply_adds
from neurodeploy.ops.host.lowering import Signal
from neurodeploy.ops.tensor import operation_of
from neurodeploy.ops.tensors import FORMS
from neurodeploy.ops.tensors.arithmetic import wires
from neurodeploy.ops.tensors.asking import Bend, FromValue, Value, chip_shape, spatial
from neurodeploy.ops.tensors.curve import bend_of
from neurodeploy.ops.tensors.form import TensorForm

#: What of a network is on the chip unless another part is asked for: norms too. Attention takes more joules there than on
#: the host (docs/modules.md).
DEFAULT_PART = "block"
#: Forms whose input is a map with its channels side by side.
SPATIAL = ("conv", "avg_pool", "max_pool")


def left_out(form: TensorForm) -> Reason:
    """Of a form that belongs to a part that was not asked for."""
    fix = f"`convert --on-chip {form.part}` puts it on the chip, where its numbers allow it"
    return Reason("not-asked-for", f"it goes on the chip with --on-chip {form.part} alone", fix)


@dataclass(slots=True, eq=False)
class TensorsBuilder:
    """part : what of the network is on the chip, of `ON_CHIP`."""

    units: ValueUnits
    part: str = DEFAULT_PART
    graph: TensorGraph = field(init=False)
    bits: Bits = field(init=False)
    coding: Coding = field(init=False)
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
    recodings: dict[tuple[str, str], Value] = field(default_factory=dict)
    #: The node that makes each value, the activation behind it included.
    sites: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph, self.bits, self.coding = self.units.graph, self.units.bits, self.units.coding
        self.shapes = self.graph.shapes()

    def _site(self, node: Node) -> Site | None:
        return self.units.seen[node.inputs[0]].sites.get(node.form) if node.inputs else None

    def given(self, node: Node) -> list[Value]:
        """What a node reads, in the payloads that it is to read: narrow ones have a population of their own
        (`conversion.tensors.sites`) where their maker does not write them."""
        inputs = [self.on_chip(name) for name in node.inputs]
        if not FORMS[node.form].sums:
            return [self.valued(name) for name in node.inputs]
        if node.form not in WEIGHING or not self.bits.narrow or node.inputs[0] in self.units.columns:
            return inputs
        (name,), (value,), key = node.inputs, inputs, f"{node.inputs[0]} {node.form}"
        if key not in self.codes:
            written, order = self.units.written(node.form, name), spatial(value.shape) if node.form == "conv" else None
            code = self.coding.of(self.sites.get(name, name))
            if self.units.uneven(node.form, name):
                self.codes[key] = self._in_two(value, order, code)
            else:
                made = self.rewired(value, order, written.unit, base=written.base, code=code)
                self.codes[key] = made._replace(base=written.base)
        return [self.codes[key]]

    def rewired(
        self, value: Value, order: Ints | None, unit: Unit | None = None, *, base: Floats | None = None,
        code: str | None = None,
    ) -> Value:  # fmt: skip
        """A population whose neurons send on what they get, in another order, unit or code, or what is above a base."""
        own = SIGMA_DELTA if value.changes else RATE if self.coding.kind == RATE else GRADED
        code = code or own
        unit = unit or recoded_unit(value.signal.unit, own, code)
        unit = unit._replace(bits=2) if code == RATE else unit
        count = sum(name.startswith(f"{value.signal.population.name}.moved") for name in self.populations)
        node = Node(f"{value.signal.population.name}.moved{count}", "take", (), value.shape)
        most = value.unit if base is None else (value.unit * value.signal.largest + np.abs(base).max()) / SUM_HEADROOM
        ask = Lowering(node, [value], unit, None, self.bits.weight, np.array([most]), self, code=code)
        layout = chip_shape(value.shape) if order is not None and len(value.shape) in (2, 3) else None
        return ask.scaled(
            [FromValue(value, wires(value, order))], value.shape, np.full(value.size, value.unit),
            None if base is None or not base.any() else -base, order=order, layout=layout,
        )  # fmt: skip

    def recoded(self, value: Value, code: str) -> Value:
        """The whole population of a value in another code, made once; payloads go on as they are."""
        key, unit = (value.signal.population.name, code), value.signal.unit._replace(exponent=None)
        if key not in self.recodings:
            signal = value.signal._replace(start=0, stop=value.signal.population.size, unit=unit)
            self.recodings[key] = self.rewired(Value(signal, (signal.size,), changes=value.changes), None, code=code)
        made = self.recodings[key].signal
        kept = value.signal.unit if made.unit == unit else made.unit
        return value._replace(signal=made._replace(unit=kept), changes=code == SIGMA_DELTA)

    def valued(self, name: str) -> Value:
        """A value of the chip as it is in each step, for what cannot add up parts of it. ND1317 for rates."""
        value = self.values[name]
        if self.coding.kind == RATE:
            raise refused(name, "is read by an operation that is no sum")
        return self.recoded(value, GRADED) if value.changes else value

    def _in_two(self, value: Value, order: Ints | None, code: str) -> Value:
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
        if code == SIGMA_DELTA:
            made, upper = self.recoded(made, code), self.recoded(upper, code)
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
        return self.populations, self.values, self.hosted, self.sizes, self.weights, self.codes

    @staticmethod
    def _place(value: Value) -> dict[str, Any]:
        """The population that a value has to itself, and whether it lies there as a map."""
        shape = value.signal.population.shape
        return {"population": value.signal.population.name, "map": len(shape) > 1} if value.plain else {}

    def coded(self, value: Value) -> dict[str, str]:
        """Its code, where it is not graded."""
        rates = self.coding.kind == RATE and value.signal.population.model != "graded_sigma_delta"
        return {"code": RATE if rates else SIGMA_DELTA} if rates or value.changes else {}

    def sent(self) -> list[dict[str, Any]]:
        """Where changes are sent: the site, the population that sends its values in graded code and its changes here, the
        root mean square of the value that calibration saw in its units (of several by neuron, in their mean), the
        threshold."""
        found: dict[str, dict[str, Any]] = {}
        for key, value in (self.values | self.codes).items():
            name = key.partition(" ")[0]
            for part, _ in value.digits:
                population = part.signal.population
                if value.changes and population.params.get("changes") and population.name not in found:
                    some = np.concatenate(self.units.seen[name].some).astype(np.float64)
                    steps = np.sqrt(np.square(part.signal.unit.steps(part.signal.size)).mean())
                    found[population.name] = {
                        "site": self.sites.get(name, name), "population": population.name,
                        "rms": float(np.sqrt(np.square(some).mean()) / steps), "vth": int(np.max(population.params["vth"])),
                    }  # fmt: skip
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
        asked = ON_CHIP.index(form.part) <= ON_CHIP.index(self.part)
        if form.lower is not None and asked and not wires_only:
            kept = [dict(table) for table in self._made()]
            counts = len(self.projections), len(self.host)
            inputs = self.given(node)
            peaks, unit = self.units.seen[node.name].peaks, self.units.of(name)
            bent = bend[0] if bend else bend_of(node) if node.form == "rectify" else None
            site, code = self._site(node), self.units.code_of(name, node.name)
            grouped = self.units.seen[node.name].grouped
            ask = Lowering(node, inputs, unit, bent, self.bits.weight, peaks, self, site, code, grouped)
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
            self.rows.append({**row, "device": "chip", "value": name, "unit": value.unit, **self._place(value)})
            self.rows[-1] |= self.coded(value)
            if name in self.units.columns:
                self.rows[-1] |= {"exponents": self.units.columns[name], "by": self.units.readers[name][0].form}
            return
        self._operate(node, [self.on_host(n) for n in node.inputs], [shapes[n] for n in node.inputs])
        if bend:  # its activation stays with it
            self._operate(self.units.nodes[name], [node.name], [node.shape])
        self.work["host"] += made
        reason = form.reason if asked else left_out(form)
        self.rows.append({**row, "device": "host", "rule": reason.rule, "reason": reason.text, "remedy": reason.remedy})
