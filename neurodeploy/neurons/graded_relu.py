"""Graded vector with rectification, Lava's `GradedReluVec`.

Equation: ``v = wrap32(v[t-1] + a[t])``, ``s[t] = v where v > vth else 0``, ``v[t] = 0``; otherwise as
`neurodeploy.neurons.graded_vec`. Source: lava-nc 0.10.0 `lava/proc/graded/models.py`, `PyGradedReluVecModelFixed`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import graded_vec
from neurodeploy.neurons.arithmetic import wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Stepped, Values

PARAMS = {"vth": Param(-(2**24), 2**24 - 1, "payloads up to this value are not sent (Lava's own default: 1)", 1)}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    v, wrapped = wrap32(state["v"] + inputs["a"])
    state["v"] = np.zeros_like(v)
    return Stepped({"s": np.where(v > params["vth"], v, 0)}, wrapped, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    v = state["v"] + inputs["a"]
    state["v"] = np.zeros_like(v)
    return {"s": np.where(v > params["vth"], v, 0.0)}


MODEL = NeuronModel(
    name="graded_relu",
    lava="lava.proc.graded: GradedReluVec, PyGradedReluVecModelFixed",
    params=PARAMS,
    state=graded_vec.STATE,
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=24,
)
