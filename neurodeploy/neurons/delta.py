"""Delta encoder, Lava's `Delta` in fixed point: sends a graded change when it is large enough.

Equation, every line in int32 that wraps (e = spike_exp + state_exp)::

    x = a[t] << e
    d = x - act[t-1] + residue[t-1]
    cum_error = 1:  error = error + d;  m = d where |error| >= vth << e, else 0;  error = 0 where m != 0
    cum_error = 0:                      m = d where |d|     >= vth << e, else 0
    residue[t] = d - m,  act[t] = x,  s[t] = m >> state_exp  (floored)

The comparison is >=, the docstring of Lava's process says >. numpy's |-2**31| is -2**31 (see `Reals.magnitude`): such a
change is neither sent nor, when it is sent by its error, does it clear the error.

Counted in `wrapped`: each of x, d and error that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/sdn/models.py`, `PyDeltaModelFixed`; vth scaled in `lava/proc/sdn/process.py`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import INT32_MAX, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

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


def exponent(params: Arrays) -> Ints:
    """The scale of vth and bias: ``spike_exp + state_exp``."""
    return params["spike_exp"] + params["state_exp"]


def consistent(params: Arrays) -> tuple[str, str] | None:
    """What is wrong with the parameters together: the scaled threshold and bias must fit int32."""
    for name in ("vth", "bias"):
        if name in params and bool((np.abs(params[name] << exponent(params)) > INT32_MAX).any()):
            return f"{name} * 2**(spike_exp + state_exp) exceeds 32 bits", f"lower {name}, spike_exp or state_exp"
    return None


def encode(on: Reals, params: Arrays, state: Values, x: Ints) -> Ints:
    """The change to be sent before its low bits are cut. Changes act, residue, error."""
    d = on.wrap(x - state["act"] + state["residue"])
    cumulative = bool(params["cum_error"].any())
    measured = on.wrap(state["error"] + d) if cumulative else d
    m = np.where(on.magnitude(measured) >= on.scaled(params["vth"], exponent(params)), d, 0)
    if cumulative:
        state["error"] = np.where(on.magnitude(m) > 0, 0, measured)
    state["act"], state["residue"] = x, d - m
    return m


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    m = encode(on, params, state, on.wrap(on.scaled(inputs["a"], exponent(params))))
    return {"s": on.floored(m, params["state_exp"])}


MODEL = NeuronModel(
    name="delta",
    lava="lava.proc.sdn: Delta, PyDeltaModelFixed",
    params=PARAMS,
    state=STATE,
    equation=equation,
    out_bits=24,
    consistent=consistent,
)
