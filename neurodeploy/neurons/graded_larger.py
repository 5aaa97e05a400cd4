"""The larger of two graded inputs and its place: a node of a tree that finds the largest of many values.

Equation, a and b the exact sums at the ports of the values, i and j those of their places in the left and the right half of
what the node stands for::

    id[t] = i[t]             s[t] = a[t]      where a[t] >= b[t]
    id[t] = j[t] + half      s[t] = b[t]      elsewhere

So of equal values the one on the left wins, the lowest place of all. A value that sends nothing is 0, as everywhere. The
first output is the place: of the last node it is all that leaves.

A neuron of our own: a comparison and two choices of a neuron program (Intel, Loihi 2 technology brief, 2021). Trees of
winners: each core finds its own, then winners are compared. Both outputs have out_bits; counted in `saturated_out`: each
that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REGISTER_BITS

#: Places are payloads of `STATE_BITS`, as values are.
HALF_MAX = 1 << (STATE_BITS - 2)

PARAMS = {
    "half": Param(0, HALF_MAX, "values that the left input stands for at most", per_neuron=False),
    "out_bits": Param(2, REGISTER_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    left = inputs["a"] >= inputs["b"]
    place = np.where(left, inputs["i"], inputs["j"] + params["half"])
    larger = np.where(left, inputs["a"], inputs["b"])
    bits = int(params["out_bits"].item())
    return {"id": on.saturate_payload(place, bits), "s": on.saturate_payload(larger, bits)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of both outputs, from the largest sums."""
    place = max(largest["i"], largest["j"] + int(params["half"].item()))
    return {"id": place, "s": max(largest["a"], largest["b"])}


MODEL = NeuronModel(
    name="graded_larger",
    params=PARAMS,
    equation=equation,
    ports=dict.fromkeys("abij", Port(exact=True)),
    outputs=("id", "s"),
    out_bits=STATE_BITS,
    reach=reach,
)
