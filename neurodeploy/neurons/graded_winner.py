"""A curve of a graded input where few others are ahead of it, else nothing: the score of an expert that was chosen.

Equation, a and b the exact sums at the two ports (b: how many are ahead), a kept in 32 bits::

    s[t] = requantised(f(a[t]))  where b[t] < winners,   else 0          f : the pieces of `neurons/graded_curve.py`

A neuron that has lost sends nothing, so that what it gates gets no event. Who is ahead is told by neurons that compare two
inputs each (`neurons/threshold.py`); a winner takes all with winners = 1.

A neuron of our own, with a comparison beside `graded_curve`. Counted in `saturated`: inputs and results of the curve beyond
32 bits, states, of losers too; in `saturated_out`: each s that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.graded_curve import PIECES, largest_piecewise, piecewise, wrong_pieces
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REQUANTISE, held, largest_held, reach_requantised, requantised

PARAMS = {"winners": Param(1, 2**15 - 1, "how many win", 1, per_neuron=False), **PIECES, **REQUANTISE}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    s = requantised(on, piecewise(on, held(on, inputs["a"]), params), params)
    return {"s": np.where(inputs["b"] < params["winners"], s, 0)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of input, result, state and payload, from the largest sum at a."""
    found = largest_piecewise(largest["a"], params)
    return {"a, f": max(largest["a"], found), **reach_requantised(largest_held(found), params)}


MODEL = NeuronModel(
    name="graded_winner",
    params=PARAMS,
    equation=equation,
    ports={"a": Port(exact=True), "b": Port(exact=True)},
    out_bits=STATE_BITS,
    consistent=wrong_pieces,
    reach=reach,
)
