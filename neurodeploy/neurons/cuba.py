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

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS, DECAY_ONE, wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, StateVar, Stepped, Values

#: From this threshold on float32 no longer holds slayer's 0.01: 2**18 = 4096 << 6 units.
EXACT_END = 2**12
PARAMS = {
    "du": Param(0, 4096, "decay of the current a step, du / 4096 (slayer's iDecay)"),
    "dv": Param(0, 4096, "decay of the voltage a step, dv / 4096 (slayer's vDecay)"),
    "vth": Param(0, 2**17, "threshold, in units of 64 of the voltage (slayer's vThMant)"),
    **leaky.BIAS,
}
STATE = {"u": StateVar(32, "current of the synapses"), "v": StateVar(32, "voltage of the membrane")}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    u, wrapped_u = wrap32(leaky.decayed(state["u"], params["du"]) + (inputs["a"] << ALIGN_BITS))
    v, wrapped_v = wrap32(leaky.decayed(state["v"], params["dv"]) + u + leaky.bias(params))
    s = v >= (params["vth"] << ALIGN_BITS) + (params["vth"] < EXACT_END)
    state["u"], state["v"] = u, np.where(s, 0, v)
    return Stepped({"s": s.astype(np.int64)}, wrapped_u + wrapped_v, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    u = state["u"] * (1.0 - params["du"] / DECAY_ONE) + inputs["a"] * 2.0**ALIGN_BITS
    v = state["v"] * (1.0 - params["dv"] / DECAY_ONE) + u + leaky.float_bias(params)
    s = v >= leaky.float_threshold(params["vth"]) + (params["vth"] < EXACT_END)
    state["u"], state["v"] = u, np.where(s, 0.0, v)
    return {"s": s.astype(np.float64)}


MODEL = NeuronModel(
    name="cuba",
    lava=None,
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
)
