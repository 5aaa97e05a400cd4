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

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import ALIGN_BITS, DECAY_BITS, DECAY_ONE, Reals
from neurodeploy.neurons.model import Arrays, Param, Passing, StateVar

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
#: Of a model that sends once its voltage passes `vth`.
FIRES = (Passing("v", "vth", ALIGN_BITS),)


def bias(on: Reals, params: Arrays) -> Ints:
    """``bias_mant * 2**bias_exp``, floored; fits 32 bits by the ranges of its parts."""
    return on.scaled(params["bias_mant"], params["bias_exp"])


def decayed(on: Reals, x: Ints, decay: Ints) -> Ints:
    """``x * (4096 - decay) >> 12``, rounded towards zero."""
    return on.to_zero(x * (DECAY_ONE - decay), DECAY_BITS)


def current(on: Reals, u: Ints, a: Ints, du: Ints) -> Ints:
    """The next current."""
    return on.wrap_current(decayed(on, u, du + 1) + on.scaled(a, ALIGN_BITS))


def voltage(on: Reals, v: Ints, u: Ints, dv: Ints, b: Ints) -> Ints:
    """The next voltage before a spike."""
    return on.saturate(on.wrap(decayed(on, v, dv) + u + b))


def subthreshold(on: Reals, params: Arrays, state: Arrays, a: Ints) -> tuple[Ints, Ints]:
    """Both: u, and v before a spike."""
    u = current(on, state["u"], a, params["du"])
    return u, voltage(on, state["v"], u, params["dv"], bias(on, params))


def threshold(on: Reals, vth: Ints) -> Ints:
    """``vth << 6``: in units of the voltage."""
    return on.scaled(vth, ALIGN_BITS)
