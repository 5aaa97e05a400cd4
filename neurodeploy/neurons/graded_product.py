"""Product of two graded inputs, requantised: a norm's factor times its values, a gate times what it lets through.

Equation, a and b the exact sums at the two ports, each kept in 32 bits (`neurons/registers.py`)::

    s[t] = requantised(a[t] * b[t])

A neuron of our own: Loihi 2's neuron programs multiply (Intel, Loihi 2 technology brief, 2021); Lava's `ProdNeuron`
(`neurons/product.py`) has 32 bits for the product and no multiplier. Counted in `saturated`: inputs beyond 32 bits, states
that were clipped; in `saturated_out`: each s.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Port, Values
from neurodeploy.neurons.registers import REQUANTISE, held, largest_held, reach_requantised, requantised


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    return {"s": requantised(on, held(on, inputs["a"]) * held(on, inputs["b"]), params)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of inputs, state and payload, from the largest sums."""
    a, b = (largest_held(largest[port]) for port in "ab")
    return {"a, b": max(largest["a"], largest["b"]), **reach_requantised(a * b, params)}


MODEL = NeuronModel(
    name="graded_product",
    params=REQUANTISE,
    equation=equation,
    ports={"a": Port(exact=True), "b": Port(exact=True)},
    out_bits=STATE_BITS,
    reach=reach,
)
