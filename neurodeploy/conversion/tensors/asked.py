"""What the lowering of a form is given (`ops.tensors.asking.Ask`): its numbers in integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.coding import GRADED, RATE, SIGMA_DELTA, Coding, changing, spiking
from neurodeploy.conversion.tensors.sites import Site
from neurodeploy.conversion.tensors.weights import rows_of
from neurodeploy.errors import ModelError
from neurodeploy.ir.fixedpoint import (
    BIAS_MAX,
    STATE_BITS,
    STATE_MAX,
    Dyadic,
    Ints,
    multiply_shift,
)
from neurodeploy.ir.network import Projection
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.ir.population import Population
from neurodeploy.ir.tensors import Node, Shape
from neurodeploy.ops.host.lowering import Signal
from neurodeploy.ops.tensors.asking import Bend, FromValue, NormSeen, RoundedRows, Value, placed

#: Range of a sum over the largest that was seen.
SUM_HEADROOM = 2.0


class Populations(Protocol):
    """Where populations are kept."""

    populations: dict[str, Population]
    projections: list[Projection]

    coding: Coding

    def rewired(
        self, value: Value, order: Ints | None, unit: Unit | None = None, *, base: Floats | None = None
    ) -> Value: ...

    def recoded(self, value: Value, code: str) -> Value: ...


def _raised(unit: Unit) -> NDArray[np.uint8] | None:
    """Exponents of the axons of a value in these units."""
    return None if unit.exponent is None or not unit.exponent.any() else unit.exponent.astype(np.uint8)


@dataclass(slots=True, eq=False)
class Lowering:
    """`ops.tensors.asking.Ask` of one node."""

    node: Node
    inputs: Sequence[Value]
    unit: Unit
    bend: Bend | None
    weight_bits: int
    peaks: Floats
    own: Populations
    site: Site | None = None
    code: str = GRADED
    grouped: NormSeen | None = None

    def name(self, what: str = "") -> str:
        return f"{self.node.name}.{what}" if what else self.node.name

    def scaled(
        self, sources: Sequence[FromValue], shape: Shape, scale: Floats, bias: Floats | None, *, order: Ints | None,
        layout: Shape | None = None, reach: Floats | None = None,
    ) -> Value:  # fmt: skip
        size, sources = math.prod(shape), self._agreed(sources)
        peaks, unit = self.peaks, self.unit
        if unit.exponent is not None:  # by number so far
            exponent = np.empty(size, np.int64)
            exponent[placed(order, size)] = unit.exponent
            self.unit = unit._replace(exponent=exponent)
        natural = (
            np.broadcast_to(peaks.reshape(-1, *[1] * (len(shape) - 1)), shape)
            if len(peaks) == shape[0]
            else peaks.max()
        )
        by_neuron = np.empty(size)
        by_neuron[placed(order, size)] = np.broadcast_to(natural, shape).reshape(-1)
        sums = by_neuron / np.abs(scale) * SUM_HEADROOM
        sums = sums if reach is None else np.minimum(sums, reach)
        population = Population(
            self.name(), layout or (size,), *self._neurons(scale, bias, sums, shape, order, sources[0].value.changes)
        )
        projections = [
            Projection(
                f"{s.value.signal.population.name}->{population.name}.{n}", s.value.signal.population.name, population.name,
                s.synapse, graded=True, instant=True, weight_bits=min(self.weight_bits, 8),
                weight_exp=s.exponent, axon_exp=_raised(s.value.signal.unit),
            )
            for n, s in enumerate(sources)
        ]  # fmt: skip
        value = Value(Signal(population, 0, size, self.unit), shape, order, changes=self.code == SIGMA_DELTA)
        return self.made(population, projections, value)

    def _agreed(self, sources: Sequence[FromValue]) -> Sequence[FromValue]:
        """All as changes, or none. Of rates an input comes as changes: beside spikes, and where the steps of a sample are
        counted, it comes as spikes too."""
        rates, changes = self.own.coding.kind == RATE, [s.value.changes for s in sources]
        if (all(changes) and not (rates and self.code == GRADED)) or not any(changes):
            return sources
        code = RATE if rates else SIGMA_DELTA
        return [s if s.value.changes != rates else s._replace(value=self.own.recoded(s.value, code)) for s in sources]

    def maximum(self, x: Value, inputs: Ints) -> tuple[str, dict[str, int | Ints]]:
        given: dict[str, int | Ints] = {"inputs": inputs}
        if self.own.coding.kind == RATE:
            return "graded_max_delta", {**given, "value_bits": self.own.coding.steps.bit_length() + 1, "out_bits": 2}
        if not x.changes:
            return "graded_max", {**given, "out_bits": x.signal.unit.bits}
        params = changing(x.signal.unit, sums=True, changes=True, vth=0)
        return "graded_max_delta", {**given, **{name: params[name] for name in ("vth", "value_bits", "out_bits")}}

    def _neurons(
        self, scale: Floats, bias: Floats | None, sums: Floats, shape: Shape, order: Ints | None, changes: bool
    ) -> tuple[str, dict[str, int | Ints], dict[str, int | Ints]]:
        """Model, parameters and start of neurons that scale a sum and bend it; `changes` arrive."""
        if self.code == RATE:
            return "graded_rate", *spiking(self.name(), scale, bias, self.unit, self.bend, sums=changes)
        counted = self.own.coding.steps if self.own.coding.kind == RATE else 1
        params = self._numbers(scale / counted, bias, counted * float(sums.max(initial=1.0)), shape, order)
        sends = self.code == SIGMA_DELTA
        if not (changes or sends or counted > 1):
            return "graded_rectified", params, {}
        vth = self.own.coding.thresholds.get(self.name(), 0)
        return (
            "graded_sigma_delta",
            params | changing(self.unit, sums=changes or counted > 1, changes=sends, vth=vth),
            {},
        )

    def _numbers(
        self, scale: Floats, bias: Floats | None, sums: float, shape: Shape, order: Ints | None
    ) -> dict[str, int | Ints]:
        """Parameters of `neurons.graded_rectified`; sums : the largest that is to have room."""
        acc_shift = max(0, math.ceil(math.log2(max(sums, 1.0) / STATE_MAX)))
        bend, steps = self.bend or Bend(), self.unit.steps(scale.size)
        slope = np.ones_like(scale)
        if np.ndim(bend.slope):
            natural = np.broadcast_to(np.asarray(bend.slope).reshape(-1, *[1] * (len(shape) - 1)), shape)
            slope[placed(order, slope.size)] = natural.reshape(-1)
        else:
            slope *= float(bend.slope)
        larger = np.maximum(np.abs(scale), np.abs(scale * slope)) * 2.0**acc_shift
        # A multiplier has 15 bits: finer units of the result than that say nothing more.
        least = int(multiply_shift(larger / steps)[1].min())
        if least < 0:
            unit = self.unit.scale
            self.unit = self.unit._replace(scale=Dyadic(unit.mantissa, unit.exponent - least))
            steps = self.unit.steps(scale.size)
        ratio = scale * 2.0**acc_shift / steps
        _, shift = multiply_shift(larger / steps)
        multiplier, falling = (np.rint(np.ldexp(r, shift)).astype(np.int64) for r in (ratio, ratio * slope))
        params: dict[str, int | Ints] = {
            "multiplier": multiplier, "falling": falling, "shift": shift, "acc_shift": acc_shift,
            "state_bits": STATE_BITS, "out_bits": self.unit.bits,
        }  # fmt: skip
        if bias is not None:
            whole = np.rint(bias / scale)
            if np.abs(whole).max(initial=0) > BIAS_MAX:
                raise ModelError("ND1103", self.name(), "its bias dwarfs its weights", "check the weights")
            params["bias"] = whole.astype(np.int64)
        for name, end in (("low", bend.low), ("high", bend.high)):
            if math.isfinite(end):
                params[name] = int(np.clip(round(end / self.unit.scale.value), -STATE_MAX, STATE_MAX))
        return params

    def rows(self, weight: NDArray[np.floating], bias: Floats | None, x: Value) -> RoundedRows:
        return rows_of(weight, bias, self.weight_bits, x, self.site)

    def settled(
        self, value: Value, order: Ints | None, unit: Unit | None = None, *, base: Floats | None = None
    ) -> Value:
        if value.lies(order) and unit in (None, value.signal.unit) and base is None:
            return value
        return self.own.rewired(value, order, unit, base=base)

    def made(self, population: Population, projections: Sequence[Projection], value: Value) -> Value:
        self.own.populations[population.name] = population
        self.own.projections += projections
        return value
