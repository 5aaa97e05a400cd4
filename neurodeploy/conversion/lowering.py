"""Host operations that can be populations are: a pass from a program to a program in which they are on the chip.

An operation is lowered (`neurodeploy.ops.host.lowering`) where it has a way to be, and calibration has seen it: what a
linear layer or another operation gives is there already, what the host gives is encoded once, with all bits of a state. So
the residual stream of a language model, its norms, gates and products stay on the chip, and the host keeps what has no
lowering.

What an operation gives is made in the units in which it is read:

- A linear layer alone: its payloads. The operation's population takes the place of the layer's input population.
- Operations on the chip: 24 bits, and a power of two for each channel, `HEADROOM` above what calibration saw there. What
  goes only into a sum has the units of the sum; a linear layer's rows are scaled to them by their own multipliers.
- The host, or several of these: 24 bits and one unit, rescaled for a linear layer by a population of its own::

    x_j = saturate(round_shift(s_j * multiplier_j, shift_j), bits)
    multiplier_j * 2**-shift_j = unit of s_j / unit of x_j

What the host still reads is decoded, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from neurodeploy.conversion import record
from neurodeploy.conversion.choice import EVERY, choice_of, chosen
from neurodeploy.conversion.units import ratio_of, units_of
from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic, Ints, multiply_shift
from neurodeploy.ir.graph import Attr, HostOp, ModelInfo, WeightStore
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.neurons.registry import memory_of, payload_bits
from neurodeploy.ops import lookup
from neurodeploy.ops.host.lowering import Floats, Made, Measured, Remembered, Signal, ToLower, Unit


def lower(program: Program, weights: WeightStore, measured: Mapping[str, Measured], kept: Remembered) -> Program:
    """The program with every operation of `measured` on the chip that can be there; attention keeps what `kept` says."""
    if not measured:
        return program
    lowering = _Lowering(program, weights, measured, kept)
    for step in program.host:
        lowering.take(step)
    apart = lowering.apart()
    if apart:
        return lower(program, weights, {path: found for path, found in measured.items() if path not in apart}, kept)
    return lowering.program()


class _Lowering:
    """The program so far. signals : host values that are on the chip. moved : those that are made there."""

    def __init__(
        self, program: Program, weights: WeightStore, measured: Mapping[str, Measured], kept: Remembered
    ) -> None:
        self.given, self.weights, self.measured, self.kept = program, weights, measured, kept
        self.sizes = dict(program.sizes)
        self.positional: dict[tuple[object, ...], Signal] = {}
        self.populations = dict(program.network.populations)
        self.projections = list(program.network.projections)
        self.host: list[HostStep] = []
        self.signals: dict[str, Signal] = {}
        self.moved: set[str] = set()
        self.units: dict[str, Unit] = {}
        self.done: list[dict[str, object]] = []
        self.readers: dict[str, list[HostStep]] = {}
        for step in program.host:
            for name in step.inputs:
                self.readers.setdefault(name, []).append(step)

    def take(self, step: HostStep) -> None:
        if isinstance(step, Decode):
            self._decode(step)
        elif isinstance(step, Encode):
            if step.value not in self.moved or not self._feed(step):
                self.host.append(step)
        elif not self._lower(step):
            for value in step.inputs:
                self._returned(value)
            self.host.append(step)

    def _decode(self, step: Decode) -> None:
        population = self.populations[step.population]
        ends = [(part.start, part.stop) for part in population.sections] or [(0, population.size)]
        self.units[population.name] = Unit(step.scale, payload_bits(population))
        for value, (start, stop) in zip(step.values, ends, strict=True):
            self.signals[value] = Signal(population, start, stop, Unit(step.scale, payload_bits(population)))
            self.moved.add(value)
        self.host.append(step)

    def _lower(self, op: HostOp) -> bool:
        how, measured = lookup(op).lowering, self.measured.get(op.path)
        if how is None or measured is None or not self._beside_chip(op):
            return False
        before = list(self.host), dict(self.populations), list(self.projections), dict(self.signals), dict(self.units)
        inputs = [self._signal(name, measured.inputs[i]) for i, name in enumerate(op.inputs)]
        wanted = [self._wanted(op, *each) for each in zip(op.outputs, measured.outputs, strict=True)]
        aligned = partial(self._aligned, op)
        made = how(ToLower(op, inputs, self.weights, measured, wanted, aligned, self._by_position, self.kept))
        if made is None:
            self.host, self.populations, self.projections, self.signals, self.units = before
            return False
        for population in made.populations:
            self.populations[population.name] = population
        self.projections += made.projections
        self.done.append(record.lowered(op, before[1], self.populations))
        for value, signal in zip(op.outputs, made.outputs, strict=True):
            self.signals[value] = self._told(signal)
            self.moved.add(value)
            if signal.unit.exponent is None:
                self.host.append(Decode(signal.population.name, signal.unit.scale, (value,)))
        return True

    def _signal(self, value: str, peak: Floats) -> Signal:
        """A value on the chip: the host encodes it where it is not there."""
        if value not in self.signals:
            unit = units_of(peak, flat=True)
            population = Population(f"{value}.stream", (peak.size,), INPUT, {"bits": STATE_BITS})
            self.populations[population.name] = population
            self.host.append(Encode(value, population.name, unit.scale))
            self.signals[value] = Signal(population, 0, peak.size, unit)
        return self.signals[value]

    def _returned(self, value: str) -> None:
        """What was made for the chip alone, in units of its own for each channel, is decoded after all where the operation
        that reads it stays on the host."""
        signal = self.signals.get(value)
        if signal is not None and value in self.moved and signal.unit.exponent is not None:
            coarsest = int(signal.unit.exponent.max())
            scale = Dyadic(signal.unit.scale.mantissa, signal.unit.scale.exponent + coarsest)
            flat = self._rescaled(signal, Made(f"{value}.returned", Unit(scale, STATE_BITS)), None)
            self.host.append(Decode(flat.population.name, scale, (value,)))
            self.signals[value] = flat

    def _told(self, signal: Signal) -> Signal:
        """A signal of a whole population, whose units the program is to know."""
        self.units[signal.population.name] = signal.unit
        return signal

    def _wanted(self, maker: HostOp, value: str, peak: Floats) -> Made:
        """Name and units of what `maker` is to make for those who read a value."""
        readers = self.readers.get(value, [])
        step = readers[0] if len(readers) == 1 else None
        if isinstance(step, Encode) and lookup(maker).shifts:  # rescaled for the layer
            return Made(value, units_of(peak, flat=True))
        if isinstance(step, Encode):
            chooses = choice_of(self.given.network.populations[step.population])
            return Made(EVERY.format(step.population) if chooses else step.population, self._code(step))
        ops = [step for step in readers if isinstance(step, HostOp) and self._may_lower(step)]
        flat = len(ops) < max(len(readers), 1) or any(lookup(op).flat for op in ops)
        if len(ops) == len(readers) == 1 and ops[0].op == "add":
            found = self.measured[ops[0].path]
            return Made(value, units_of(np.maximum.reduce([*found.inputs, *found.outputs]), flat=False))
        return Made(value, units_of(peak, flat=flat))

    def _beside_chip(self, op: HostOp) -> bool:
        """Whether an input of an operation is on the chip, or may one that reads it be: else it would cross for nothing."""
        readers = [step for value in op.outputs for step in self.readers.get(value, [])]
        after = any(
            isinstance(step, Encode) or (isinstance(step, HostOp) and self._may_lower(step)) for step in readers
        )
        return after or any(value in self.signals for value in op.inputs)

    def apart(self) -> set[str]:
        """Operations that must be on the host because others are: of a layer's experts all are on the chip or none, for on
        the host an expert's values have the rows of its tokens, on the chip of all. Experts that add something to nothing
        are on the host too."""
        experts = [op for op in self.given.operations if lookup(op).experts(op)]
        left = {op.layer for op in experts if op.outputs[0] not in self.moved}
        own = [p for p in self.populations.values() if p.expert is not None]
        left |= {p.layer for p in own if np.any(np.asarray(p.params.get("bias", 0)))}
        return {op.path for op in experts if op.layer in left and op.outputs[0] in self.moved}

    def _may_lower(self, op: HostOp) -> bool:
        return lookup(op).lowering is not None and op.path in self.measured

    def _code(self, step: Encode) -> Unit:
        """The units of a linear layer's payloads."""
        (layer,) = self.given.network.out_of(step.population)
        exponent = None if layer.axon_exp is None else layer.axon_exp.astype(np.int64)
        return Unit(step.scale, payload_bits(self.given.network.populations[step.population]), exponent)

    def _aligned(self, op: HostOp, number: int, unit: Unit) -> Signal:
        """`ToLower.aligned`."""
        value = op.inputs[number]
        signal = self.signals[value]
        if signal.unit.binary:
            return signal
        steps, wanted = signal.steps(), unit.logs(signal.size)
        own = self.readers[value] == [op] and signal.population.model == "graded_affine"
        if own and signal.size == signal.population.size:
            return self._scaled_rows(value, signal, steps, wanted)
        found = Made(f"{op.path}.{number}", Unit.of_logs(wanted, STATE_BITS))
        _, _, coarser = ratio_of(steps, wanted)
        found = found._replace(unit=Unit.of_logs(wanted + coarser, STATE_BITS))
        return self._rescaled(signal, found, None)

    def _by_position(self, name: str, attrs: Mapping[str, Attr], size: int, unit: Unit) -> Signal:
        """`ToLower.by_position`. An operation that asks for it is lowered."""
        key = (name, size, *sorted(attrs.items()))
        if key not in self.positional:
            value = f"{name}.{len(self.positional)}"
            population = Population(f"{value}.stream", (size,), INPUT, {"bits": unit.bits})
            self.populations[population.name], self.sizes[value] = population, size
            self.host += [
                HostOp(value, name, (self.given.input,), (value,), attrs), Encode(value, population.name, unit.scale),
            ]  # fmt: skip
            self.positional[key] = Signal(population, 0, size, unit)
        return self.positional[key]

    def _scaled_rows(self, value: str, signal: Signal, steps: Floats, wanted: Ints) -> Signal:
        """The rows of a linear layer with the units `wanted`, or coarser ones where a multiplier is not so large."""
        old = signal.population
        factor = np.ldexp(np.asarray(old.params["multiplier"], np.float64), -np.asarray(old.params["shift"], np.int64))
        multiplier, shift, coarser = ratio_of(steps * factor, wanted)
        params = {**old.params, "multiplier": multiplier, "shift": shift, "out_bits": STATE_BITS}
        population = replace(old, params=params)
        self.populations[old.name] = population
        found = Signal(population, signal.start, signal.stop, Unit.of_logs(wanted + coarser, STATE_BITS))
        self.signals[value] = self._told(found)
        self.host = [step for step in self.host if not isinstance(step, Decode) or step.population != old.name]
        return found

    def _feed(self, step: Encode) -> bool:
        """Whether the input population of a layer can be one that gets what is there."""
        signal, old = self.signals[step.value], self.populations[step.population]
        if signal.population is old:
            return True
        unit, choice = self._code(step), choice_of(self.given.network.populations[old.name])
        every = EVERY.format(old.name)
        if choice and signal.population.name == every:
            self._choose(old.name, signal, choice)
            return True
        ratio = signal.steps() / unit.steps(signal.size)
        if (multiply_shift(ratio)[1] < 0).any():
            return False
        (layer,) = self.given.network.out_of(old.name)
        made = Made(every if choice else old.name, unit)
        rescaled = self._rescaled(signal, made, self.populations[layer.target].layer)
        if choice:
            self._choose(old.name, rescaled, choice)
        return True

    def _choose(self, name: str, every: Signal, choice: Mapping[str, int]) -> None:
        self.populations[name], projections = chosen(name, every, choice)
        self.projections += projections
        self._told(Signal(self.populations[name], 0, every.size, every.unit))

    def _rescaled(self, signal: Signal, wanted: Made, layer: int | None) -> Signal:
        """A population that sends what is there in other units."""
        multiplier, shift = multiply_shift(signal.steps() / wanted.unit.steps(signal.size))
        params: dict[str, int | Ints] = {"multiplier": multiplier, "shift": shift.astype(np.uint8)}
        params["out_bits"], params["state_bits"] = wanted.unit.bits, STATE_BITS
        population = Population(wanted.name, (signal.size,), "graded_affine", params, layer=layer)
        self.populations[wanted.name] = population
        self.projections.append(signal.into(population))
        return self._told(Signal(population, 0, signal.size, wanted.unit))

    def program(self) -> Program:
        """What nobody on the host reads is not decoded, and leaves no core."""
        read = {name for step in self.host for name in step.inputs} | {self.given.output}
        populations = {name: self._thresholded(p) for name, p in self.populations.items()}
        host = [step for step in self.host if not isinstance(step, Decode) or read & set(step.values)]
        outputs = tuple(step.population for step in host if isinstance(step, Decode))
        network = replace(
            self.given.network, populations=populations, projections=tuple(self.projections), outputs=outputs
        )
        border = {step.population for step in host if isinstance(step, Encode | Decode)}
        units = {name: unit for name, unit in self.units.items() if name in self.populations and name not in border}
        told = {"lowered": self.done, "host": [record.told(step) for step in self.given.host]}
        return replace(
            self.given, network=network, host=tuple(host), units=units, sizes=self.sizes, info=self._info(),
            conversion={**self.given.conversion, **told},
        )  # fmt: skip

    def _thresholded(self, population: Population) -> Population:
        """What has taken the place of an input has its thresholds."""
        before = self.given.network.populations.get(population.name)
        if before is None or "vth" not in before.params or population.model == INPUT:
            return population
        return replace(population, params={**population.params, "vth": before.params["vth"]})

    def _info(self) -> ModelInfo:
        """Of a model that remembers fewer positions than it could see: no text is longer."""
        kept = [memory_of(population) for population in self.populations.values()]
        info = self.given.info
        return replace(info, max_positions=min([info.max_positions, *(memory.rows for memory in kept if memory.all)]))
