"""Neurons that scale, bend or compare exact sums: loops as in `kernels.registers`, for the neurons of one part.

``kernel(part, parts, start, stop, inputs, places, params, reals, numbers, out, fired, lost)``: what `kernels.registers` has,
but `lost` has a row for each part. Neurons are taken `TILE` at a time, so that their sums stay in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.feeds import kept, take_sums
from simulators.fast.kernels.registers import send, silence

#: Neurons whose sums are held at a time.
TILE = 2048


@jit
def affine(
    part: int, parts: int, start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any,
    out: Any, fired: Any, lost: Any,
) -> None:  # fmt: skip
    """The sum need not fit a register. params : offset, threshold; reals : ``multiplier / 2**shift``; numbers : shift of the
    sum, largest state, largest payload, whether any threshold is above 0."""
    begin, end = out.shape[2] * part // parts, out.shape[2] * (part + 1) // parts
    room, most, mine = np.empty(TILE, np.int64), numbers[1], lost[part]
    for low in range(begin, end, TILE):
        high = min(low + TILE, end)
        row, offset, factor, own = room[: high - low], params[0, low:high], reals[0, low:high], fired[low:high]
        own += out.shape[0] * (stop - start)
        for s in range(out.shape[0]):
            for t in range(start, stop):
                take_sums(inputs[0], s, t, places, 0, low, row)
                states, to = np.int64(0), out[s, t, low:high]
                for i in range(row.shape[0]):
                    x = (row[i] + offset[i]) >> numbers[0]
                    v = kept(x, most)
                    states += np.int64(v != x)
                    row[i] = np.int64(np.floor(np.float64(np.int32(v)) * factor[i] + 0.5))
                mine[1] += states
                mine[2] += send(row, numbers[2], to, own)
                if numbers[3]:
                    silence(to, params[1, low:high], own)


@jit
def rectified(
    part: int, parts: int, start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any,
    out: Any, fired: Any, lost: Any,
) -> None:  # fmt: skip
    """As `affine`, with two factors. params : offset; reals : ``multiplier / 2**shift``, ``falling / 2**shift``; numbers :
    shift of the sum, largest state, largest payload, low, high."""
    begin, end = out.shape[2] * part // parts, out.shape[2] * (part + 1) // parts
    room, most, mine = np.empty(TILE, np.int64), numbers[1], lost[part]
    least, largest = np.float64(numbers[3]), np.float64(numbers[4])
    for low in range(begin, end, TILE):
        high = min(low + TILE, end)
        row, offset, own = room[: high - low], params[0, low:high], fired[low:high]
        rising, falling = reals[0, low:high], reals[1, low:high]
        own += out.shape[0] * (stop - start)
        for s in range(out.shape[0]):
            for t in range(start, stop):
                take_sums(inputs[0], s, t, places, 0, low, row)
                states = np.int64(0)
                for i in range(row.shape[0]):
                    x = (row[i] + offset[i]) >> numbers[0]
                    v = kept(x, most)
                    states += np.int64(v != x)
                    factor = rising[i] if v >= 0 else falling[i]
                    y = np.floor(np.float64(np.int32(v)) * factor + 0.5)
                    row[i] = np.int64(min(max(y, least), largest))
                mine[1] += states
                mine[2] += send(row, numbers[2], out[s, t, low:high], own)


@jit
def larger(source: Any, s: int, t: int, places: Any, port: int, low: int, there: Any, row: Any, other: Any) -> None:
    """The larger of what is in `row` and what arrives at a port, of neurons from `low` on that have it."""
    take_sums(source, s, t, places, port, low, other)
    for i in range(row.shape[0]):
        row[i] = max(row[i], other[i]) if there[i] > port else row[i]


@jit
def maximum(
    part: int, parts: int, start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any,
    out: Any, fired: Any, lost: Any,
) -> None:  # fmt: skip
    """params : inputs that are there; numbers : largest payload."""
    begin, end = out.shape[2] * part // parts, out.shape[2] * (part + 1) // parts
    room, second = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    for low in range(begin, end, TILE):
        high = min(low + TILE, end)
        row, other, there, own = room[: high - low], second[: high - low], params[0, low:high], fired[low:high]
        own += out.shape[0] * (stop - start)
        for s in range(out.shape[0]):
            for t in range(start, stop):
                take_sums(inputs[0], s, t, places, 0, low, row)
                larger(inputs[1], s, t, places, 1, low, there, row, other)
                larger(inputs[2], s, t, places, 2, low, there, row, other)
                larger(inputs[3], s, t, places, 3, low, there, row, other)
                lost[part, 2] += send(row, numbers[0], out[s, t, low:high], own)
