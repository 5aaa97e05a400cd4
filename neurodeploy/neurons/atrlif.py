"""Leaky integrate-and-fire with adaptive threshold and refractoriness, Lava's `ATRLIF` in fixed point.

Equation in integers, D(x, d) = ``x * (4096 - d) >> 12`` rounded towards zero, theta0 = theta_0 << 6::

    i[t]     = wrap24(wrap32(D(i[t-1], delta_i + 1) + wrap32(a << 6)))
    v[t]     = clip24(wrap32(D(v[t-1], delta_v) + i[t] + bias))           bias = bias_mant * 2**bias_exp
    theta[t] = wrap32(D(wrap32(theta[t-1] - theta0), delta_theta) + theta0)      starts at theta0
    r[t]     = D(r[t-1], delta_r)                                                starts at 0
    s[t]     = wrap32(v[t] - r[t]) >= theta[t]
    where s[t]:  r[t] = wrap32(r[t] + 2 theta[t]),  theta[t] = wrap32(theta[t] + (theta_step << 6))

Not strict, and v is *not* reset: r holds the neuron back. theta and r are not clipped ("TODO" in Lava), they wrap.

Deltas are integers of 1/4096; Lava's process takes the fraction ``delta / 4096.0``, exact in float64, and then
computes ``int64(i * (4096 - (delta_i + 1)))`` through float64, exact below 2**53, which every int32 current is. A
Python *int* as Lava's delta_i makes that an int32 product that wraps instead: give floats. Lava overwrites any initial
theta with theta0 in its first step, so a population cannot set it. theta_0 and theta_step are the integers given to
the process.

Counted: `wrapped` each of i (either wrap), v, theta - theta0, theta, v - r, and after the spike r and theta, that is
not the exact value; `saturated` the v that were clipped.
Source: lava-nc 0.10.0 `lava/proc/atrlif/process.py` and `models.py` there, `PyATRLIFModelFixed`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

PARAMS = {
    "delta_i": Param(0, 4096, "decay of the current a step, (delta_i + 1) / 4096"),
    "delta_v": Param(0, 4096, "decay of the voltage a step, delta_v / 4096"),
    "delta_theta": Param(0, 4096, "decay of the threshold towards theta_0 a step, delta_theta / 4096"),
    "delta_r": Param(0, 4096, "decay of the refractory state a step, delta_r / 4096"),
    "theta_0": Param(0, 2**17 - 1, "threshold at rest, in units of 64 of the voltage"),
    "theta_step": Param(0, 2**17 - 1, "growth of the threshold by a spike, in units of 64 of the voltage"),
    **leaky.BIAS,
}
STATE = {
    "i": StateVar(24, "current of the synapses"),
    "v": StateVar(24, "voltage of the membrane"),
    "theta": StateVar(24, "threshold", "theta_0", shift=ALIGN_BITS, settable=False),
    "r": StateVar(24, "refractory state"),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    rest, growth = leaky.threshold(on, params["theta_0"]), leaky.threshold(on, params["theta_step"])
    i = leaky.current(on, state["i"], inputs["a"], params["delta_i"])
    v = leaky.voltage(on, state["v"], i, params["delta_v"], leaky.bias(on, params))
    theta = on.wrap(leaky.decayed(on, on.wrap(state["theta"] - rest), params["delta_theta"]) + rest)
    r = leaky.decayed(on, state["r"], params["delta_r"])
    s = on.wrap(v - r) >= theta
    grown, refractory = on.wrap(np.where(s, theta + growth, theta)), on.wrap(np.where(s, r + 2 * theta, r))
    state.update(i=i, v=v, theta=grown, r=refractory)
    return {"s": s}


MODEL = NeuronModel(
    name="atrlif", lava="lava.proc.atrlif: ATRLIF, PyATRLIFModelFixed", params=PARAMS, state=STATE, equation=equation
)
