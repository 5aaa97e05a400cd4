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

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Port, StateVar, Stepped, Values

BITS = 15
PARAMS = {
    "lst": Param(-(2**15), 2**15, "sine of the rotation times the decay, in units of 2**-15"),
    "lct": Param(-(2**15), 2**15, "cosine of the rotation times the decay, in units of 2**-15"),
    "uth": Param(-(2**23), 2**23 - 1, "threshold of the real part", 1),
}
STATE = {"u": StateVar(24, "real part"), "v": StateVar(24, "imaginary part")}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    u, v, lct, lst = state["u"], state["v"], params["lct"], params["lst"]
    (uc, n0), (vs, n1), (vc, n2), (us, n3) = (wrap32(p) for p in (u * lct, v * lst, v * lct, u * lst))
    new_u, n4 = wrap32((uc >> BITS) - (vs >> BITS) + inputs["re"])
    new_v, n5 = wrap32((vc >> BITS) + (us >> BITS) + inputs["im"])
    s = np.where((new_u > params["uth"]) & (new_v >= 0) & (v < 0), new_u, 0)
    state["u"], state["v"] = new_u, new_v
    return Stepped({"s": s}, n0 + n1 + n2 + n3 + n4 + n5, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    u, v = state["u"], state["v"]
    lct, lst = params["lct"] / 2.0**BITS, params["lst"] / 2.0**BITS
    new_u = u * lct - v * lst + inputs["re"]
    new_v = v * lct + u * lst + inputs["im"]
    s = np.where((new_u > params["uth"]) & (new_v >= 0.0) & (v < 0.0), new_u, 0.0)
    state["u"], state["v"] = new_u, new_v
    return {"s": s}


MODEL = NeuronModel(
    name="rf_zero",
    lava="lava.proc.resfire: RFZero, PyRFZeroModelFixed",
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
    ports={"re": Port(), "im": Port()},
    graded=True,
    out_bits=24,
)
