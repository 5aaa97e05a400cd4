"""A graded input of all neurons but one, which is told: what is left after the largest value has been taken.

Equation, a the exact sum of a neuron's value, b that of the place that was taken::

    s[t] = -(2**(out_bits - 1) - 1)              where b[t] = own
    s[t] = saturate(a[t], out_bits)              elsewhere

so that the value of that place is as small as a payload can be. A neuron of our own: a comparison of a neuron program.
Counted in `saturated_out`: each s that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, signed_max
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REGISTER_BITS

PARAMS = {
    "own": Param(0, (1 << (STATE_BITS - 1)) - 1, "place of the neuron's value"),
    "out_bits": Param(2, REGISTER_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    bits = int(params["out_bits"].item())
    left = np.where(inputs["b"] == params["own"], -signed_max(bits), inputs["a"])
    return {"s": on.saturate_payload(left, bits)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the payload, from the largest sum at a."""
    return {"s": max(largest["a"], signed_max(int(params["out_bits"].item())))}


MODEL = NeuronModel(
    name="graded_but",
    params=PARAMS,
    equation=equation,
    ports={"a": Port(exact=True), "b": Port(exact=True)},
    out_bits=STATE_BITS,
    reach=reach,
)
