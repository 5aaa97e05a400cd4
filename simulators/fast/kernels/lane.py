"""The inner loops of a lane, compiled: payloads to digits, and sums to graded outputs.

Real numbers of 64 bits stand for integers here where each has fewer than 53 bits and only powers of two are divided by, so
nothing is ever rounded: they multiply twice as fast as integers of 64 bits, on processors without AVX-512 many times.
`simulators.fast.lane.Lane.of` proves the widths.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.products.pairs import GROUP, LINE, SUMS_PAST, TALL, multiply_part
from simulators.products.tiles import WIDEST

#: Sums of a pass of `pairs`, which stay in the second-level cache, and least neurons of a pass.
SUMS, LEAST = 1 << 16, 32 * GROUP


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
def digits(begin: int, end: int, payload: Any, is_wide: Any, limit: int, planes: Any, two: bool, counts: Any) -> None:
    """Write tokens begin..end of an int16 payload to `planes`: as it is with zeros at wide axons, or as the `two` planes of
    `simulators.fast.lane`. counts : adds events by axon, and at its end how many magnitudes exceed `limit`."""
    tokens, columns = payload.shape
    high, low = np.int16(limit), np.int16(-limit)
    for j in range(columns):
        counts[j] += end - begin
    for t in range(begin, end):
        silent, beyond, row, first = False, False, payload[t], planes[t]
        if two:
            second = planes[tokens + t]
            for j in range(columns):
                x = row[j]
                lower = np.int8((x & 255) - 128)
                first[j] = np.int8(0) if is_wide[j] else lower
                second[j] = lower if is_wide[j] else np.int8(x >> 8)
                silent |= x == 0
                beyond |= (x > high) | (x < low)
        else:
            for j in range(columns):
                x = row[j]
                first[j] = 0 if is_wide[j] else x
                silent |= x == 0
                beyond |= (x > high) | (x < low)
        if silent:  # what is rare is counted where there is something to count alone
            for j in range(columns):
                counts[j] -= row[j] == 0
        if beyond:
            for j in range(columns):
                counts[-1] += (row[j] > high) | (row[j] < low)


@jit
def digits_part(
    part: int, parts: int, payload: Any, is_wide: Any, limit: int, planes: Any, two: bool, counts: Any
) -> None:
    """`digits` of the tokens of one part, counted in counts[part]."""
    tokens = payload.shape[0]
    digits(tokens * part // parts, tokens * (part + 1) // parts, payload, is_wide, limit, planes, two, counts[part])


@jit
def fire(
    begin: int, end: int, tokens: int, sums: Any, high: Any, high_unit: float, start: int, neurons: Any, numbers: Any,
    scale: float, out: Any, bounds: Any, counts: Any,
) -> None:  # fmt: skip
    """Update the neurons ``start:start + sums.shape[1]`` for tokens begin..end, of `tokens`.

    sums, high : row 0 is token `begin`, or, of two planes of which the second counts 2**8-fold, token 0. high : the sums of
    wide axons, if any, in units of `high_unit`. neurons : (2, neurons), ``offset * unit + 1/2`` and
    ``multiplier / 2**shift``. numbers : unit (``2**-acc_shift``), largest state, largest output. out, bounds : as in
    `simulators.fast.lane.Lane.run`. counts : adds messages by neuron, clipped states, clipped outputs.
    """
    rows = sums.shape[1]
    two, more = sums.shape[0] == 2 * tokens, high.shape[0] > 0
    unit, state_max, out_max = numbers[0], np.float32(numbers[1]), np.float32(numbers[2])
    offset, factor = neurons[0, start : start + rows], neurons[1, start : start + rows]
    upper, row, single = offset.copy(), np.empty(rows, np.float32), np.float32(scale)
    messages, lost = counts[start : start + rows], counts[neurons.shape[1] :]
    for i in range(rows):
        messages[i] += end - begin
    for t in range(begin, end):
        place = t if two else t - begin
        own = sums[place]
        if two:
            second = sums[tokens + t]
            for i in range(rows):
                upper[i] = offset[i] + np.float64(second[i]) * (256.0 * unit)
        if more:
            for i in range(rows):
                upper[i] = (upper[i] if two else offset[i]) + np.float64(high[place, i]) * high_unit
        for i in range(rows):
            row[i] = np.float32(np.floor(np.float64(own[i]) * unit + upper[i]))
        lost[0] += saturate(row, state_max)
        for i in range(rows):
            row[i] = np.float32(np.floor(np.float64(row[i]) * factor[i] + 0.5))
        lost[1] += saturate(row, out_max)
        silent = False
        for s in range(bounds.shape[0] - 1):
            first, last = max(bounds[s], start), min(bounds[s + 1], start + rows)
            if first < last:
                at = tokens * bounds[s] + t * (bounds[s + 1] - bounds[s]) + first - bounds[s]
                target, source = out[at : at + last - first], row[first - start : last - start]
                for i in range(last - first):
                    silent |= source[i] == 0
                    target[i] = source[i] * single
        if silent:
            for i in range(rows):
                messages[i] -= row[i] == 0


@jit
def gather(sums: Any, shift: int, fresh: bool, total: Any) -> None:
    """``total + (sums << shift)`` in int64, (tokens, rows), or without what `total` had before."""
    unit = np.int64(1) << shift
    for t in range(sums.shape[0]):
        own, to = sums[t], total[t]
        if fresh:
            for i in range(own.shape[0]):
                to[i] = np.int64(own[i]) * unit
        else:
            for i in range(own.shape[0]):
                to[i] += np.int64(own[i]) * unit


@jit
def saturate(row: Any, most: Any) -> int:
    """Clip whole numbers to -most..most, which 24 bits hold, in place; how many were beyond. Few are, so it looks first."""
    beyond = False
    for i in range(row.shape[0]):
        beyond |= abs(row[i]) > most
    count = 0
    if beyond:
        for i in range(row.shape[0]):
            count += abs(row[i]) > most
            row[i] = min(max(row[i], -most), most)
    return count


@jit
def fire_part(
    part: int, parts: int, tokens: int, sums: Any, high: Any, high_unit: float, start: int, neurons: Any, numbers: Any,
    scale: float, out: Any, bounds: Any, counts: Any,
) -> None:  # fmt: skip
    """`fire` for the tokens of one part, counted in counts[part] behind the events."""
    begin, end = tokens * part // parts, tokens * (part + 1) // parts
    if sums.shape[0] == tokens:
        sums, high = sums[begin:end], high[begin:end]
    mine = counts[part, counts.shape[1] - 3 - neurons.shape[1] :]
    fire(begin, end, tokens, sums, high, high_unit, start, neurons, numbers, scale, out, bounds, mine)


@jit
def pairs(
    part: int, parts: int, payload: Any, planes: Any, is_wide: Any, limit: int, weight: Any, wide: Any,
    wide_weight: Any, kind: Any, neurons: Any, numbers: Any, scale: float, out: Any, bounds: Any, counts: Any,
) -> None:  # fmt: skip
    """All of a lane with the project's own product, for the neurons of one part: digits, product and `fire` in one call.

    planes : the payload's digits, or no row: then they are made here. kind : an array of the type of the sums.
    """
    tokens, columns = payload.shape
    groups = (weight.shape[0] + GROUP - 1) // GROUP
    first, last = groups * part // parts * GROUP, min(groups * (part + 1) // parts * GROUP, weight.shape[0])
    if not planes.shape[0]:
        planes = np.zeros((tokens, (columns + WIDEST - 1) // WIDEST * WIDEST), np.int16)
        digits(
            0, tokens, payload, is_wide, limit, planes, False, counts[part] if part == 0 else np.zeros_like(counts[0])
        )
    upper = np.zeros((tokens if wide.size else 0, (wide.size + WIDEST - 1) // WIDEST * WIDEST), np.int16)
    for t in range(upper.shape[0]):
        for j in range(wide.size):
            upper[t, j] = payload[t, wide[j]]
    for begin in range(0, tokens, TALL):
        end = min(begin + TALL, tokens)
        block = max(LEAST, SUMS // (end - begin) // GROUP * GROUP)
        size = (end - begin) * min(block, last - first)
        sums, high = room_of(size, kind), room_of(size if wide.size else 0, kind)
        for start in range(first, last, block):
            stop = min(start + block, last)
            size = (end - begin) * (stop - start)
            own, more = sums[:size].reshape(end - begin, stop - start), high[:0].reshape(0, stop - start)
            multiply_part(0, 1, planes[begin:end], weight[start:stop], own)
            if wide.size:
                more = high[:size].reshape(end - begin, stop - start)
                multiply_part(0, 1, upper[begin:end], wide_weight[start:stop], more)
            fire(
                begin, end, tokens, own, more, 256.0 * numbers[0], start, neurons, numbers, scale, out, bounds,
                counts[part, columns:],
            )  # fmt: skip


@jit
def room_of(size: int, kind: Any) -> Any:
    """So many elements of the type of `kind`, from a little after the beginning of a cache line on (`SUMS_PAST`)."""
    found = np.empty(size + 2 * LINE // kind.itemsize, kind.dtype)
    begin = (-found.ctypes.data % LINE + SUMS_PAST) // kind.itemsize
    return found[begin : begin + size]
