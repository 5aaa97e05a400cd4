"""The inner loops of the fast runner, compiled. Integers only; every loop has the order-free meaning of `reference`.

Each kernel does part `part` of `parts` of the tokens, for `machine.threads.split`; counts are kept by part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def weight_sums(weight: Any, is_wide: Any, sums: Any) -> int:
    """Write each row's sum over narrow and over wide axons, (2, rows); return the largest sum of magnitudes of a row."""
    largest = 0
    for i in range(weight.shape[0]):
        total, wide, magnitudes = 0, 0, 0
        for j in range(weight.shape[1]):
            w = np.int64(weight[i, j])
            total += w
            wide += w * is_wide[j]
            magnitudes += abs(w)
        sums[0, i] = total - wide
        sums[1, i] = wide
        largest = max(largest, magnitudes)
    return largest


@jit
def whole(
    part: int, parts: int, payload: Any, is_wide: Any, planes: Any, events: Any, limit: int, too_large: Any
) -> None:
    """Copy an int16 payload, wide axons as zeros; add events by axon, and how many payloads exceed `limit`."""
    tokens, columns = payload.shape
    beyond = 0
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        for j in range(columns):
            x = np.int32(payload[t, j])
            planes[t, j] = planes.dtype.type(0 if is_wide[j] else x)
            events[part, j] += x != 0
            beyond += (x > limit) | (x < -limit)
    too_large[part] = beyond


@jit
def two_digits(
    part: int, parts: int, payload: Any, is_wide: Any, planes: Any, events: Any, limit: int, too_large: Any
) -> None:
    """Split into the digit planes of `simulators.fast.lane`; add events by axon, and how many payloads exceed `limit`."""
    tokens, columns = payload.shape
    beyond = 0
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        for j in range(columns):
            x = np.int32(payload[t, j])
            low = (x & 255) - 128
            wide = is_wide[j]
            planes[t, j] = np.int8(0 if wide else low)
            planes[tokens + t, j] = np.int8(low if wide else x >> 8)
            events[part, j] += x != 0
            beyond += (x > limit) | (x < -limit)
    too_large[part] = beyond


@jit
def fire(
    part: int, parts: int, sums: Any, high: Any, high_place: int, offset: Any, acc_shift: int, state_bits: int,
    multiplier: Any, shift: Any, out_bits: int, scale: Any, out: Any, start: int, silent: Any, lost: Any,
) -> None:  # fmt: skip
    """Update the neurons of one block: writes ``out[:, start:]``, adds silent outputs by neuron and saturations by part.

    `sums` are one plane, or two of which the second counts 2**8-fold; `high`, if any, counts ``2**high_place``-fold.
    `out` is int32 with a float32 `scale` of 1 (exact: an output has 24 bits), or float32 with the scale of the decoder.
    It is a whole array with a start, and `sums` keeps one contiguous row a token: a strided view would keep the compiler
    from vectorising the loop.
    """
    rows = offset.shape[0]
    tokens = out.shape[0]
    two = sums.shape[0] == 2 * tokens
    more = high.shape[0] == tokens
    acc_half = (np.int64(1) << acc_shift) >> 1
    state_max = (np.int64(1) << (state_bits - 1)) - 1
    out_max = (np.int64(1) << (out_bits - 1)) - 1
    half = (np.int64(1) << shift) >> 1
    upper = np.zeros(rows, np.int64)
    row = np.empty(rows, np.int32)
    lost_state = 0
    lost_out = 0
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        if two:
            for i in range(rows):
                upper[i] = np.int64(sums[tokens + t, i]) << 8
        if more:
            for i in range(rows):
                upper[i] = (upper[i] if two else 0) + (np.int64(high[t, i]) << high_place)
        zeros = 0
        for i in range(rows):
            a = (np.int64(sums[t, i]) + upper[i] + offset[i] + acc_half) >> acc_shift
            state = min(max(a, -state_max), state_max)
            lost_state += a != state
            y = (state * multiplier[i] + half[i]) >> shift[i]
            z = min(max(y, -out_max), out_max)
            lost_out += y != z
            zeros += z == 0
            row[i] = np.int32(z)
        for i in range(rows):
            out[t, start + i] = np.float32(row[i]) * scale
        if zeros:  # rare: most neurons answer every token, so the silent ones are counted, not the messages
            for i in range(rows):
                silent[part, i] += row[i] == 0
    lost[part, 0] += lost_state
    lost[part, 1] += lost_out
