"""Delta encoder, Lava's `Delta` in fixed point: sends a graded change when it is large enough.

Equation, every line in int32 that wraps (e = spike_exp + state_exp)::

    x = a[t] << e
    d = x - act[t-1] + residue[t-1]
    cum_error = 1:  error = error + d;  m = d where |error| >= vth << e, else 0;  error = 0 where m != 0
    cum_error = 0:                      m = d where |d|     >= vth << e, else 0
    residue[t] = d - m,  act[t] = x,  s[t] = m >> state_exp  (floored)

The comparison is >=, the docstring of Lava's process says >. numpy's |-2**31| is -2**31 (see `abs32`): such a change is
neither sent nor, when it is sent by its error, does it clear the error.

Counted in `wrapped`: each of x, d and error that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/sdn/models.py`, `PyDeltaModelFixed`; vth scaled in `lava/proc/sdn/process.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import INT32_MAX, abs32, wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, StateVar, Stepped, Values

PARAMS = {
    "vth": Param(0, 2**24 - 1, "threshold of a change, in units of 2**(spike_exp + state_exp)"),
    "cum_error": Param(0, 1, "1: compare the error summed since the last message", 0, per_neuron=False),
    "spike_exp": Param(0, 15, "exponent of the message, base 2", 0, per_neuron=False),
    "state_exp": Param(0, 15, "exponent of the state, base 2", 0, per_neuron=False),
}
STATE = {
    "act": StateVar(24, "last value encoded"),
    "residue": StateVar(24, "change not yet sent"),
    "error": StateVar(24, "error summed since the last message; 0 unless cum_error"),
}


def exponent(params: Mapping[str, Ints]) -> Ints:
    """The scale of vth and bias: ``spike_exp + state_exp``."""
    return params["spike_exp"] + params["state_exp"]


def consistent(params: Mapping[str, Ints]) -> tuple[str, str] | None:
    """What is wrong with the parameters together: the scaled threshold and bias must fit int32."""
    for name in ("vth", "bias"):
        if name in params and bool((np.abs(params[name] << exponent(params)) > INT32_MAX).any()):
            return f"{name} * 2**(spike_exp + state_exp) exceeds 32 bits", f"lower {name}, spike_exp or state_exp"
    return None


def encode(params: Mapping[str, Ints], state: Values, x: Ints) -> tuple[Ints, int]:
    """The change to be sent before its low bits are cut, and how many values wrapped. Changes act, residue, error."""
    d, wrapped = wrap32(x - state["act"] + state["residue"])
    measured = d
    if bool(params["cum_error"].any()):
        measured, wrapped_error = wrap32(state["error"] + d)
        wrapped += wrapped_error
    m = np.where(abs32(measured) >= params["vth"] << exponent(params), d, 0)
    if bool(params["cum_error"].any()):
        state["error"] = np.where(abs32(m) > 0, 0, measured)
    state["act"], state["residue"] = x, d - m
    return m, wrapped


def float_encode(params: Mapping[str, Floats], state: FloatValues, x: Floats) -> Floats:
    """`encode` in real numbers."""
    d = x - state["act"] + state["residue"]
    cumulative = bool(params["cum_error"].any())
    measured = state["error"] + d if cumulative else d
    m = np.where(np.abs(measured) >= params["vth"] * np.exp2(params["spike_exp"] + params["state_exp"]), d, 0.0)
    if cumulative:
        state["error"] = np.where(m != 0.0, 0.0, measured)
    state["act"], state["residue"] = x, d - m
    return m


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    x, wrapped = wrap32(inputs["a"] << exponent(params))
    m, wrapped_delta = encode(params, state, x)
    return Stepped({"s": m >> params["state_exp"]}, wrapped + wrapped_delta, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    x = inputs["a"] * np.exp2(params["spike_exp"] + params["state_exp"])
    return {"s": float_encode(params, state, x) * np.exp2(-params["state_exp"])}


MODEL = NeuronModel(
    name="delta",
    lava="lava.proc.sdn: Delta, PyDeltaModelFixed",
    params=PARAMS,
    state=STATE,
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=24,
    consistent=consistent,
)
