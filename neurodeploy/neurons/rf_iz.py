"""Resonate-and-fire with a reset, Lava's `RF_IZ` (Izhikevich) in fixed point.

Equation: real and imaginary part as in `neurodeploy.neurons.rf`, then::

    s[t] = im[t] >= vth << state_exp,      re[t] = 0 and im[t] = (vth << state_exp) - 1 where s[t]

Counted: as in `rf`; a threshold - 1 that 32 bits cannot hold is refused with the parameters.
Source: lava-nc 0.10.0 `lava/proc/rf_iz/models.py`, `PyRF_IZModelFixed`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import rf
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Values


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    re, im = rf.resonate(on, params, state, inputs)
    end = on.scaled(params["vth"], params["state_exp"])
    s = im >= end
    state["real"], state["imag"] = np.where(s, 0, re), np.where(s, end - 1, im)
    return {"s": s}


MODEL = NeuronModel(
    name="rf_iz",
    lava="lava.proc.rf_iz: RF_IZ, PyRF_IZModelFixed",
    params=rf.PARAMS,
    state=rf.STATE,
    equation=equation,
    ports=rf.MODEL.ports,
    consistent=rf.consistent,
)
