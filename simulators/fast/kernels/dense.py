"""Events through a matrix of weights kept by axon: `weight` (columns, rows), C order, is the transposed
`Dense.weight`."""

from __future__ import annotations

from typing import Any

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.finish import add_pending, shift_row


@jit
def spikes(
    part: int, parts: int, start: int, stop: int, pointer: Any, index: Any, weight: Any, narrow: Any, chunk: int,
    tile: int, exponent: int, pending: Any,
) -> None:  # fmt: skip
    """Payloads of one, no delay, no wrap: writes row t + 1 of `pending` for every frame of this part.

    The sum of up to `chunk` events stays within the type of `narrow` (int16 for 255 int8 weights), of which twice as
    many fit a vector register as of int32, eight axons are added at a time, and the rows go in tiles so that the sums
    stay in a cache.
    """
    rows = weight.shape[1]
    steps = stop - start
    frames = pending.shape[0] * steps
    for first in range(0, rows, tile):
        last = min(first + tile, rows)
        for frame in range(frames * part // parts, frames * (part + 1) // parts):
            out = pending[frame // steps, start + frame % steps + 1, first:last]
            e, end = pointer[frame], pointer[frame + 1]
            fresh = True
            while fresh or e < end:
                until = min(end, e + chunk)
                acc = narrow[part, : last - first]
                acc[:] = 0
                while e + 8 <= until:
                    w0, w1 = weight[index[e], first:last], weight[index[e + 1], first:last]
                    w2, w3 = weight[index[e + 2], first:last], weight[index[e + 3], first:last]
                    w4, w5 = weight[index[e + 4], first:last], weight[index[e + 5], first:last]
                    w6, w7 = weight[index[e + 6], first:last], weight[index[e + 7], first:last]
                    for i in range(last - first):
                        acc[i] += w0[i] + w1[i] + w2[i] + w3[i] + w4[i] + w5[i] + w6[i] + w7[i]
                    e += 8
                while e < until:
                    w0 = weight[index[e], first:last]
                    for i in range(last - first):
                        acc[i] += w0[i]
                    e += 1
                if fresh:
                    for i in range(last - first):
                        out[i] = acc[i]
                else:
                    for i in range(last - first):
                        out[i] += acc[i]
                fresh = False
            shift_row(out, exponent)


@jit
def messages(
    part: int, parts: int, start: int, stop: int, pointer: Any, index: Any, value: Any, weight: Any, tile: int,
    exponent: int, pending: Any,
) -> None:  # fmt: skip
    """Graded payloads, no delay, no wrap: as `spikes`, with a product in int32 for each synapse."""
    rows = weight.shape[1]
    steps = stop - start
    frames = pending.shape[0] * steps
    for first in range(0, rows, tile):
        last = min(first + tile, rows)
        for frame in range(frames * part // parts, frames * (part + 1) // parts):
            out = pending[frame // steps, start + frame % steps + 1, first:last]
            out[:] = 0
            e, end = pointer[frame], pointer[frame + 1]
            while e + 4 <= end:
                x0, x1, x2, x3 = value[e], value[e + 1], value[e + 2], value[e + 3]
                w0, w1 = weight[index[e], first:last], weight[index[e + 1], first:last]
                w2, w3 = weight[index[e + 2], first:last], weight[index[e + 3], first:last]
                for i in range(last - first):
                    out[i] += x0 * w0[i] + x1 * w1[i] + x2 * w2[i] + x3 * w3[i]
                e += 4
            while e < end:
                x0, w0 = value[e], weight[index[e], first:last]
                for i in range(last - first):
                    out[i] += x0 * w0[i]
                e += 1
            shift_row(out, exponent)


@jit
def delayed(
    start: int, stop: int, pointer: Any, index: Any, value: Any, weight: Any, slot: Any, acc: Any, used: Any,
    exponent: int, bits: int, pending: Any,
) -> int:  # fmt: skip
    """Any payload, one delay an axon (`slot` (columns,)) or a synapse (`slot` (columns, rows)): returns how many values
    wrapped.

    `acc` (depth, rows) holds zeros, int32 where no sum can leave it, otherwise int64; `used` (depth,) is False.
    """
    steps = stop - start
    lost = 0
    for frame in range(pending.shape[0] * steps):
        for e in range(pointer[frame], pointer[frame + 1]):
            j = index[e]
            x, axon = acc.dtype.type(value[e]), weight[j]
            if slot.ndim == 1:
                row = acc[slot[j]]
                used[slot[j]] = True
                for i in range(row.shape[0]):
                    row[i] += x * axon[i]
            else:
                delays = slot[j]
                used[:] = True
                for i in range(axon.shape[0]):
                    acc[delays[i], i] += x * axon[i]
        lost += add_pending(acc, used, exponent, bits, pending[frame // steps, start + frame % steps + 1 :])
    return int(lost)
