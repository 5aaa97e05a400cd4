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

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints, round_shift, saturate
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Port, StateVar, Stepped, Values

PARAMS = {
    "vth": Param(0, 2**24 - 1, "payloads up to this magnitude are not sent", 0),
    "exp": Param(0, 31, "right shift of the product", 0, per_neuron=False),
    "square_exp": Param(0, 31, "right shift of the square", 0, per_neuron=False),
}
STATE = {"v1": StateVar(24, "input of this step"), "v2": StateVar(24, "input of the step before")}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    square, clipped_square = saturate(round_shift(inputs["a1"] * inputs["a1"], params["square_exp"]), STATE_BITS)
    p, clipped = saturate(round_shift(state["v2"] * inputs["a2"], params["exp"]), STATE_BITS)
    state["v2"], state["v1"] = state["v1"], inputs["a1"].copy()
    return Stepped({"s": np.where(np.abs(p) > params["vth"], p, 0), "s2": square}, 0, clipped + clipped_square, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    p = state["v2"] * inputs["a2"] * np.exp2(-params["exp"])
    state["v2"], state["v1"] = state["v1"], inputs["a1"].copy()
    square = inputs["a1"] ** 2 * np.exp2(-params["square_exp"])
    return {"s": np.where(np.abs(p) > params["vth"], p, 0.0), "s2": square}


MODEL = NeuronModel(
    name="norm",
    lava=None,
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
    ports={"a1": Port(), "a2": Port()},
    outputs=("s", "s2"),
    graded=True,
    out_bits=24,
)
