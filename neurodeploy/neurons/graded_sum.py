"""Sum of two graded inputs whose units differ by powers of two: the residual stream of a language model.

Equation, a and b the exact sums at the two ports, each kept in 32 bits::

    s[t] = saturate(round_shift((a[t] << a_exp) + (b[t] << b_exp), shift), out_bits)

An exponent for each neuron is what a stream needs in which one channel is ten thousand times the others: each keeps all of
its 24 bits. saturate clips to the symmetric range of so many bits, round_shift rounds half up (`ir.fixedpoint`).

A neuron of our own: shifts and sums of two compartments are instructions of Loihi 2's neuron programs (Intel, Loihi 2
technology brief, 2021). Counted in `saturated`: inputs beyond 32 bits; in `saturated_out`: each s that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import SHIFT_MAX, STATE_BITS, round_shift
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REGISTER_BITS, held, largest_held

#: Two registers of 32 bits, shifted by so much, add up within 63 bits.
EXPONENT_MAX = 28

PARAMS = {
    "a_exp": Param(0, EXPONENT_MAX, "left shift of the first input", 0),
    "b_exp": Param(0, EXPONENT_MAX, "left shift of the second input", 0),
    "shift": Param(0, SHIFT_MAX, "right shift of the sum", 0),
    "state_bits": Param(2, REGISTER_BITS, "width of an input that is held", REGISTER_BITS, per_neuron=False),
    "out_bits": Param(2, REGISTER_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    a, b = (on.scaled(held(on, inputs[port]), params[f"{port}_exp"]) for port in "ab")
    return {"s": on.saturate_payload(on.rounded(a + b, params["shift"]), int(params["out_bits"].item()))}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the inputs and of s, from the largest sums."""
    a, b = (largest_held(largest[port]) << params[f"{port}_exp"] for port in "ab")
    return {"a, b": max(largest["a"], largest["b"]), "s": int(round_shift(a + b, params["shift"]).max())}


MODEL = NeuronModel(
    name="graded_sum",
    params=PARAMS,
    equation=equation,
    ports={"a": Port(exact=True), "b": Port(exact=True)},
    out_bits=STATE_BITS,
    reach=reach,
)
