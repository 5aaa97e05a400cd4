"""Neurons that add up changes and send changes or spikes, for all steps of a block, in the signature of `kernels.graded`.

`lost` += (wrapped, states that were clipped, payloads that were).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.feeds import kept

REGISTER_MAX = 2**31 - 1


@jit
def _rounded(x: Any, shift: Any) -> Any:
    """``x / 2**shift``, half rounds up."""
    return (x + (np.int64(1) << shift >> 1)) >> shift


@jit
def _change(x: Any, act: Any, vth: Any, most: Any, lost: Any) -> Any:
    """What is sent of a value beside what the receivers have; most : the largest value and payload."""
    value = kept(x, most[0])
    d = value - act
    d = d if abs(d) > vth else np.int64(0)
    s = kept(d, most[1])
    lost[2] += np.int64(value != x) + np.int64(s != d)
    return s


@jit
def sigma_delta(
    sums: int, changes: int, acc_shift: int, state_most: int, low: int, high: int, most: Any, start: int, stop: int,
    inputs: Any, state: Any, params: Any, out: Any, lost: Any,
) -> None:  # fmt: skip
    """`graded_sigma_delta`: state (sigma, act), params (multiplier, falling, shift, bias, vth)."""
    a = inputs[0]
    sigma, act = state
    multiplier, falling, shift, bias, vth = params
    for s in range(a.shape[0]):
        for t in range(start, stop):
            states = np.int64(0)
            for i in range(a.shape[2]):
                exact = sums * sigma[s, i] + a[s, t, i]
                total = kept(exact, REGISTER_MAX)
                sigma[s, i] = total
                x = _rounded(total + bias[i], acc_shift)
                v = kept(x, state_most)
                states += np.int64(total != exact) + np.int64(v != x)
                x = _rounded(v * (multiplier[i] if v >= 0 else falling[i]), shift[i])
                sent = _change(min(max(x, low), high), changes * act[s, i], vth[i], most, lost)
                act[s, i] = changes * (act[s, i] + sent)
                out[s, t, i] = sent
            lost[1] += states


@jit
def largest(most: Any, start: int, stop: int, inputs: Any, state: Any, params: Any, out: Any, lost: Any) -> None:
    """`graded_max_delta`: state (act, and the sum at each port), params (inputs, vth)."""
    act, there, vth = state[0], params[0], params[1]
    for s in range(act.shape[0]):
        for t in range(start, stop):
            for i in range(act.shape[1]):
                x = -np.int64(REGISTER_MAX)
                for port in range(4):
                    exact = state[1 + port][s, i] + inputs[port][s, t, i]
                    total = kept(exact, REGISTER_MAX)
                    lost[1] += np.int64(total != exact)
                    state[1 + port][s, i] = total
                    x = max(x, total) if port < there[i] else x
                sent = _change(x, act[s, i], vth[i], most, lost)
                act[s, i] += sent
                out[s, t, i] = sent


@jit
def rate(
    sums: int, signed: int, start: int, stop: int, inputs: Any, state: Any, params: Any, out: Any, lost: Any
) -> None:
    """`graded_rate`: state (i, v), params (vth, bias)."""
    a = inputs[0]
    current, voltage = state
    vth, bias = params
    for s in range(a.shape[0]):
        for t in range(start, stop):
            states = np.int64(0)
            for i in range(a.shape[2]):
                exact = a[s, t, i] + sums * current[s, i]
                c = kept(exact, REGISTER_MAX)
                current[s, i] = c
                x = voltage[s, i] + c + bias[i]
                v = kept(x, REGISTER_MAX)
                states += np.int64(c != exact) + np.int64(v != x)
                spike = np.int64(v >= vth[i]) - np.int64(signed != 0 and v <= -vth[i])
                voltage[s, i] = v - vth[i] * spike
                out[s, t, i] = spike
            lost[1] += states
