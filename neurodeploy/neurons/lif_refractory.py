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

import numpy as np

from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

PARAMS = {**leaky.PARAMS, "refractory_period": Param(0, 63, "steps in which v stands still after a spike", 1)}
STATE = {**leaky.STATE, "r": StateVar(7, "steps of the refractory time left")}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    u = leaky.current(on, state["u"], inputs["a"], params["du"])
    exact = leaky.decayed(on, state["v"], params["dv"]) + u + leaky.bias(on, params)
    v = on.saturate(on.wrap(np.where(state["r"] > 0, state["v"], exact)))
    s = v > leaky.threshold(on, params["vth"])
    state["u"], state["v"] = u, np.where(s, 0, v)
    state["r"] = np.where(s, params["refractory_period"], np.maximum(state["r"] - 1, 0))
    return {"s": s}


MODEL = NeuronModel(name="lif_refractory", params=PARAMS, state=STATE, equation=equation, thresholds=leaky.FIRES)
