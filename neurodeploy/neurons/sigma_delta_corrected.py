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

import numpy as np

from neurodeploy.neurons import delta, sigma_delta
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, StateVar, Values

PARAMS = {name: param for name, param in sigma_delta.PARAMS.items() if name != "cum_error"}
STATE = {
    "sigma": StateVar(24, "sum of all inputs"),
    "act": StateVar(24, "what the receivers have added up"),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    d = on.wrap(sigma_delta.activation(on, params, state, inputs["a"]) - state["act"])
    m = np.where(on.magnitude(d) >= on.scaled(params["vth"], delta.exponent(params)), d, 0)
    s = on.floored(m, params["state_exp"])
    state["act"] = on.wrap(state["act"] + on.scaled(s, params["state_exp"]))
    return {"s": s}


MODEL = NeuronModel(
    name="sigma_delta_corrected",
    lava="lava.proc.sdn: SigmaDelta, PySigmaDeltaModelFixedCorrected (after 0.10.0)",
    params=PARAMS,
    state=STATE,
    equation=equation,
    out_bits=24,
    consistent=delta.consistent,
)
