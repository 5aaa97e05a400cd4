"""Leaky integrate-and-fire whose spike subtracts the threshold, in integers of our own (no counterpart in Lava).

Equation: u and v as in `neurodeploy.neurons.leaky`, then::

    s[t] = v[t] > vth << 6,      v[t] = v[t] - (vth << 6) where s[t]

At most one spike a step; what is left above the threshold is kept (reset by subtraction: Rueckauer et al. 2017, Front.
Neurosci. 11:682), which rate-coded conversion needs. vth must not be negative. Counted: as in `leaky`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Stepped, Values

PARAMS = {**leaky.PARAMS, "vth": Param(0, leaky.VTH.high, leaky.VTH.meaning, chip=leaky.VTH.chip)}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    u, v, wrapped, saturated = leaky.subthreshold(params, state, inputs["a"])
    end = params["vth"] << ALIGN_BITS
    s = v > end
    state["u"], state["v"] = u, np.where(s, v - end, v)
    return Stepped({"s": s.astype(np.int64)}, wrapped, saturated, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    u, v = leaky.float_subthreshold(params, state, inputs["a"])
    end = leaky.float_threshold(params["vth"])
    s = v > end
    state["u"], state["v"] = u, np.where(s, v - end, v)
    return {"s": s.astype(np.float64)}


MODEL = NeuronModel(
    name="lif_subtract",
    lava=None,
    params=PARAMS,
    state=leaky.STATE,
    step=integer_step,
    float_step=float_step,
)
