"""Vector to be normalised, Lava's `NormVecDelay`, faults included; `neurodeploy.neurons.norm` is the right one.

Equation, products in int32 that wraps::

    s2[t] = wrap32(a1[t] * a1[t])                                     for the sum of squares, in the same step
    p     = wrap32(v[t-1] * a2[t]),    s[t] = p where |p| > vth else 0
    v2[t] = v[t-1],  v[t] = a1[t]

Faults that are Lava's and kept here: (1) the output multiplies the input of *one* step ago, while its docstring
promises two and its own network (input, Dense, InvSqrt, Dense: two steps) needs two, so an input that changes each
step is scaled by the norm of the step before it; (2) the square wraps from |a1| > 46340 on and may then be negative;
(3) the product is not shifted, `exp` of Lava's process has no effect. v2 is never read; it is state because Lava's
process has it.

Outputs: s and s2 (Lava's s2_out). Counted in `wrapped`: each of s2 and p that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/graded/models.py`, `NormVecDelayModel`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import graded_vec
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Port, StateVar, Values


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    square = on.wrap(inputs["a1"] * inputs["a1"])
    p = on.wrap(state["v"] * inputs["a2"])
    state["v2"], state["v"] = state["v"], inputs["a1"].copy()
    return {"s": np.where(on.magnitude(p) > params["vth"], p, 0), "s2": square}


MODEL = NeuronModel(
    name="norm_vec",
    lava="lava.proc.graded: NormVecDelay, NormVecDelayModel",
    params=graded_vec.PARAMS,
    state={"v": StateVar(24, "input of this step"), "v2": StateVar(24, "input of the step before")},
    equation=equation,
    ports={"a1": Port(), "a2": Port()},
    outputs=("s", "s2"),
    out_bits=24,
)
