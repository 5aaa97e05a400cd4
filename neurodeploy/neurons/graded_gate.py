"""A curve of one graded input times another, requantised: the gated linear unit of a language model in one neuron.

Equation, a (the gate) and b the exact sums at the two ports, each kept in 32 bits::

    s[t] = requantised(f(a[t]) * b[t])          f : the pieces of `neurons/graded_curve.py`

A neuron of our own, as the two that it joins. Counted in `saturated`: inputs and results of the curve beyond 32 bits,
states; in `saturated_out`: each s that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.graded_curve import PIECES, largest_piecewise, piecewise, wrong_pieces
from neurodeploy.neurons.model import Arrays, NeuronModel, Port, Values
from neurodeploy.neurons.registers import REQUANTISE, held, largest_held, reach_requantised, requantised


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    gate = piecewise(on, held(on, inputs["a"]), params)
    return {"s": requantised(on, gate * held(on, inputs["b"]), params)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of inputs, curve, state and payload, from the largest sums."""
    gate, b = largest_piecewise(largest["a"], params), largest_held(largest["b"])
    return {"a, b, f": max(largest["a"], largest["b"], gate), **reach_requantised(largest_held(gate) * b, params)}


MODEL = NeuronModel(
    name="graded_gate",
    params={**PIECES, **REQUANTISE},
    equation=equation,
    ports={"a": Port(exact=True), "b": Port(exact=True)},
    out_bits=STATE_BITS,
    consistent=wrong_pieces,
    reach=reach,
)
