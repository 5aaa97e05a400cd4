"""Neurons that send graded payloads, for all steps of a block, and the stateless threshold.

All have the signature ``kernel(start, stop, inputs, state, params, out, lost)``: tuples of int32 (samples, steps..,
size) inputs, int64 (samples, size) states and int64 (size,) parameters in the order of the tables in
`simulators.fast.neurons`; `lost` += (wrapped, saturated). The equations are those of the module of the same
name in `neurodeploy.neurons`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit

INT32_MIN = -(2**31)


@jit
def _abs32(x: Any) -> Any:
    """numpy's magnitude of an int32: that of -2**31 is -2**31."""
    return x if x == INT32_MIN else abs(x)


@jit
def _wrap32(x: Any) -> Any:
    return np.int64(np.int32(x))


@jit
def threshold(start: int, stop: int, inputs: Any, state: Any, params: Any, out: Any, lost: Any) -> None:
    """s = a > vth."""
    a, vth = inputs[0], params[0]
    for s in range(a.shape[0]):
        for t in range(start, stop):
            for i in range(a.shape[2]):
                out[s, t, i] = a[s, t, i] > vth[i]


@jit
def graded(
    rectified: bool, keeping: bool, start: int, stop: int, inputs: Any, state: Any, params: Any, out: Any, lost: Any
) -> None:
    """`graded_vec`, or `graded_relu` where `rectified`; `sigma` where `keeping`: the sum stays and is always sent."""
    a, v, vth = inputs[0], state[0], params[0]
    wrapped = np.int64(0)
    for s in range(a.shape[0]):
        for t in range(start, stop):
            for i in range(a.shape[2]):
                exact = v[s, i] + np.int64(a[s, t, i])
                x = _wrap32(exact)
                wrapped += x != exact
                v[s, i] = x if keeping else 0
                large = x if rectified else _abs32(x)
                out[s, t, i] = x if keeping or large > vth[i] else 0
    lost[0] += wrapped


@jit
def delta(
    summing: bool, rectified: bool, cumulative: bool, gain: int, cut: int, start: int, stop: int, inputs: Any,
    state: Any, params: Any, out: Any, lost: Any,
) -> None:  # fmt: skip
    """`delta`, or `sigma_delta` where `summing`: state (act, residue, error, sigma), params (vth, bias) already scaled.

    gain : shift of the input (0 where `summing`); cut : state_exp, the shift of what is sent.
    """
    a = inputs[0]
    act, residue, error, total = state
    vth, bias = params
    wrapped = np.int64(0)
    for s in range(a.shape[0]):
        for t in range(start, stop):
            for i in range(a.shape[2]):
                if summing:
                    exact = total[s, i] + np.int64(a[s, t, i])
                    x = _wrap32(exact)
                    wrapped += x != exact
                    total[s, i] = x
                    exact = x + bias[i]
                else:
                    exact = np.int64(a[s, t, i]) << gain
                x = _wrap32(exact)
                wrapped += x != exact
                if rectified:
                    x = max(x, np.int64(0))
                exact = x - act[s, i] + residue[s, i]
                d = _wrap32(exact)
                wrapped += d != exact
                measured = d
                if cumulative:
                    exact = error[s, i] + d
                    measured = _wrap32(exact)
                    wrapped += measured != exact
                m = d if _abs32(measured) >= vth[i] else np.int64(0)
                if cumulative:
                    error[s, i] = 0 if _abs32(m) > 0 else measured
                act[s, i] = x
                residue[s, i] = d - m
                out[s, t, i] = m >> cut
    lost[0] += wrapped


@jit
def sigma_delta_corrected(
    rectified: bool, cut: int, start: int, stop: int, inputs: Any, state: Any, params: Any, out: Any, lost: Any
) -> None:
    """state (act, sigma), params (vth, bias) already scaled; cut : state_exp."""
    a = inputs[0]
    act, total = state
    vth, bias = params
    wrapped = np.int64(0)
    for s in range(a.shape[0]):
        for t in range(start, stop):
            for i in range(a.shape[2]):
                exact = total[s, i] + np.int64(a[s, t, i])
                x = _wrap32(exact)
                wrapped += x != exact
                total[s, i] = x
                exact = x + bias[i]
                x = _wrap32(exact)
                wrapped += x != exact
                if rectified:
                    x = max(x, np.int64(0))
                exact = x - act[s, i]
                d = _wrap32(exact)
                wrapped += d != exact
                m = (d if _abs32(d) >= vth[i] else np.int64(0)) >> cut
                exact = act[s, i] + (m << cut)
                x = _wrap32(exact)
                wrapped += x != exact
                act[s, i] = x
                out[s, t, i] = m
    lost[0] += wrapped
