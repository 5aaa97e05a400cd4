"""What a neuron model is: names, parameters with ranges, state with bits, and its equation, which both steps take.

One file a model states the equation, the source of each rule, and a `MODEL` made of these types; `registry.py` lists
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import Integers, Reals

Values = dict[str, Ints]
Arrays = Mapping[str, Ints]


class Stepped(NamedTuple):
    """Payloads by output port, (samples, size) int64 in the range of int32; values that wrapped; values of the state
    that were clipped; payloads that were."""

    outputs: Values
    wrapped: int
    saturated: int
    saturated_out: int


@dataclass(frozen=True, slots=True)
class Port:
    """An input port: how the numbers that reach it add up (`neurodeploy.ir.network`).

    exact : in int64 without any wrap; no sum exceeds `EXACT_END` (`registry.check_network` proves it). Otherwise as Lava's
        int32 arrays: what does not fit 32 bits wraps, and is counted.
    """

    exact: bool = False


#: No sum at an exact port reaches this magnitude: a bias and a rounding still fit int64.
EXACT_END = 2**62


@dataclass(frozen=True, slots=True)
class Param:
    """An integer parameter: its range, its meaning and unit, the value when none is given (None: it must be given).

    chip : the range of the chip's register where that is narrower than what Lava computes with.
    table : an array (1, entries) of any length, not of the neurons but of the population: a core keeps it once.
    """

    low: int
    high: int
    meaning: str
    default: int | None = None
    per_neuron: bool = True
    chip: tuple[int, int] | None = None
    table: bool = False


@dataclass(frozen=True, slots=True)
class StateVar:
    """A state variable: its width on the chip, and how it starts: an integer or the name of a parameter.

    bits : what the chip has (Lava's `precision`) and what memory is counted by. Lava computes in int32 arrays, so the
        arithmetic of its models is the one that each model's file states, and a value can leave these bits.
    shift : bits by which the initial value is shifted to the left (Lava's alignment of a threshold).
    settable : False where the model itself says how it starts, so that a population cannot.
    memory : not a number of a neuron but rows that the population writes as it goes, one a step (`NeuronModel.memory`):
        int16 (samples, rows written so far, numbers), and it starts without one.
    """

    bits: int
    meaning: str
    initial: int | str = 0
    shift: int = 0
    settable: bool = True
    memory: bool = False


class Passing(NamedTuple):
    """A neuron sends once this state passes ``params[param] << shift``, in the units of the state."""

    state: str
    param: str
    shift: int


class Memory(NamedTuple):
    """A state of a population as a whole: rows that it writes, one a step, over the oldest once it has `rows` of them;
    `numbers` in a row, of so many bits. In a step each number is multiplied for each of its `readers` (neurons), and each
    row makes so many `values` that are no sum; every core that holds rows needs all that comes to the ports in `asks`.
    `all` : no row may give way to another, so that nothing may run for longer."""

    rows: int
    numbers: int
    bits: int
    readers: int = 1
    values: int = 0
    asks: tuple[str, ...] = ()
    all: bool = False


#: ``equation(on, params, state, inputs, t) -> payloads by output port``, in the arithmetic `on`. `params` name -> array
#: broadcastable to (samples, size); `state` is changed in place (entries replaced); `inputs` has every port, zeros where
#: nothing arrives; t counts from 1.
Equation = Callable[[Any, Arrays, Values, Arrays, int], Values]
#: What is wrong with parameters taken together and what to do about it; None where nothing is.
Consistent = Callable[[Arrays], tuple[str, str] | None]
#: ``reach(params, largest sum at each port) -> the largest magnitude of each value that is clipped, before it is``.
Reach = Callable[[Arrays, Mapping[str, int]], dict[str, int]]


@dataclass(frozen=True, slots=True, eq=False)
class NeuronModel:
    """A neuron model.

    equation : one time step, in integers or in real numbers.
    lava : the process and ProcessModel whose arithmetic it is, None for a model of our own.
    ports, outputs : input and output ports, the first is the default.
    out_bits : width of a payload; of 1, only 0 and 1 are sent.
    consistent : checks the parameters against one another, beyond their ranges.
    real : the equation in real numbers, where it is another formula than that of the integers.
    reach : bounds of states and payloads that are clipped to their widths; None: nothing bounds them.
    constants : bits of tables that are the same in every population: a core with its neurons keeps them.
    memory : of parameters, how large each state is that is a memory.
    thresholds : those that parameters set and a state passes.
    """

    name: str
    equation: Equation
    params: Mapping[str, Param] = field(default_factory=dict)
    state: Mapping[str, StateVar] = field(default_factory=dict)
    lava: str | None = None
    ports: Mapping[str, Port] = field(default_factory=lambda: {"a": Port()})
    outputs: tuple[str, ...] = ("s",)
    out_bits: int = 1
    consistent: Consistent = lambda params: None
    real: Equation | None = None
    reach: Reach | None = None
    constants: int = 0
    memory: Callable[[Arrays], Memory] = lambda params: Memory(0, 0, 0)
    thresholds: tuple[Passing, ...] = ()

    def step(self, params: Arrays, state: Values, inputs: Arrays, t: int) -> Stepped:
        """One time step in int64. Inputs are in the range of int32 (of `EXACT_END` at an exact port)."""
        on = Integers()
        sent = self.equation(on, params, state, inputs, t)
        outputs = {port: payload.astype(np.int64, copy=False) for port, payload in sent.items()}
        return Stepped(outputs, on.wrapped, on.saturated, on.saturated_out)

    def float_step(self, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
        """The same in float64, never rounded, wrapped or clipped. Parameters are those of the integer step, in its units: a
        decay of 12 bits is still divided by 4096."""
        sent = (self.real or self.equation)(Reals(), params, state, inputs, t)
        return {port: payload.astype(np.float64, copy=False) for port, payload in sent.items()}

    @property
    def graded(self) -> bool:
        """Whether payloads other than 0 and 1 are sent."""
        return self.out_bits > 1

    @property
    def state_bits(self) -> int:
        """Bits of state a neuron, memories left aside."""
        return sum(variable.bits for variable in self.state.values() if not variable.memory)

    @property
    def memories(self) -> tuple[str, ...]:
        """State variables that are memories."""
        return tuple(name for name, variable in self.state.items() if variable.memory)
