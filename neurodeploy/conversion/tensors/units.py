"""In which unit, width and code each value of a network of tensors is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurodeploy.conversion.tensors.calibrate import Seen, exponent_of
from neurodeploy.conversion.tensors.coding import (
    GRADED,
    PLAIN,
    RATE,
    RATE_INPUT_BITS,
    SIGMA_DELTA,
    Coding,
    rate_exponent,
)
from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.tensors import Node, TensorGraph
from neurodeploy.ops.tensors import FORMS

#: Units of values that are added are made equal where that takes no more bits than this away from the narrowest.
SPARE = 12
#: Forms whose values have the unit of what they read.
UNITS_KEPT = ("take", "max_pool")
#: Bits of a payload that no weight multiplies, and of an input that none does.
WIDE, GIVEN = 24, 16


@dataclass(frozen=True, slots=True)
class Bits:
    """Widths of payloads that weights multiply, and of weights."""

    payload: int = 16
    weight: int = 8


@dataclass(slots=True, eq=False)
class UnitsOfValues:
    """Of the values of a graph, from what samples have shown. Values that meet in a sum have one unit where that costs few
    bits."""

    graph: TensorGraph
    seen: Mapping[str, Seen]
    bits: Bits
    coding: Coding = PLAIN
    readers: dict[str, list[Node]] = field(init=False)
    nodes: dict[str, Node] = field(init=False)
    known: dict[str, Unit] = field(default_factory=dict)
    multiplied: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.readers = self.graph.readers()
        self.nodes = {node.name: node for node in self.graph.nodes}
        if self.coding.kind != RATE:
            self._join()

    def of(self, name: str) -> Unit:
        if name not in self.known:
            if name in self.graph.integers:
                self.known[name] = Unit(Dyadic(1, 0), STATE_BITS)
                return self.known[name]
            given = name in self.graph.inputs
            if self.coding.kind == RATE and (given or not self._last(name)):
                self.known[name] = self._rate_unit(self.seen[name], given)
                return self.known[name]
            bits = self.bits.payload if self.weighed(name) else GIVEN if given else WIDE
            self.known[name] = Unit(Dyadic(1, exponent_of(self.seen[name], bits, clips=not given)), bits)
        return self.known[name]

    def _rate_unit(self, seen: Seen, given: bool) -> Unit:
        """Of an input, or of a spike a step."""
        if given:
            bits = min(self.bits.payload, RATE_INPUT_BITS)
            return Unit(Dyadic(1, exponent_of(seen, bits, clips=False)), bits)
        return Unit(Dyadic(1, rate_exponent(seen.some, seen.peak, self.coding.steps)), 2)

    def _last(self, name: str) -> bool:
        """Whether it leaves the network, and nothing in it reads it."""
        return name in self.graph.outputs and not self.readers[name]

    def code_of(self, name: str, site: str) -> str:
        """The code in which a value is sent, by the `site` that makes it: of changes only where sums read them."""
        if self._last(name):
            return GRADED
        code = self.coding.of(site)
        if code == SIGMA_DELTA and not (self.weighed(name) or all(FORMS[n.form].sums for n in self.readers[name])):
            return GRADED
        return code

    def weighed(self, name: str) -> bool:
        """Whether weights multiply the payloads of a value: then it has the width that was asked for, else a wide one."""
        if name not in self.multiplied:
            below = self.readers[name]
            through = (node.name for node in below if node.form in UNITS_KEPT)
            self.multiplied[name] = any(n.form in ("conv", "linear") for n in below) or any(map(self.weighed, through))
        return self.multiplied[name]

    def _maker(self, name: str) -> str:
        """The value whose unit a value has: what only moves or compares numbers keeps it."""
        node = self.nodes.get(name)
        return self._maker(node.inputs[0]) if node is not None and node.form in UNITS_KEPT else name

    def _join(self) -> None:
        """One unit for values that meet in a sum, where that costs few bits."""
        for node in self.graph.nodes:
            if node.form == "add":
                names = [self._maker(name) for name in node.inputs]
                most = max(self.of(name).scale.exponent for name in names)
                for name in names:
                    unit = self.of(name)
                    if most - unit.scale.exponent <= unit.bits - SPARE and name not in self.graph.integers:
                        self.known[name] = unit._replace(scale=Dyadic(1, most))
