"""Values near zero are not sent: a neuron that only a test adds, of our own (no counterpart in Lava).

Equation: ``s[t] = a[t] where |a[t]| > width else 0``, saturated to 16 bits. Counted: what saturates.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    a = inputs["a"]
    return {"s": on.saturate_payload(np.where(on.magnitude(a) > params["width"], a, 0), 16)}


MODEL = NeuronModel(
    name="dead_zone",
    params={"width": Param(0, 2**23 - 1, "values up to this one are not sent")},
    equation=equation,
    ports={"a": Port(exact=True)},
    out_bits=16,
)
