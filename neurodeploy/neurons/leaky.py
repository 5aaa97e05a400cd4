"""Current, voltage and bias of the LIF family, shared by the models `lif`, `lif_reset`, `ternary_lif`, `atrlif` and
ours.

Equation in integers, per neuron and time step (a: sum of the synapses, >>0: shift that rounds towards zero)::

    u[t] = wrap24(wrap32((u[t-1] * (4096 - (du + 1)) >>0 12) + (a << 6)))
    v[t] = clip24(wrap32((v[t-1] * (4096 - dv) >>0 12) + u[t] + bias))       bias = bias_mant * 2**bias_exp, floored

Source: lava-nc 0.10.0 `lava/proc/lif/process.py` and `models.py` there, `AbstractPyLifModelFixed.subthr_dynamics` and
`scale_bias`. The extra 1 of du is Loihi's register `ds_offset`, which that class sets to 1. A current wraps at 24 bits, a
voltage is clipped.

Counted: `wrapped` the u and the v whose 32-bit or 24-bit wrap changed the exact sum (one each a step and neuron at
most); `saturated` the v that were clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import (
    ALIGN_BITS,
    DECAY_BITS,
    DECAY_ONE,
    changed,
    clip_state,
    shift_signed,
    shift_to_zero,
    wrap32,
    wrap_state_once,
)
from neurodeploy.neurons.model import Param, StateVar

Floats = NDArray[np.float64]

#: Thresholds that a clipped voltage can tell apart; 131072 never fires.
VTH = Param(-(2**17), 2**17, "threshold, in units of 64 of the voltage", chip=(0, 2**17 - 1))
#: -1 is what lava-dl's netx writes for "no decay" (iDecay - 1).
DU = Param(-1, 4095, "decay of the current a step, (du + 1) / 4096", chip=(0, 4095))
DV = Param(0, 4096, "decay of the voltage a step, dv / 4096", chip=(0, 4095))
#: Lava keeps the mantissa as int16. The registers: docstring of Lava's `PyLifModelBitAcc`.
BIAS = {
    "bias_mant": Param(-(2**15), 2**15 - 1, "mantissa of the bias added to the voltage", 0, chip=(-(2**12), 2**12 - 1)),
    "bias_exp": Param(-15, 15, "exponent of the bias, base 2; a negative one floors", 0, chip=(0, 7)),
}
PARAMS = {"du": DU, "dv": DV, "vth": VTH, **BIAS}
STATE = {
    "u": StateVar(24, "current of the synapses"),
    "v": StateVar(24, "voltage of the membrane"),
}


def bias(params: Mapping[str, Ints]) -> Ints:
    """``bias_mant * 2**bias_exp``, floored; fits 32 bits by the ranges of its parts."""
    return shift_signed(params["bias_mant"], params["bias_exp"])


def decayed(x: Ints, decay: Ints) -> Ints:
    """``x * (4096 - decay) >> 12``, rounded towards zero."""
    return shift_to_zero(x * (DECAY_ONE - decay), DECAY_BITS)


def current(u: Ints, a: Ints, du: Ints) -> tuple[Ints, int]:
    """The next current and how many wrapped."""
    exact = decayed(u, du + 1) + (a << ALIGN_BITS)
    new = wrap_state_once(wrap32(exact)[0])
    return new, changed(new, exact)


def voltage(v: Ints, u: Ints, dv: Ints, b: Ints) -> tuple[Ints, int, int]:
    """The next voltage before a spike, how many wrapped and how many were clipped."""
    new, wrapped = wrap32(decayed(v, dv) + u + b)
    new, saturated = clip_state(new)
    return new, wrapped, saturated


def subthreshold(params: Mapping[str, Ints], state: Mapping[str, Ints], a: Ints) -> tuple[Ints, Ints, int, int]:
    """Both: (u, v before a spike, wrapped, saturated)."""
    u, wrapped_u = current(state["u"], a, params["du"])
    v, wrapped_v, saturated = voltage(state["v"], u, params["dv"], bias(params))
    return u, v, wrapped_u + wrapped_v, saturated


def float_bias(params: Mapping[str, Floats]) -> Floats:
    """`bias` in real numbers."""
    return params["bias_mant"] * np.exp2(params["bias_exp"])


def float_subthreshold(params: Mapping[str, Floats], state: Mapping[str, Floats], a: Floats) -> tuple[Floats, Floats]:
    """`subthreshold` in real numbers: (u, v before a spike)."""
    u = state["u"] * (1.0 - (params["du"] + 1.0) / DECAY_ONE) + a * 2.0**ALIGN_BITS
    v = state["v"] * (1.0 - params["dv"] / DECAY_ONE) + u + float_bias(params)
    return u, v


def float_threshold(vth: Floats) -> Floats:
    """The threshold in units of the voltage."""
    return vth * 2.0**ALIGN_BITS
