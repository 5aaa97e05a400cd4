"""Square of a graded input, for a sum of squares.

Equation, a the exact sum at its port, kept in 32 bits::

    s[t] = saturate(round_shift(a[t]**2, shift), out_bits)

A shift for each neuron brings the squares of channels with units of their own to one unit. A payload of 32 bits leaves a
sum of squares its 31: with 24, one massive channel hides all others.

A neuron of our own: Loihi 2's neuron programs multiply (Intel, Loihi 2 technology brief, 2021). Counted in `saturated`:
inputs beyond 32 bits; in `saturated_out`: each s that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import round_shift
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REGISTER_BITS, held, largest_held

PARAMS = {
    "shift": Param(0, 62, "right shift of the square", 0),
    "state_bits": Param(2, REGISTER_BITS, "width of an input that is held", REGISTER_BITS, per_neuron=False),
    "out_bits": Param(2, REGISTER_BITS, "width of a payload", REGISTER_BITS, per_neuron=False),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    a = held(on, inputs["a"])
    return {"s": on.saturate_payload(on.rounded(a * a, params["shift"]), int(params["out_bits"].item()))}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the input and of s, from the largest sum."""
    square = np.full(1, largest_held(largest["a"]) ** 2, np.int64)
    return {"a": largest["a"], "s": int(round_shift(square, params["shift"]).max())}


MODEL = NeuronModel(
    name="graded_square",
    params=PARAMS,
    equation=equation,
    ports={"a": Port(exact=True)},
    out_bits=REGISTER_BITS,
    reach=reach,
)
