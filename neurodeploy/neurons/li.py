"""Leaky integrator that sends its voltage, in integers of our own (no counterpart in Lava).

Equation: u and v as in `neurodeploy.neurons.leaky`, then ``s[t] = v[t]`` in every step: a graded payload of 24 bits.
No threshold, no reset. Counted: as in `leaky`.
"""

from __future__ import annotations

from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Values

PARAMS = {"du": leaky.DU, "dv": leaky.DV, **leaky.BIAS}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    state["u"], state["v"] = leaky.subthreshold(on, params, state, inputs["a"])
    return {"s": state["v"].copy()}


MODEL = NeuronModel(name="li", params=PARAMS, state=leaky.STATE, equation=equation, out_bits=24)
