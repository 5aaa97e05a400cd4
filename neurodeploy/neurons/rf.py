"""Resonate-and-fire, Lava's `RF` in fixed point.

Equation in integers (>>0: shift that rounds towards zero; each product is rounded alone)::

    re[t] = clip24((cos * re[t-1] >>0 decay_bits) - (sin * im[t-1] >>0 decay_bits) + wrap32(re_in << state_exp))
    im[t] = clip24((sin * re[t-1] >>0 decay_bits) + (cos * im[t-1] >>0 decay_bits) + wrap32(im_in << state_exp))
    s[t]  = re[t] >= vth << state_exp  and  im[t] >= 0  and  im[t-1] < 0

No reset. Ports: re (Lava's a_real_in), im (a_imag_in); state: real, imag, as in Lava.
sin_decay and cos_decay are the integers that Lava's process computes from period and alpha:
``int32((1 - alpha) * sin(2 pi / period) * 2**decay_bits)``, likewise cos.

Counted: `wrapped` the shifted inputs that 32 bits changed; `saturated` the real and imaginary parts that were clipped.
Source: lava-nc 0.10.0 `lava/proc/rf/models.py`, `PyRFModelFixed`, and `lava/proc/rf/process.py`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import INT32_MAX, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, StateVar, Values

PARAMS = {
    "sin_decay": Param(-(2**15), 2**15, "sine of the rotation times the decay, in units of 2**-decay_bits"),
    "cos_decay": Param(-(2**15), 2**15, "cosine of the rotation times the decay, in units of 2**-decay_bits"),
    "vth": Param(-(2**24), 2**24, "threshold, in units of 2**state_exp"),
    "state_exp": Param(0, 23, "exponent of the state, base 2", 0, per_neuron=False),
    "decay_bits": Param(0, 15, "fractional bits of the decays", 12, per_neuron=False),
}
STATE = {"real": StateVar(24, "real part"), "imag": StateVar(24, "imaginary part")}


def consistent(params: Arrays) -> tuple[str, str] | None:
    """What is wrong with the parameters together: the scaled threshold must fit int32."""
    if bool((np.abs(params["vth"] << params["state_exp"]) > INT32_MAX).any()):
        return "vth * 2**state_exp exceeds 32 bits", "lower vth or state_exp"
    return None


def resonate(on: Reals, params: Arrays, state: Values, inputs: Arrays) -> tuple[Ints, Ints]:
    """(real, imag) of the next step; the state is left alone."""
    bits, sin, cos = params["decay_bits"], params["sin_decay"], params["cos_decay"]
    real, imag = state["real"], state["imag"]
    re_in, im_in = (on.wrap(on.scaled(inputs[port], params["state_exp"])) for port in ("re", "im"))
    re = on.saturate(on.to_zero(cos * real, bits) - on.to_zero(sin * imag, bits) + re_in)
    im = on.saturate(on.to_zero(sin * real, bits) + on.to_zero(cos * imag, bits) + im_in)
    return re, im


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    re, im = resonate(on, params, state, inputs)
    s = (re >= on.scaled(params["vth"], params["state_exp"])) & (im >= 0) & (state["imag"] < 0)
    state["real"], state["imag"] = re, im
    return {"s": s}


MODEL = NeuronModel(
    name="rf",
    lava="lava.proc.rf: RF, PyRFModelFixed",
    params=PARAMS,
    state=STATE,
    equation=equation,
    ports={"re": Port(), "im": Port()},
    consistent=consistent,
)
