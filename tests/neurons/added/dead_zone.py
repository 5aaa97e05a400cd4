"""Values near zero are not sent: a neuron that only a test adds, of our own (no counterpart in Lava).

Equation: ``s[t] = a[t] where |a[t]| > width else 0``, saturated to 16 bits. Counted: what saturates.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints, saturate
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Port, Stepped, Values


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    a = inputs["a"]
    s, lost = saturate(np.where(np.abs(a) > params["width"], a, 0), 16)
    return Stepped({"s": s}, 0, 0, lost)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    return {"s": np.where(np.abs(inputs["a"]) > params["width"], inputs["a"], 0.0)}


MODEL = NeuronModel(
    name="dead_zone",
    lava=None,
    params={"width": Param(0, 2**23 - 1, "values up to this one are not sent")},
    state={},
    step=integer_step,
    float_step=float_step,
    ports={"a": Port(exact=True)},
    graded=True,
    out_bits=16,
)
