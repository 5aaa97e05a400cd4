"""Sigma-delta neuron that keeps its rounding error in the loop: a later repair of Lava's, not in lava-nc 0.10.0.

Equation, every line in int32 that wraps (e = spike_exp + state_exp)::

    sigma[t] = sigma[t-1] + a[t]
    x        = sigma[t] + (bias << e),  then max(x, 0) where act_mode = 1 (relu)
    s[t]     = (x - act[t-1] where |x - act[t-1]| >= vth << e, else 0) >> state_exp      (floored)
    act[t]   = act[t-1] + (s[t] << state_exp)

act is what the receivers have added up, so nothing that a shift cut off is lost. There is no residue and no error;
cum_error has no effect in Lava's class, so this model has no such parameter.

Counted in `wrapped`: each of sigma, x, the difference and act that 32 bits changed.
Source: lava-nc/lava main branch after 0.10.0 (pull request 875), `src/lava/proc/sdn/models.py`,
`PySigmaDeltaModelFixedCorrected`. Both classes carry the tag fixed_pt; Lava takes the other one unless it is told.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import delta, sigma_delta
from neurodeploy.neurons.arithmetic import abs32, wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, StateVar, Stepped, Values

PARAMS = {name: param for name, param in sigma_delta.PARAMS.items() if name != "cum_error"}
STATE = {
    "sigma": StateVar(24, "sum of all inputs"),
    "act": StateVar(24, "what the receivers have added up"),
}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    x, wrapped = sigma_delta.activation(params, state, inputs["a"])
    d, wrapped_d = wrap32(x - state["act"])
    s = np.where(abs32(d) >= params["vth"] << delta.exponent(params), d, 0) >> params["state_exp"]
    state["act"], wrapped_act = wrap32(state["act"] + (s << params["state_exp"]))
    return Stepped({"s": s}, wrapped + wrapped_d + wrapped_act, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers: nothing is cut off."""
    d = sigma_delta.float_activation(params, state, inputs["a"]) - state["act"]
    m = np.where(np.abs(d) >= params["vth"] * np.exp2(params["spike_exp"] + params["state_exp"]), d, 0.0)
    state["act"] = state["act"] + m
    return {"s": m * np.exp2(-params["state_exp"])}


MODEL = NeuronModel(
    name="sigma_delta_corrected",
    lava="lava.proc.sdn: SigmaDelta, PySigmaDeltaModelFixedCorrected (after 0.10.0)",
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=24,
    consistent=delta.consistent,
)
