"""Rotation of a pair of graded inputs by an angle that comes with them: rotary positions of queries and keys.

Equation of one of a pair, a its own value, b the other's with its sign, c and d cosine and sine, the exact sums at the four
ports::

    s[t] = requantised((a[t] (c[t] + c_bias) << a_exp) + (b[t] d[t] << b_exp))                     `neurons/registers.py`

a and b are kept in 24 bits, c and d in 18. A neuron that is not rotated has c_bias = 1 in the units of c, and no other input
than a. The exponents bring the units of both to the finer one where they are powers of two apart.

A neuron of our own: Loihi 2's neuron programs multiply (Intel, Loihi 2 technology brief, 2021). Counted in `saturated`:
inputs beyond their bits, states that were clipped; in `saturated_out`: each s.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import STATE_BITS, signed_max
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REQUANTISE, reach_requantised, requantised

#: Bits of a cosine, and how far the units of a pair may be apart: products of 24 and 18 bits and a sum of two fit 63.
FACTOR_BITS, EXPONENT_MAX = 18, 19

PARAMS = {
    "a_exp": Param(0, EXPONENT_MAX, "left shift of the first product", 0),
    "b_exp": Param(0, EXPONENT_MAX, "left shift of the second product", 0),
    "c_bias": Param(0, 2 ** (FACTOR_BITS - 1) - 1, "added to the cosine", 0),
    **REQUANTISE,
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    a, b = (on.saturate(inputs[port], STATE_BITS) for port in "ab")
    c = on.saturate(inputs["c"] + params["c_bias"], FACTOR_BITS)
    d = on.saturate(inputs["d"], FACTOR_BITS)
    return {"s": requantised(on, on.scaled(a * c, params["a_exp"]) + on.scaled(b * d, params["b_exp"]), params)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the inputs, and of state and payload, from the largest sums."""
    most = {port: min(largest[port], signed_max(STATE_BITS)) for port in "ab"}
    factor = {"a": largest["c"] + int(params["c_bias"].max()), "b": largest["d"]}
    total = sum(
        most[port] * min(factor[port], signed_max(FACTOR_BITS)) << int(params[f"{port}_exp"].max()) for port in "ab"
    )
    held = {f"{port}, {other}": largest[port] for port, other in zip("ab", "cd", strict=True)}
    return {**held, **reach_requantised(total, params)}


MODEL = NeuronModel(
    name="graded_rotation",
    params=PARAMS,
    equation=equation,
    ports=dict.fromkeys("abcd", Port(exact=True)),
    out_bits=STATE_BITS,
    reach=reach,
)
