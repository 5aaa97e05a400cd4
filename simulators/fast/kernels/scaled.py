"""Neurons that scale, bend or compare exact sums, in the loops of `kernels.registers`, whose signature they have."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.feeds import kept, take_sums
from simulators.fast.kernels.registers import send, silence


@jit
def affine(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """The sum need not fit a register. params : offset, threshold; reals : ``multiplier / 2**shift``; numbers : shift of the
    sum, largest state, largest payload, whether any threshold is above 0."""
    row, offset, factor, most = np.empty(out.shape[2], np.int64), params[0], reals[0], numbers[1]
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take_sums(inputs[0], s, t, places, 0, row)
            states = np.int64(0)
            for i in range(row.shape[0]):
                x = (row[i] + offset[i]) >> numbers[0]
                v = kept(x, most)
                states += np.int64(v != x)
                row[i] = np.int64(np.floor(np.float64(np.int32(v)) * factor[i] + 0.5))
            lost[1] += states
            lost[2] += send(row, numbers[2], out[s, t], fired)
            if numbers[3]:
                silence(out[s, t], params[1], fired)


@jit
def rectified(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """As `affine`, with two factors. params : offset; reals : ``multiplier / 2**shift``, ``falling / 2**shift``; numbers :
    shift of the sum, largest state, largest payload, low, high."""
    row, offset, rising, falling = np.empty(out.shape[2], np.int64), params[0], reals[0], reals[1]
    most, low, high = numbers[1], np.float64(numbers[3]), np.float64(numbers[4])
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take_sums(inputs[0], s, t, places, 0, row)
            states = np.int64(0)
            for i in range(row.shape[0]):
                x = (row[i] + offset[i]) >> numbers[0]
                v = kept(x, most)
                states += np.int64(v != x)
                factor = rising[i] if v >= 0 else falling[i]
                row[i] = np.int64(min(max(np.floor(np.float64(np.int32(v)) * factor + 0.5), low), high))
            lost[1] += states
            lost[2] += send(row, numbers[2], out[s, t], fired)


@jit
def larger(source: Any, s: int, t: int, places: Any, port: int, there: Any, row: Any, other: Any) -> None:
    """The larger of what is in `row` and what arrives at a port, of neurons that have it."""
    take_sums(source, s, t, places, port, other)
    for i in range(row.shape[0]):
        row[i] = max(row[i], other[i]) if there[i] > port else row[i]


@jit
def maximum(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """params : inputs that are there; numbers : largest payload."""
    row, other = np.empty(out.shape[2], np.int64), np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take_sums(inputs[0], s, t, places, 0, row)
            larger(inputs[1], s, t, places, 1, params[0], row, other)
            larger(inputs[2], s, t, places, 2, params[0], row, other)
            larger(inputs[3], s, t, places, 3, params[0], row, other)
            lost[2] += send(row, numbers[0], out[s, t], fired)
