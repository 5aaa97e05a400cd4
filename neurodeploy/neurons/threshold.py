"""A step function without state, in integers of our own (no counterpart in Lava): NIR's `Threshold`
(NIR 1.0 nir/ir/neuron.py).

Equation: ``s[t] = a[t] > vth``, strictly; vth in units of the synapses' sum. Nothing wraps, nothing is clipped.
"""

from __future__ import annotations

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Values


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    return {"s": inputs["a"] > params["vth"]}


MODEL = NeuronModel(
    name="threshold", params={"vth": Param(-(2**31), 2**31 - 1, "threshold of the synapses' sum")}, equation=equation
)
