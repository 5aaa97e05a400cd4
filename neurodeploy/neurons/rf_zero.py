"""Resonate-and-fire that sends its amplitude at the zero of its phase, Lava's `RFZero` (fixed point only).

Equation, every product, quotient and sum in int32 that wraps (// floors)::

    u[t] = u[t-1] * lct // 2**15 - v[t-1] * lst // 2**15 + re[t]
    v[t] = v[t-1] * lct // 2**15 + u[t-1] * lst // 2**15 + im[t]
    s[t] = u[t]  where u[t] > uth  and  v[t] >= 0  and  v[t-1] < 0,  else 0

lst, lct: ``int32(exp(-dt / tau) * sin(2 pi f dt) * 2**15)``, likewise cos, as Lava's process computes them. Products
are 32 bits wide, so states above 2**16 already wrap with a factor near 2**15: that is Lava's arithmetic and it is
counted. Ports: re (Lava's u_in), im (v_in).

Counted in `wrapped`: each of the four products, and each of u and v, that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/resfire/models.py`, `PyRFZeroModelFixed`, and `lava/proc/resfire/process.py`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, StateVar, Values

BITS = 15
PARAMS = {
    "lst": Param(-(2**15), 2**15, "sine of the rotation times the decay, in units of 2**-15"),
    "lct": Param(-(2**15), 2**15, "cosine of the rotation times the decay, in units of 2**-15"),
    "uth": Param(-(2**23), 2**23 - 1, "threshold of the real part", 1),
}
STATE = {"u": StateVar(24, "real part"), "v": StateVar(24, "imaginary part")}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    u, v, lct, lst = state["u"], state["v"], params["lct"], params["lst"]
    uc, vs, vc, us = (on.floored(on.wrap(p), BITS) for p in (u * lct, v * lst, v * lct, u * lst))
    new_u = on.wrap(uc - vs + inputs["re"])
    new_v = on.wrap(vc + us + inputs["im"])
    state["u"], state["v"] = new_u, new_v
    return {"s": np.where((new_u > params["uth"]) & (new_v >= 0) & (v < 0), new_u, 0)}


MODEL = NeuronModel(
    name="rf_zero",
    lava="lava.proc.resfire: RFZero, PyRFZeroModelFixed",
    params=PARAMS,
    state=STATE,
    equation=equation,
    ports={"re": Port(), "im": Port()},
    out_bits=24,
)
