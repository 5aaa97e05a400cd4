"""Graded vector, Lava's `GradedVec`: sends its input as it is where it is large enough.

Equation: ``v = wrap32(v[t-1] + a[t])``, ``s[t] = v where |v| > vth else 0``, ``v[t] = 0``. So v is 0 between steps
unless it starts otherwise. numpy's |-2**31| is -2**31 and passes no threshold of -2**31 or more (`Reals.magnitude`). The
number `exp` of Lava's process has no effect there and does not exist here.

Counted in `wrapped`: each v that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/graded/process.py` and `models.py` there, `PyGradedVecModelFixed`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

PARAMS = {"vth": Param(0, 2**24 - 1, "payloads up to this magnitude are not sent (Lava's own default: 1)", 1)}
STATE = {"v": StateVar(24, "input of the step, cleared when it is sent")}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    v = on.wrap(state["v"] + inputs["a"])
    state["v"] = np.zeros_like(v)
    return {"s": np.where(on.magnitude(v) > params["vth"], v, 0)}


MODEL = NeuronModel(
    name="graded_vec",
    lava="lava.proc.graded: GradedVec, PyGradedVecModelFixed",
    params=PARAMS,
    state=STATE,
    equation=equation,
    out_bits=24,
)
