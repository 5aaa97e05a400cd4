"""Leaky integrate-and-fire with a refractory time, in integers of our own: Lava has `LIFRefractory` in floats only.

Equation: u as in `neurodeploy.neurons.leaky`, always. With r the steps of standing still that are left::

    v[t] = as in `leaky` where r[t-1] = 0, else v[t-1];    r[t] = max(r[t-1] - 1, 0)
    s[t] = v[t] > vth << 6;    v[t] = 0 and r[t] = refractory_period where s[t]

so that v stands still for refractory_period steps after a spike: the semantics of Lava's `PyLifRefractoryModelFloat`,
whose `refractory_period_end` is the step t + refractory_period. A negative vth fires in those steps too, as there.
The arithmetic is that of Lava's fixed-point LIF; no such ProcessModel exists, so no equality with Lava is claimed.
Counted: as in `leaky`, v only where it is updated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS, changed, clip_state, wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, StateVar, Stepped, Values

PARAMS = {**leaky.PARAMS, "refractory_period": Param(0, 63, "steps in which v stands still after a spike", 1)}
STATE = {**leaky.STATE, "r": StateVar(7, "steps of the refractory time left")}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    u, wrapped = leaky.current(state["u"], inputs["a"], params["du"])
    exact = leaky.decayed(state["v"], params["dv"]) + u + leaky.bias(params)
    exact = np.where(state["r"] > 0, state["v"], exact)
    v, _ = wrap32(exact)
    wrapped += changed(v, exact)
    v, saturated = clip_state(v)
    s = v > params["vth"] << ALIGN_BITS
    state["u"], state["v"] = u, np.where(s, 0, v)
    state["r"] = np.where(s, params["refractory_period"], np.maximum(state["r"] - 1, 0))
    return Stepped({"s": s.astype(np.int64)}, wrapped, saturated, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    u, v = leaky.float_subthreshold(params, state, inputs["a"])
    v = np.where(state["r"] > 0.0, state["v"], v)
    s = v > leaky.float_threshold(params["vth"])
    state["u"], state["v"] = u, np.where(s, 0.0, v)
    state["r"] = np.where(s, params["refractory_period"], np.maximum(state["r"] - 1.0, 0.0))
    return {"s": s.astype(np.float64)}


MODEL = NeuronModel(
    name="lif_refractory",
    lava=None,
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
)
