"""`ValueUnits`: in which unit, width and code each value of a network of tensors is written."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from neurodeploy.conversion.tensors.calibrate import WIDE_BITS, Seen, exponent_of
from neurodeploy.conversion.tensors.coding import (
    GRADED,
    PLAIN,
    RATE,
    RATE_INPUT_BITS,
    SIGMA_DELTA,
    Coding,
    rate_exponent,
)
from neurodeploy.conversion.tensors.sites import WEIGHING, Written
from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.tensors import Node, TensorGraph
from neurodeploy.ops.tensors import FORMS
from neurodeploy.ops.tensors.curve import bend_of

#: ValueUnits of values that are added are made equal where that takes no more bits than this away from the narrowest.
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

    @property
    def narrow(self) -> bool:
        """Whether so few that what weights multiply is written for them alone."""
        return self.payload < WIDE_BITS


@dataclass(slots=True, eq=False)
class ValueUnits:
    """columns : exponents by column of values whose makers write them for weights (`conversion.tensors.sites`). Of rates no
    payload is narrow: an input has `RATE_INPUT_BITS` at most, all others are spikes. states : inputs that the network feeds
    itself."""

    graph: TensorGraph
    seen: Mapping[str, Seen]
    bits: Bits
    coding: Coding = PLAIN
    states: Collection[str] = ()
    readers: dict[str, list[Node]] = field(init=False)
    nodes: dict[str, Node] = field(init=False)
    columns: dict[str, list[int]] = field(default_factory=dict)
    _units: dict[str, Unit] = field(default_factory=dict)
    _multiplied: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.readers = self.graph.readers()
        self.nodes = {node.name: node for node in self.graph.nodes}
        if self.coding.kind == RATE:
            self.bits = replace(self.bits, payload=RATE_INPUT_BITS)
        else:
            self._join()

    def of(self, name: str) -> Unit:
        if name not in self._units:
            self._units[name] = self._unit(name)
        return self._units[name]

    def _unit(self, name: str) -> Unit:
        if name in self.graph.integers:
            return Unit(Dyadic(1, 0), STATE_BITS)
        if self.coding.kind == RATE and name not in self.graph.inputs and not self._last(name):
            seen = self.seen[name]
            return Unit(Dyadic(1, rate_exponent(seen.some, seen.peak, self.coding.steps)), 2)
        if self._direct(name):
            written = self.written(self.readers[name][0].form, name)
            if written.base is None:
                self.columns[name] = written.columns.tolist()
                return written.unit
        given = name in self.graph.inputs and name not in self.states
        bits = self.bits.payload if self._weighed(name) else GIVEN if given else WIDE
        return Unit(Dyadic(1, exponent_of(self.seen[name], bits)), bits)

    def _last(self, name: str) -> bool:
        """Whether it leaves the network, and nothing in it reads it."""
        return name in self.graph.outputs and not self.readers[name]

    def code_of(self, name: str, site: str) -> str:
        """The code in which a value is sent, by the `site` that makes it: of changes only where sums read them, and where
        weights do not read it in a narrower payload: that one has the code then."""
        code = self.coding.of(site)
        if self._last(name):
            return GRADED
        if code != SIGMA_DELTA:
            return code
        if self.bits.narrow and self._read_by_weights(name):
            self.of(name)  # says whether its maker writes it for weights
            return code if name in self.columns else GRADED
        sums = all(FORMS[node.form].sums for node in self.readers[name])
        return code if sums or self._read_by_weights(name) else GRADED

    def _read_by_weights(self, name: str) -> bool:
        if name not in self._multiplied:
            below = self.readers[name]
            through = (node.name for node in below if node.form in UNITS_KEPT)
            self._multiplied[name] = any(n.form in WEIGHING for n in below) or any(map(self._read_by_weights, through))
        return self._multiplied[name]

    def _weighed(self, name: str) -> bool:
        """Whether a value has the width that was asked for, since weights multiply its payloads, else a wide one. Narrow
        payloads are written for weights alone."""
        return self._read_by_weights(name) and not self.bits.narrow

    def _direct(self, name: str) -> bool:
        """Whether the neurons that make a value write its narrow payloads: readers of one kind, and no limit but 0."""
        node, forms = self.nodes.get(name), {reader.form for reader in self.readers[name]}
        if node is not None and node.form == "rectify":
            bend, node = bend_of(node), self.nodes.get(node.inputs[0])
            if not {bend.low, bend.high} <= {0.0, -math.inf, math.inf}:
                return False
        alone = len(forms) == 1 and forms <= set(WEIGHING) and name not in self.graph.outputs
        return self.bits.narrow and alone and node is not None and node.form in WEIGHING

    def written(self, form: str, name: str) -> Written:
        return self.seen[name].sites[form].coding(name, math.prod(self.graph.shapes()[name]), self.bits.payload)

    def uneven(self, form: str, name: str) -> bool:
        """Whether an input of the network comes in two payloads."""
        site, size = self.seen[name].sites[form], math.prod(self.graph.shapes()[name])
        given = self.graph.inputs.keys() - self.states
        return self._maker(name) in given and site.uneven(name, size, self.bits.payload)

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
                        self._units[name] = unit._replace(scale=Dyadic(1, most))
