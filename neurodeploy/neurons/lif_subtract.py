"""Leaky integrate-and-fire whose spike subtracts the threshold, in integers of our own (no counterpart in Lava).

Equation: u and v as in `neurodeploy.neurons.leaky`, then::

    s[t] = v[t] > vth << 6,      v[t] = v[t] - (vth << 6) where s[t]

At most one spike a step; what is left above the threshold is kept (reset by subtraction: Rueckauer et al. 2017, Front.
Neurosci. 11:682), which rate-coded conversion needs. vth must not be negative. Counted: as in `leaky`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Values

PARAMS = {**leaky.PARAMS, "vth": Param(0, leaky.VTH.high, leaky.VTH.meaning, chip=leaky.VTH.chip)}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    u, v = leaky.subthreshold(on, params, state, inputs["a"])
    end = leaky.threshold(on, params["vth"])
    s = v > end
    state["u"], state["v"] = u, np.where(s, v - end, v)
    return {"s": s}


MODEL = NeuronModel(name="lif_subtract", params=PARAMS, state=leaky.STATE, equation=equation, thresholds=leaky.FIRES)
