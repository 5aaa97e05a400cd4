"""Sigma-delta neuron, Lava's `SigmaDelta` in fixed point: sums graded changes, sends graded changes.

Equation, every line in int32 that wraps (e = spike_exp + state_exp)::

    sigma[t] = sigma[t-1] + a[t]
    x        = sigma[t] + (bias << e),  then max(x, 0) where act_mode = 1 (relu)
    d        = x - act[t-1] + residue[t-1]
    cum_error = 1:  error = error + d;  m = d where |error| >= vth << e, else 0;  error = 0 where m != 0
    cum_error = 0:                      m = d where |d|     >= vth << e, else 0
    residue[t] = d - m,  act[t] = x,  s[t] = m >> state_exp  (floored; what is cut off is lost)

Greater *or equal*, although the docstring of Lava's process says greater. numpy's |-2**31| is -2**31, below any
threshold, and `Reals.magnitude` keeps that. The input is not shifted by state_exp: the weights bring that scale.

Counted in `wrapped`: each of sigma, x, d and error that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/sdn/models.py`, `PySigmaDeltaModelFixed`; the scaling of vth and bias in
`lava/proc/sdn/process.py`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import delta
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

PARAMS = {
    **delta.PARAMS,
    "bias": Param(-(2**15), 2**15 - 1, "added to sigma, in units of 2**(spike_exp + state_exp)", 0),
    "act_mode": Param(0, 1, "0 unit, 1 relu", 1, per_neuron=False),
}
STATE = {"sigma": StateVar(24, "sum of all inputs"), **delta.STATE}


def activation(on: Reals, params: Arrays, state: Values, a: Ints) -> Ints:
    """Adds to sigma; returns x."""
    state["sigma"] = on.wrap(state["sigma"] + a)
    x = on.wrap(state["sigma"] + on.scaled(params["bias"], delta.exponent(params)))
    return np.where(params["act_mode"] == 1, np.maximum(x, 0), x)


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    m = delta.encode(on, params, state, activation(on, params, state, inputs["a"]))
    return {"s": on.floored(m, params["state_exp"])}


MODEL = NeuronModel(
    name="sigma_delta",
    lava="lava.proc.sdn: SigmaDelta, PySigmaDeltaModelFixed",
    params=PARAMS,
    state=STATE,
    equation=equation,
    out_bits=24,
    consistent=delta.consistent,
)
