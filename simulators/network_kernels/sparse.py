"""Events through synapses listed by axon, as `neurodeploy.ir.network.Sparse` stores them."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.network_kernels.finish import add_pending, shift_row
from simulators.network_kernels.jit import jit
from simulators.network_kernels.prefetch import AHEAD, prefetch_axon


@jit
def spikes(
    part: int, parts: int, start: int, stop: int, pointer: Any, index: Any, indptr: Any, target: Any, weight: Any,
    exponent: int, pending: Any,
) -> None:  # fmt: skip
    """Payloads of one, no delay, no wrap: writes row t + 1 of `pending` for every frame of this part."""
    steps = stop - start
    frames = pending.shape[0] * steps
    for frame in range(frames * part // parts, frames * (part + 1) // parts):
        out = pending[frame // steps, start + frame % steps + 1]
        out[:] = 0
        for e in range(pointer[frame], pointer[frame + 1]):
            j = index[e]
            if e + AHEAD < pointer[frame + 1]:
                later = index[e + AHEAD]
                prefetch_axon(np.int64(indptr[later]), np.int64(indptr[later + 1]), target, weight)
            for k in range(np.int64(indptr[j]), np.int64(indptr[j + 1])):
                out[target[k]] += weight[k]
        shift_row(out, exponent)


@jit
def messages(
    part: int, parts: int, start: int, stop: int, pointer: Any, index: Any, value: Any, indptr: Any, target: Any,
    weight: Any, exponent: int, pending: Any,
) -> None:  # fmt: skip
    """Graded payloads, no delay, no wrap: as `spikes`."""
    steps = stop - start
    frames = pending.shape[0] * steps
    for frame in range(frames * part // parts, frames * (part + 1) // parts):
        out = pending[frame // steps, start + frame % steps + 1]
        out[:] = 0
        for e in range(pointer[frame], pointer[frame + 1]):
            j, x = index[e], value[e]
            if e + AHEAD < pointer[frame + 1]:
                later = index[e + AHEAD]
                prefetch_axon(np.int64(indptr[later]), np.int64(indptr[later + 1]), target, weight)
            for k in range(np.int64(indptr[j]), np.int64(indptr[j + 1])):
                out[target[k]] += x * weight[k]
        shift_row(out, exponent)


@jit
def delayed(
    start: int, stop: int, pointer: Any, index: Any, value: Any, indptr: Any, target: Any, weight: Any, slot: Any,
    acc: Any, used: Any, exponent: int, bits: int, pending: Any,
) -> int:  # fmt: skip
    """Any payload, one delay an axon (`slot` (columns,)): returns how many values wrapped. `acc`, `used` as in
    `dense`."""
    steps = stop - start
    lost = 0
    for frame in range(pending.shape[0] * steps):
        for e in range(pointer[frame], pointer[frame + 1]):
            j = index[e]
            x = acc.dtype.type(value[e])
            row = acc[slot[j]]
            used[slot[j]] = True
            for k in range(np.int64(indptr[j]), np.int64(indptr[j + 1])):
                row[target[k]] += x * weight[k]
        lost += add_pending(acc, used, exponent, bits, pending[frame // steps, start + frame % steps + 1 :])
    return int(lost)


@jit
def delayed_by_synapse(
    start: int, stop: int, pointer: Any, index: Any, value: Any, indptr: Any, target: Any, weight: Any, slot: Any,
    acc: Any, used: Any, exponent: int, bits: int, pending: Any,
) -> int:  # fmt: skip
    """As `delayed` with a delay for each synapse: `slot` (synapses,)."""
    steps = stop - start
    lost = 0
    for frame in range(pending.shape[0] * steps):
        for e in range(pointer[frame], pointer[frame + 1]):
            j = index[e]
            x = acc.dtype.type(value[e])
            for k in range(np.int64(indptr[j]), np.int64(indptr[j + 1])):
                acc[slot[k], target[k]] += x * weight[k]
                used[slot[k]] = True
        lost += add_pending(acc, used, exponent, bits, pending[frame // steps, start + frame % steps + 1 :])
    return int(lost)
