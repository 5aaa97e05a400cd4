"""The inner loops of `graded_attention` for many queries at once: exact products of 16-bit pairs, one pass over the scores.

Keys and values of a group lie as `simulators.products.tiles.spread` reads them, in pairs of neighbouring numbers of a head
and of neighbouring positions::

    key   (samples, groups, positions / 16, numbers / 2, 16, 2)        value  (samples, groups, positions / 2, numbers, 2)

A query is split into digits of so many bits, a weight of 21 bits into two of 11, so that no sum of a product leaves 32 bits
(`simulators.fast.attention`); a digit is a row of a product's left side.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.feeds import kept
from simulators.fast.kernels.registers import REGISTER, requantise, rounded
from simulators.products.tiles import ROWS, SPREAD, spread

#: Queries whose scores exist at a time.
QUERIES = 8
#: Bits of a lower digit of a weight, digits of one, and positions whose products with them 32 bits hold: 2**10 * 2**15 * 64.
DIGIT, DIGITS, CHUNK = 11, 2, 64


@jit
def coded(source: Any, s: int, t: int, factor: Any, most: int, out: Any) -> Any:
    """A row of inputs as `graded_attention.coded` keeps them; how many were clipped. factor : ``multiplier / 2**shift``, so
    that the product is of 47 bits and exact."""
    given, lost, top = source[s, t], np.int64(0), np.float64(most)
    for i in range(out.shape[0]):
        x = np.int64(given[i])
        held = kept(x, REGISTER)
        y = np.floor(np.float64(np.int32(held)) * factor[i] + 0.5)
        z = kept(y, top)
        lost += np.int64(held != x) + np.int64(z != y)
        out[i] = np.int32(z)
    return lost


@jit
def take(
    part: int, parts: int, start: int, stop: int, inputs: Any, factors: Any, most: Any, heads: int, groups: int, bits: int,
    at: int, query: Any, key: Any, value: Any, lost: Any,
) -> None:  # fmt: skip
    """Digits of queries, (samples, heads, steps * digits, numbers), and keys and values (samples, positions, numbers) from
    position `at` on. most : the largest of each; bits : of a digit."""
    samples, dim = query.shape[0], factors.shape[1] // heads
    row, digits, half = np.empty(factors.shape[1], np.int32), -(-16 // bits), (1 << bits) >> 1
    wide = heads // groups * dim
    for n in range(samples * (stop - start) * part // parts, samples * (stop - start) * (part + 1) // parts):
        s, t = n // (stop - start), n % (stop - start)
        lost[part, 1] += coded(inputs[0], s, start + t, factors[0], most[0], row)
        for h in range(heads):
            own = row[h * dim : (h + 1) * dim]
            for digit in range(digits - 1):
                to = query[s, h, t * digits + digit]
                for d in range(dim):
                    low = np.int32(((own[d] + half) & (2 * half - 1)) - half)
                    to[d] = low
                    own[d] = (own[d] - low) >> bits
            to = query[s, h, t * digits + digits - 1]
            for d in range(dim):
                to[d] = own[d]
        lost[part, 1] += coded(inputs[1], s, start + t, factors[1], most[1], row)
        for g in range(groups):
            key[s, at + t, g * dim : (g + 1) * dim] = row[g * wide : g * wide + dim]
        lost[part, 1] += coded(inputs[2], s, start + t, factors[2], most[1], row)
        for g in range(groups):
            value[s, at + t, g * dim : (g + 1) * dim] = row[g * wide : g * wide + dim]


@jit
def pack(begin: int, end: int, keys: Any, values: Any, dim: int, key: Any, value: Any) -> None:
    """Positions begin..end, (samples, positions, groups * dim), as `spread` reads them."""
    for s in range(key.shape[0]):
        for g in range(key.shape[1]):
            for j in range(begin, end):
                row, panel = keys[s, j, g * dim : (g + 1) * dim], key[s, g, j // SPREAD]
                for d in range(dim // 2):
                    panel[d, j % SPREAD, 0] = row[2 * d]
                    panel[d, j % SPREAD, 1] = row[2 * d + 1]
                if dim % 2:
                    panel[dim // 2, j % SPREAD, 0] = row[dim - 1]
                row, panel = values[s, j, g * dim : (g + 1) * dim], value[s, g, j // 2]
                for d in range(dim):
                    panel[d, j % 2] = row[d]


@jit
def weigh(
    scores: Any, row: int, begin: int, end: int, digits: int, base: float, scale: float, fraction: int, table: Any,
    room: Any, out: Any, to: int,
) -> Any:  # fmt: skip
    """A query's weights from the products of its digits: their digits to `out`, their sum, and how many scores were clipped.

    scores : its digits from `row` on, keys begin..end; base : of a digit; scale : ``2**-score_shift``; table : float32;
    out : from row `to` on. Loops are short, so that each is one of vectors. An entry of the table is a multiple of 2**5
    below 2**21 and shifted by 22 at most: float32 holds it and its half.
    """
    keys, limit, beyond, lost = end - begin, np.float64(REGISTER), False, np.int64(0)
    real, x, p, power = room[0][:keys], room[1][:keys], room[2][:keys], room[3][:keys]
    first, second = scores[row, begin:end], scores[row + min(1, digits - 1), begin:end]
    upper = base if digits > 1 else 0.0
    for j in range(keys):
        real[j] = np.float64(second[j]) * upper + np.float64(first[j])
    for digit in range(2, digits):
        other, unit = scores[row + digit, begin:end], base**digit
        for j in range(keys):
            real[j] += np.float64(other[j]) * unit
    for j in range(keys):
        y = np.floor(real[j] * scale + 0.5)
        beyond |= abs(y) > limit
        real[j] = y
    if beyond:
        for j in range(keys):
            lost += np.int64(abs(real[j]) > limit)
            real[j] = kept(real[j], limit)
    most = np.int32(-REGISTER)
    for j in range(keys):
        x[j] = np.int32(real[j])
        most = max(most, x[j])
    mask = np.uint32((1 << fraction) - 1)
    for j in range(keys):
        p[j] = table[np.uint32(x[j]) & mask]
    whole = np.int32(most >> fraction)
    for j in range(keys):  # the bits of 2**-behind
        x[j] = np.int32(np.int32(127) - min(np.int32(whole - np.int32(x[j] >> fraction)), np.int32(2 * DIGIT))) << 23
    total, low_part, high_part = np.int64(0), out[to, begin:end], out[to + 1, begin:end]
    for j in range(keys):
        weight = np.int32(np.floor(p[j] * power[j] + np.float32(0.5)))
        total += weight
        low = np.int32(((weight + (1 << (DIGIT - 1))) & ((1 << DIGIT) - 1)) - (1 << (DIGIT - 1)))
        low_part[j] = low
        high_part[j] = (weight - low) >> DIGIT
    return total, lost


@jit
def attend(
    part: int, parts: int, query: Any, key: Any, value: Any, first: Any, stop: Any, bits: int, shift: Any, fraction: int,
    table: Any, inverse: Any, params: Any, reals: Any, numbers: Any, out: Any, lost: Any,
) -> None:  # fmt: skip
    """Payloads of the heads of one part, (samples, steps, heads * numbers).

    query : as `take` makes it; first, stop : the keys that each query sees, both rising; bits : of a digit; shift : of the
    scores of each head; table : `graded_attention.EXP`; inverse : `INVERSE`; params, reals, numbers : of `requantise`, by
    head.
    """
    samples, heads, steps, dim = query.shape[0], query.shape[1], first.shape[0], params.shape[2]
    digits, per = -(-16 // bits), heads // key.shape[1]
    pairs, width = key.shape[3], value.shape[3]
    keys = 2 * SPREAD * pairs
    longest = 0
    for begin in range(0, steps, QUERIES):
        end = min(begin + QUERIES, steps)
        longest = max(longest, -(-stop[end - 1] // CHUNK) - first[begin] // CHUNK)
    longest *= CHUNK
    scores, weights = np.empty((QUERIES * digits, longest), np.int32), np.empty((QUERIES * DIGITS, longest), np.int16)
    x, row = np.empty(longest, np.int32), np.empty(dim, np.int64)
    room = np.empty(longest), x, np.empty(longest, np.float32), x.view(np.float32)
    sums, totals = np.empty((QUERIES * DIGITS, width), np.int32), np.empty((QUERIES, width), np.int64)
    z, silent = np.empty(QUERIES, np.int64), np.zeros(dim, np.int64)
    for unit in range(samples * heads * part // parts, samples * heads * (part + 1) // parts):
        s, h = unit // heads, unit % heads
        all_keys, all_values = key[s, h // per].ravel(), value[s, h // per].ravel()
        own = slice(h * dim, (h + 1) * dim)
        for begin in range(0, steps, QUERIES):
            end = min(begin + QUERIES, steps)
            low, high = first[begin] // CHUNK * CHUNK, -(-stop[end - 1] // CHUNK) * CHUNK
            rows = query[s, h, begin * digits : (begin + QUERIES) * digits]
            for r in range(0, (end - begin) * digits, ROWS):
                top, bottom = begin + r // digits, min(begin + (r + ROWS - 1) // digits, end - 1)
                for panel in range(first[top] // SPREAD, (stop[bottom] - 1) // SPREAD + 1):
                    spread(rows, r, 0, all_keys, panel * keys, 2 * SPREAD, pairs, scores, panel * SPREAD - low)
            for i in range(end - begin):
                a, b = first[begin + i] - low, stop[begin + i] - low
                for digit in range(i * DIGITS, (i + 1) * DIGITS):
                    weights[digit, :a] = 0
                    weights[digit, b : high - low] = 0
                z[i], clipped = weigh(
                    scores,
                    i * digits,
                    a,
                    b,
                    digits,
                    2.0**bits,
                    2.0 ** -shift[h],
                    fraction,
                    table,
                    room,
                    weights,
                    i * DIGITS,
                )
                lost[part, 1] += clipped
            totals[:] = 0
            for r in range(0, (end - begin) * DIGITS, ROWS):
                top, bottom = begin + r // DIGITS, min(begin + (r + ROWS - 1) // DIGITS, end - 1)
                for chunk in range(first[top] // CHUNK * CHUNK, stop[bottom], CHUNK):
                    for d in range(0, width, SPREAD):
                        at = chunk * width + 2 * d
                        spread(weights, r, chunk - low, all_values, at, 2 * width, CHUNK // 2, sums, d)
                    for i in range(r // DIGITS, (r + ROWS) // DIGITS):
                        lower, upper, total = sums[i * DIGITS], sums[i * DIGITS + 1], totals[i]
                        for d in range(width):
                            total[d] += np.int64(lower[d]) + (np.int64(upper[d]) << DIGIT)
            for i in range(end - begin):
                _, length = math.frexp(np.float64(z[i]))
                c = np.int64(length) - 16
                m = z[i] >> c
                y = inverse[(m >> 7) - 256]
                factor = (y * ((np.int64(1) << 32) - m * y)) >> 31
                for d in range(dim):
                    row[d] = rounded(totals[i, d], c) * factor
                requantise(row, params[h], reals[h], numbers, out[s, begin + i, own], silent, lost[part])
