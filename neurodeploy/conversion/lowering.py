"""Host operations that can be populations are: a pass from a program to a program in which they are on the chip.

An operation is lowered (`neurodeploy.ops.host.lowering`) where all that it reads is on the chip: what a linear layer
gives, or another operation that was lowered. A linear layer that reads what such an operation gives gets it without a
border: its input population is no longer fed by the host, but rescales::

    x_j = saturate(round_shift(s_j * multiplier_j, shift_j), bits)      multiplier_j * 2**-shift_j = signal / input step of j

What the host still reads is decoded, nothing else. A program without such operations comes back as it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints, multiply_shift, signed_max
from neurodeploy.ir.graph import HostOp, WeightStore
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.neurons.registry import payload_bits
from neurodeploy.ops import lookup
from neurodeploy.ops.host.lowering import Signal, ToLower


def lower(program: Program, weights: WeightStore) -> Program:
    """The program with every operation on the chip that has a lowering and its inputs there."""
    if not any(lookup(op).lowering for op in program.operations):
        return program
    lowering = _Lowering(program, weights)
    for step in program.host:
        lowering.take(step)
    return lowering.program()


class _Lowering:
    """The program so far. signals : host values that are on the chip. moved : those that lowered operations make."""

    def __init__(self, program: Program, weights: WeightStore) -> None:
        self.given, self.weights = program, weights
        self.populations = dict(program.network.populations)
        self.projections = list(program.network.projections)
        self.host: list[HostStep] = []
        self.signals: dict[str, Signal] = {}
        self.moved: set[str] = set()

    def take(self, step: HostStep) -> None:
        if isinstance(step, Decode):
            self._decode(step)
        elif isinstance(step, Encode):
            if step.value not in self.moved or not self._rescale(step):
                self.host.append(step)
        elif not self._lower(step):
            self.host.append(step)

    def _decode(self, step: Decode) -> None:
        population = self.populations[step.population]
        largest = signed_max(payload_bits(population))
        ends = [(part.start, part.stop) for part in population.sections] or [(0, population.size)]
        for value, (start, stop) in zip(step.values, ends, strict=True):
            self.signals[value] = Signal(population, start, stop, step.scale, largest)
        self.host.append(step)

    def _lower(self, op: HostOp) -> bool:
        how = lookup(op).lowering
        if how is None or not all(name in self.signals for name in op.inputs):
            return False
        made = how(ToLower(op, [self.signals[name] for name in op.inputs], self.weights))
        if made is None:
            return False
        self.populations |= {population.name: population for population in made.populations}
        self.projections += made.projections
        for value, signal in zip(op.outputs, made.outputs, strict=True):
            self.signals[value] = signal
            self.moved.add(value)
            self.host.append(Decode(signal.population.name, signal.scale, (value,)))
        return True

    def _rescale(self, step: Encode) -> bool:
        """Whether the input population of a layer can be one that rescales what is there."""
        signal, old = self.signals[step.value], self.populations[step.population]
        (layer,) = self.given.network.out_of(old.name)
        exponents = np.zeros(old.size, np.int64) if layer.axon_exp is None else layer.axon_exp.astype(np.int64)
        multiplier, shift = multiply_shift(np.ldexp(signal.scale.value / step.scale.value, -exponents))
        if (shift < 0).any():
            return False
        params: dict[str, int | Ints] = {"multiplier": multiplier, "shift": shift.astype(np.uint8)}
        params["out_bits"], params["state_bits"] = payload_bits(old), STATE_BITS
        new = replace(old, model="graded_affine", params=params, layer=self.populations[layer.target].layer)
        self.populations[old.name] = new
        self.projections.append(signal.into(new))
        return True

    def program(self) -> Program:
        """What nobody on the host reads is not decoded, and leaves no core."""
        read = {name for step in self.host for name in step.inputs} | {self.given.output}
        host = [step for step in self.host if not isinstance(step, Decode) or read & set(step.values)]
        outputs = tuple(step.population for step in host if isinstance(step, Decode))
        network = replace(
            self.given.network, populations=self.populations, projections=tuple(self.projections), outputs=outputs
        )
        return replace(self.given, network=network, host=tuple(host))
