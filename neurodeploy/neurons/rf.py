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

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import INT32_MAX, clip_state, shift_to_zero, wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Port, StateVar, Stepped, Values

PARAMS = {
    "sin_decay": Param(-(2**15), 2**15, "sine of the rotation times the decay, in units of 2**-decay_bits"),
    "cos_decay": Param(-(2**15), 2**15, "cosine of the rotation times the decay, in units of 2**-decay_bits"),
    "vth": Param(-(2**24), 2**24, "threshold, in units of 2**state_exp"),
    "state_exp": Param(0, 23, "exponent of the state, base 2", 0, per_neuron=False),
    "decay_bits": Param(0, 15, "fractional bits of the decays", 12, per_neuron=False),
}
STATE = {"real": StateVar(24, "real part"), "imag": StateVar(24, "imaginary part")}


def consistent(params: Mapping[str, Ints]) -> tuple[str, str] | None:
    """What is wrong with the parameters together: the scaled threshold must fit int32."""
    if bool((np.abs(params["vth"] << params["state_exp"]) > INT32_MAX).any()):
        return "vth * 2**state_exp exceeds 32 bits", "lower vth or state_exp"
    return None


def resonate(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints]) -> tuple[Ints, Ints, int, int]:
    """(real, imag, wrapped, saturated) of the next step; the state is left alone."""
    bits, sin, cos = params["decay_bits"], params["sin_decay"], params["cos_decay"]
    real, imag = state["real"], state["imag"]
    re_in, wrapped_re = wrap32(inputs["re"] << params["state_exp"])
    im_in, wrapped_im = wrap32(inputs["im"] << params["state_exp"])
    re, clipped_re = clip_state(shift_to_zero(cos * real, bits) - shift_to_zero(sin * imag, bits) + re_in)
    im, clipped_im = clip_state(shift_to_zero(sin * real, bits) + shift_to_zero(cos * imag, bits) + im_in)
    return re, im, wrapped_re + wrapped_im, clipped_re + clipped_im


def float_resonate(
    params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats]
) -> tuple[Floats, Floats]:
    """`resonate` in real numbers."""
    unit, gain = np.exp2(-params["decay_bits"]), np.exp2(params["state_exp"])
    sin, cos = params["sin_decay"] * unit, params["cos_decay"] * unit
    re = cos * state["real"] - sin * state["imag"] + inputs["re"] * gain
    im = sin * state["real"] + cos * state["imag"] + inputs["im"] * gain
    return re, im


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    re, im, wrapped, saturated = resonate(params, state, inputs)
    s = (re >= params["vth"] << params["state_exp"]) & (im >= 0) & (state["imag"] < 0)
    state["real"], state["imag"] = re, im
    return Stepped({"s": s.astype(np.int64)}, wrapped, saturated, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    re, im = float_resonate(params, state, inputs)
    s = (re >= params["vth"] * np.exp2(params["state_exp"])) & (im >= 0.0) & (state["imag"] < 0.0)
    state["real"], state["imag"] = re, im
    return {"s": s.astype(np.float64)}


MODEL = NeuronModel(
    name="rf",
    lava="lava.proc.rf: RF, PyRFModelFixed",
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
    ports={"re": Port(), "im": Port()},
    consistent=consistent,
)
