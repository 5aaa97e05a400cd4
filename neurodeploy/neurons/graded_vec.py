"""Graded vector, Lava's `GradedVec`: sends its input as it is where it is large enough.

Equation: ``v = wrap32(v[t-1] + a[t])``, ``s[t] = v where |v| > vth else 0``, ``v[t] = 0``. So v is 0 between steps
unless it starts otherwise. numpy's |-2**31| is -2**31 and passes no threshold of -2**31 or more (`abs32`). The number
`exp` of Lava's process has no effect there and does not exist here.

Counted in `wrapped`: each v that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/graded/process.py` and `models.py` there, `PyGradedVecModelFixed`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import abs32, wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, StateVar, Stepped, Values

PARAMS = {"vth": Param(0, 2**24 - 1, "payloads up to this magnitude are not sent (Lava's own default: 1)", 1)}
STATE = {"v": StateVar(24, "input of the step, cleared when it is sent")}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    v, wrapped = wrap32(state["v"] + inputs["a"])
    state["v"] = np.zeros_like(v)
    return Stepped({"s": np.where(abs32(v) > params["vth"], v, 0)}, wrapped, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    v = state["v"] + inputs["a"]
    state["v"] = np.zeros_like(v)
    return {"s": np.where(np.abs(v) > params["vth"], v, 0.0)}


MODEL = NeuronModel(
    name="graded_vec",
    lava="lava.proc.graded: GradedVec, PyGradedVecModelFixed",
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=24,
)
