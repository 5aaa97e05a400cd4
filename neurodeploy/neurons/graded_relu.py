"""Graded vector with rectification, Lava's `GradedReluVec`.

Equation: ``v = wrap32(v[t-1] + a[t])``, ``s[t] = v where v > vth else 0``, ``v[t] = 0``; otherwise as
`neurodeploy.neurons.graded_vec`. Source: lava-nc 0.10.0 `lava/proc/graded/models.py`, `PyGradedReluVecModelFixed`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import graded_vec
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Values

PARAMS = {"vth": Param(-(2**24), 2**24 - 1, "payloads up to this value are not sent (Lava's own default: 1)", 1)}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    v = on.wrap(state["v"] + inputs["a"])
    state["v"] = np.zeros_like(v)
    return {"s": np.where(v > params["vth"], v, 0)}


MODEL = NeuronModel(
    name="graded_relu",
    lava="lava.proc.graded: GradedReluVec, PyGradedReluVecModelFixed",
    params=PARAMS,
    state=graded_vec.STATE,
    equation=equation,
    out_bits=24,
)
