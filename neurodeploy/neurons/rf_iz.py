"""Resonate-and-fire with a reset, Lava's `RF_IZ` (Izhikevich) in fixed point.

Equation: real and imaginary part as in `neurodeploy.neurons.rf`, then::

    s[t] = im[t] >= vth << state_exp,      re[t] = 0 and im[t] = (vth << state_exp) - 1 where s[t]

Counted: as in `rf`; a threshold - 1 that 32 bits cannot hold is refused with the parameters.
Source: lava-nc 0.10.0 `lava/proc/rf_iz/models.py`, `PyRF_IZModelFixed`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import rf
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Stepped, Values


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    re, im, wrapped, saturated = rf.resonate(params, state, inputs)
    end = params["vth"] << params["state_exp"]
    s = im >= end
    state["real"], state["imag"] = np.where(s, 0, re), np.where(s, end - 1, im)
    return Stepped({"s": s.astype(np.int64)}, wrapped, saturated, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers; the reset is one unit of the integer state below the threshold."""
    re, im = rf.float_resonate(params, state, inputs)
    end = params["vth"] * np.exp2(params["state_exp"])
    s = im >= end
    state["real"], state["imag"] = np.where(s, 0.0, re), np.where(s, end - 1.0, im)
    return {"s": s.astype(np.float64)}


MODEL = NeuronModel(
    name="rf_iz",
    lava="lava.proc.rf_iz: RF_IZ, PyRF_IZModelFixed",
    params=rf.PARAMS,
    state=rf.STATE,
    step=integer_step,
    float_step=float_step,
    ports=rf.MODEL.ports,
    consistent=rf.consistent,
)
