"""Leaky integrator that sends its voltage, in integers of our own (no counterpart in Lava).

Equation: u and v as in `neurodeploy.neurons.leaky`, then ``s[t] = v[t]`` in every step: a graded payload of 24 bits.
No threshold, no reset. Counted: as in `leaky`.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import leaky
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Stepped, Values

PARAMS = {"du": leaky.DU, "dv": leaky.DV, **leaky.BIAS}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    u, v, wrapped, saturated = leaky.subthreshold(params, state, inputs["a"])
    state["u"], state["v"] = u, v
    return Stepped({"s": v.copy()}, wrapped, saturated, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    state["u"], state["v"] = leaky.float_subthreshold(params, state, inputs["a"])
    return {"s": state["v"].copy()}


MODEL = NeuronModel(
    name="li",
    lava=None,
    params=PARAMS,
    state=leaky.STATE,
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=24,
)
