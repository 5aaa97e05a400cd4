"""What a neuron model is: names, parameters with ranges, state with bits, and its step in integers and in real numbers.

One file a model states the equation, the source of each rule, and a `MODEL` made of these types; `registry.py` lists
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints

Values = dict[str, Ints]
FloatValues = dict[str, NDArray[np.float64]]


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
    """

    low: int
    high: int
    meaning: str
    default: int | None = None
    per_neuron: bool = True
    chip: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class StateVar:
    """A state variable: its width on the chip, and how it starts: an integer or the name of a parameter.

    bits : what the chip has (Lava's `precision`) and what memory is counted by. Lava computes in int32 arrays, so the
        arithmetic of its models is the one that each model's file states, and a value can leave these bits.
    shift : bits by which the initial value is shifted to the left (Lava's alignment of a threshold).
    settable : False where the model itself says how it starts, so that a population cannot.
    """

    bits: int
    meaning: str
    initial: int | str = 0
    shift: int = 0
    settable: bool = True


#: ``step(params, state, inputs, t) -> Stepped``. `params` name -> int64 array broadcastable to (samples, size); `state` is
#: changed in place (entries replaced); `inputs` has every port, zeros where nothing arrives, int64 in the range of int32
#: (of `EXACT_END` at an exact port); t counts from 1.
IntegerStep = Callable[[Mapping[str, Ints], Values, Mapping[str, Ints], int], Stepped]
#: ``float_step(params, state, inputs, t) -> outputs``: the same equation in real numbers, never rounded, wrapped or clipped.
#: The parameters are those of the integer step, in its units: a decay of 12 bits is still divided by 4096.
FloatStep = Callable[
    [Mapping[str, NDArray[np.float64]], FloatValues, Mapping[str, NDArray[np.float64]], int], FloatValues
]
#: What is wrong with parameters taken together and what to do about it; None where nothing is.
Consistent = Callable[[Mapping[str, Ints]], tuple[str, str] | None]
#: ``reach(params, largest sum at each port) -> the largest magnitude of each value that is clipped, before it is``.
Reach = Callable[[Mapping[str, Ints], Mapping[str, int]], dict[str, int]]


def always_consistent(params: Mapping[str, Ints]) -> tuple[str, str] | None:
    """Any values within the ranges go together."""
    return None


@dataclass(frozen=True, slots=True, eq=False)
class NeuronModel:
    """A neuron model.

    lava : the process and ProcessModel whose arithmetic it is, None for a model of our own.
    ports, outputs : input and output ports, the first is the default.
    graded : payloads other than 0 and 1 are sent.
    out_bits : width of a payload.
    consistent : checks the parameters against one another, beyond their ranges.
    reach : bounds of states and payloads that are clipped to their widths; None: nothing bounds them.
    """

    name: str
    lava: str | None
    params: Mapping[str, Param]
    state: Mapping[str, StateVar]
    step: IntegerStep
    float_step: FloatStep
    ports: Mapping[str, Port] = field(default_factory=lambda: {"a": Port()})
    outputs: tuple[str, ...] = ("s",)
    graded: bool = False
    out_bits: int = 1
    consistent: Consistent = always_consistent
    reach: Reach | None = None

    @property
    def state_bits(self) -> int:
        """Bits of state a neuron."""
        return sum(variable.bits for variable in self.state.values())
