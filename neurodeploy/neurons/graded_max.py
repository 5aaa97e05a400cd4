"""The largest of up to four graded inputs: maximum pooling.

Equation, a, b, c, d the exact sums at the ports, of which the first `inputs` are there::

    s[t] = saturate(max of those that are there, out_bits)

A value that sends nothing is 0, as everywhere. A neuron of our own: comparisons and choices of a neuron program (Intel,
Loihi 2 technology brief, 2021). `graded_largest` tells the place of the largest too, and needs as many ports again.
Counted in `saturated_out`: each s that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import EXACT_END, Arrays, NeuronModel, Param, Port, Values

PORTS = "abcd"
PARAMS = {
    "inputs": Param(1, len(PORTS), "inputs that are there", len(PORTS)),
    "out_bits": Param(2, STATE_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}


def largest_of(params: Arrays, values: Arrays) -> Ints:
    """The largest, by port, of those that are there."""
    there = [np.where(n < params["inputs"], values[port], -EXACT_END) for n, port in enumerate(PORTS)]
    return np.asarray(np.maximum.reduce(there))


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    return {"s": on.saturate_payload(largest_of(params, inputs), int(params["out_bits"].item()))}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of s, from the largest sums."""
    return {"s": max(largest[port] for port in PORTS)}


MODEL = NeuronModel(
    name="graded_max",
    params=PARAMS,
    equation=equation,
    ports=dict.fromkeys(PORTS, Port(exact=True)),
    out_bits=STATE_BITS,
    reach=reach,
)
