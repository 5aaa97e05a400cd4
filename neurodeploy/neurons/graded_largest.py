"""The largest of up to four graded inputs and its place: a node of a tree that finds the largest of many values.

Equation, a, b, c, d the exact sums at the ports of the values, i, j, k, l those of their places, each in the part of the
node's values that its input stands for; n counts these from 0, and only the first `inputs` of them are there::

    n[t]  = the first of those whose value is the largest
    id[t] = place_n[t] + n * part                s[t] = value_n[t]

So of equal values the one that comes first wins, the lowest place of all. A value that sends nothing is 0, as everywhere.
The first output is the place: of the last node it is all that leaves.

A neuron of our own: comparisons and choices of a neuron program (Intel, Loihi 2 technology brief, 2021). Trees of
winners: each core finds its own, then winners are compared. Both outputs have out_bits; counted in `saturated_out`: each
that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import EXACT_END, Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REGISTER_BITS

#: Ports of values and of their places: as many as a node compares.
VALUES, PLACES = "abcd", "ijkl"
#: Places are payloads of `STATE_BITS`, as values are.
PART_MAX = 1 << (STATE_BITS - 3)

PARAMS = {
    "part": Param(0, PART_MAX, "values that an input stands for at most", per_neuron=False),
    "inputs": Param(1, len(VALUES), "inputs that are there", len(VALUES)),
    "out_bits": Param(2, REGISTER_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    there = (np.where(n < params["inputs"], inputs[port], -EXACT_END) for n, port in enumerate(VALUES))
    values = np.stack(list(there))
    first = values.argmax(axis=0)[None]
    places = np.stack([inputs[port] + n * params["part"] for n, port in enumerate(PLACES)])
    largest, place = (np.take_along_axis(each, first, axis=0)[0] for each in (values, places))
    bits = int(params["out_bits"].item())
    return {"id": on.saturate_payload(place, bits), "s": on.saturate_payload(largest, bits)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of both outputs, from the largest sums."""
    part = int(params["part"].item())
    place = max(largest[port] + n * part for n, port in enumerate(PLACES))
    return {"id": place, "s": max(largest[port] for port in VALUES)}


MODEL = NeuronModel(
    name="graded_largest",
    params=PARAMS,
    equation=equation,
    ports=dict.fromkeys(VALUES + PLACES, Port(exact=True)),
    outputs=("id", "s"),
    out_bits=STATE_BITS,
    reach=reach,
)
