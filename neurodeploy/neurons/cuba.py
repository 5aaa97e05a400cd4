"""Current-based leaky integrate-and-fire as lava-dl's slayer trains it on the CPU; Lava itself then runs `lif`.

Equation in integers, D(x, d) = ``x * (4096 - d) >> 12`` rounded towards zero::

    u[t] = wrap32(D(u[t-1], du) + (a << 6))
    v[t] = wrap32(D(v[t-1], dv) + u[t] + bias)                   bias = bias_mant * 2**bias_exp, floored
    s[t] = v[t] >= (vth << 6) + e,   v[t] = 0 where s[t]         e = 1 for vth < 4096, else 0

du and dv are slayer's iDecay and vDecay themselves: `lif` decays by du + 1, so netx writes du = iDecay - 1. slayer
adds 0.01 of a unit to the threshold so that >= means >, but compares in float32, where the 0.01 is lost from a
threshold of 2**18 units on: such a neuron fires at equality, and the trained network differs from the one that Lava
runs. There is no 24-bit wrap and no clip. slayer keeps states as float32 and is exact up to 2**24; beyond, this model
goes on with 32 bits, and there equality with slayer is not claimed. The bias is that of a normalisation or a block,
which slayer adds to the current before the voltage's own dynamics.

Counted in `wrapped`: each of u and v that 32 bits changed.
Source: lava-dl 0.6.0 `lava/lib/dl/slayer/neuron/cuba.py`, `dynamics/leaky_integrator.py` (`_li_dynamics_fwd`).
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

#: From this threshold on float32 no longer holds slayer's 0.01: 2**18 = 4096 << 6 units.
EXACT_END = 2**12
PARAMS = {
    "du": Param(0, 4096, "decay of the current a step, du / 4096 (slayer's iDecay)"),
    "dv": Param(0, 4096, "decay of the voltage a step, dv / 4096 (slayer's vDecay)"),
    "vth": Param(0, 2**17, "threshold, in units of 64 of the voltage (slayer's vThMant)"),
    **leaky.BIAS,
}
STATE = {"u": StateVar(32, "current of the synapses"), "v": StateVar(32, "voltage of the membrane")}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    u = on.wrap(leaky.decayed(on, state["u"], params["du"]) + on.scaled(inputs["a"], ALIGN_BITS))
    v = on.wrap(leaky.decayed(on, state["v"], params["dv"]) + u + leaky.bias(on, params))
    s = v >= leaky.threshold(on, params["vth"]) + (params["vth"] < EXACT_END)
    state["u"], state["v"] = u, np.where(s, 0, v)
    return {"s": s}


MODEL = NeuronModel(name="cuba", params=PARAMS, state=STATE, equation=equation, thresholds=leaky.FIRES)
