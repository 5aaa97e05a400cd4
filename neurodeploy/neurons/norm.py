"""Vector to be normalised, of our own: Lava's `neurodeploy.neurons.norm_vec` with delay, widths and shifts put right.

Equation (>>r: right shift, half rounds up; clip24 to +-(2**23 - 1))::

    s2[t] = clip24(a1[t]**2 >>r square_exp)              for the sum of squares, in the same step
    p     = clip24((a1[t-2] * a2[t]) >>r exp),           s[t] = p where |p| > vth else 0

Two steps fit the wiring norm -> synapses -> rsqrt -> synapses -> norm, where each of the two synapses takes one step:
the factor a2[t] that comes from the squares of step t - 2 meets the input of step t - 2. With the default of `rsqrt`
(exp = 18) and exp = 18 here, s = x / sqrt(sum of squares) in units of 1, so choose exp = 18 - f for f fractional bits.

State: v1 = a1[t-1], v2 = a1[t-2]. Counted in `saturated`: each of s2 and p that was clipped. Nothing wraps.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, StateVar, Values

PARAMS = {
    "vth": Param(0, 2**24 - 1, "payloads up to this magnitude are not sent", 0),
    "exp": Param(0, 31, "right shift of the product", 0, per_neuron=False),
    "square_exp": Param(0, 31, "right shift of the square", 0, per_neuron=False),
}
STATE = {"v1": StateVar(24, "input of this step"), "v2": StateVar(24, "input of the step before")}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    square = on.saturate(on.rounded(inputs["a1"] * inputs["a1"], params["square_exp"]))
    p = on.saturate(on.rounded(state["v2"] * inputs["a2"], params["exp"]))
    state["v2"], state["v1"] = state["v1"], inputs["a1"].copy()
    return {"s": np.where(on.magnitude(p) > params["vth"], p, 0), "s2": square}


MODEL = NeuronModel(
    name="norm",
    params=PARAMS,
    state=STATE,
    equation=equation,
    ports={"a1": Port(), "a2": Port()},
    outputs=("s", "s2"),
    out_bits=24,
)
