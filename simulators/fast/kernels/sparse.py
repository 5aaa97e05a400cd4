"""Events through synapses listed by axon, as `neurodeploy.ir.network.Sparse` stores them; `t` is a `targets.Targets`."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.finish import add_pending, shift_row
from simulators.fast.kernels.targets import add_events, decode


@jit
def messages(
    part: int, parts: int, start: int, stop: int, pointer: Any, index: Any, value: Any, t: Any, weight: Any,
    exponent: int, pending: Any,
) -> None:  # fmt: skip
    """No delay, no wrap: writes row t + 1 of `pending` for every frame of this part. value : empty where all are one."""
    steps = stop - start
    frames = pending.shape[0] * steps
    no_slot = np.empty(0, np.uint8)
    for frame in range(frames * part // parts, frames * (part + 1) // parts):
        out = pending[frame // steps, start + frame % steps + 1]
        out[:] = 0
        add_events(pointer[frame], pointer[frame + 1], index, value, no_slot, t, weight, 0, out)
        shift_row(out, exponent)


@jit
def delayed(
    start: int, stop: int, pointer: Any, index: Any, value: Any, t: Any, weight: Any, by_synapse: bool, slot: Any,
    acc: Any, used: Any, exponent: int, bits: int, pending: Any,
) -> int:  # fmt: skip
    """Any payload, one delay an axon (`slot` (columns,)), or a synapse (`slot` (synapses,)): returns how many values
    wrapped. `acc`, `used` as in `dense`."""
    steps = stop - start
    lost, flat = 0, acc.reshape(-1)
    targets = np.empty(t.widest, t.target.dtype)
    for frame in range(pending.shape[0] * steps):
        for e in range(pointer[frame], pointer[frame + 1]):
            j = np.int64(index[e])
            if by_synapse:
                x = acc.dtype.type(value[e])
                decode(j, t, targets)
                first = np.int64(t.indptr[j])
                for k in range(np.int64(t.indptr[j + 1]) - first):
                    acc[slot[first + k], targets[k]] += x * weight[first + k]
                    used[slot[first + k]] = True
            else:
                used[slot[j]] = True
        if not by_synapse:
            add_events(pointer[frame], pointer[frame + 1], index, value, slot, t, weight, acc.shape[1], flat)
        lost += add_pending(acc, used, exponent, bits, pending[frame // steps, start + frame % steps + 1 :])
    return int(lost)
