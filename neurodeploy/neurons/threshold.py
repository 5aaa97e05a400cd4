"""A step function without state, in integers of our own (no counterpart in Lava): NIR's `Threshold`
(NIR 1.0 nir/ir/neuron.py).

Equation: ``s[t] = a[t] > vth``, strictly; vth in units of the synapses' sum. Nothing wraps, nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Stepped, Values


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    return Stepped({"s": (inputs["a"] > params["vth"]).astype(np.int64)}, 0, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    return {"s": (inputs["a"] > params["vth"]).astype(np.float64)}


MODEL = NeuronModel(
    name="threshold",
    lava=None,
    params={"vth": Param(-(2**31), 2**31 - 1, "threshold of the synapses' sum")},
    state={},
    step=integer_step,
    float_step=float_step,
)
