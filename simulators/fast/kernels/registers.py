"""Neurons without state that compute in registers of 32 bits, and how payloads reach them: `neurodeploy.neurons.registers`
and the models that `simulators.fast.registers` names.

All have the signature ``kernel(start, stop, inputs, places, params, numbers, out, fired, lost)``: for each port int32 or
int64 (samples, steps.., width) of what arrives and a row (first, repeat) of `places`; neuron i of a port gets element
``first + i // repeat``. params : int64, a row for each parameter in the order of `simulators.fast.registers`, of each
neuron. numbers : of all neurons together. out : int32 payloads. `fired` += how often a neuron's payload was not zero,
`lost` += (wrapped, saturated, saturated payloads).

A row at a time, in loops that the compiler turns into vectors; what is rare (a payload of zero) is looked for where there is
one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit

#: Largest magnitude of a register.
REGISTER = 2**31 - 1


@jit
def take(source: Any, s: int, t: int, places: Any, port: int, row: Any) -> None:
    """What arrives at a port in one step, as int64."""
    first, repeat, size = places[port, 0], places[port, 1], row.shape[0]
    if repeat == 1:
        given = source[s, t, first : first + size]
        for i in range(size):
            row[i] = given[i]
    else:
        for g in range(size // repeat):
            row[g * repeat : (g + 1) * repeat] = np.int64(source[s, t, first + g])


@jit
def clip(row: Any, most: int) -> Any:
    """Clip to -most..most in place; how many were beyond."""
    lost = np.int64(0)
    for i in range(row.shape[0]):
        kept = min(max(row[i], -most), most)
        lost += np.int64(kept != row[i])
        row[i] = kept
    return lost


@jit
def send(row: Any, most: int, out: Any, fired: Any) -> Any:
    """Payloads, clipped; `fired` has counted all of them before. How many were clipped."""
    lost = clip(row, most)
    silent = False
    for i in range(row.shape[0]):
        silent |= row[i] == 0
        out[i] = row[i]
    if silent:
        for i in range(row.shape[0]):
            fired[i] -= np.int64(row[i] == 0)
    return lost


@jit
def shifted(row: Any, half: Any, shift: Any) -> None:
    """`round_shift` in place; half : ``2**(shift - 1)``, 0 where the shift is."""
    for i in range(row.shape[0]):
        row[i] = (row[i] + half[i]) >> shift[i]


@jit
def requantise(row: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any) -> None:
    """`neurons.registers.requantised`. params : half and shift before the state, multiplier, half, shift, offset; numbers :
    largest state, largest payload."""
    shifted(row, params[0], params[1])
    lost[1] += clip(row, numbers[0])
    multiplier, half, shift, offset = params[2], params[3], params[4], params[5]
    for i in range(row.shape[0]):
        row[i] = ((row[i] * multiplier[i] + half[i]) >> shift[i]) + offset[i]
    lost[2] += send(row, numbers[1], out, fired)


@jit
def pieces(row: Any, table: Any, width: int) -> Any:
    """`neurons.graded_curve.piecewise` in place, held; how many results were beyond a register."""
    last = table.shape[0] - 2
    middle = np.int64((table.shape[0] - 1) // 2) << width
    half = np.int64(1) << (width - 1) if width > 0 else np.int64(0)
    for i in range(row.shape[0]):
        a = row[i] + middle
        n = min(max(a >> width, 0), last)
        row[i] = table[n] + (((table[n + 1] - table[n]) * (a - (n << width)) + half) >> width)
    return clip(row, REGISTER)


@jit
def affine(
    start: int, stop: int, inputs: Any, places: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any
) -> None:
    """params : offset, multiplier, half, shift; numbers : shift of the sum, largest state, largest payload."""
    offset, multiplier, half, shift = params[0], params[1], params[2], params[3]
    row = np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take(inputs[0], s, t, places, 0, row)
            for i in range(row.shape[0]):
                row[i] = (row[i] + offset[i]) >> numbers[0]
            lost[1] += clip(row, numbers[1])
            for i in range(row.shape[0]):
                row[i] = (row[i] * multiplier[i] + half[i]) >> shift[i]
            lost[2] += send(row, numbers[2], out[s, t], fired)


@jit
def summed(
    start: int, stop: int, inputs: Any, places: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any
) -> None:
    """params : a_exp, b_exp, half, shift; numbers : largest payload."""
    row, other = np.empty(out.shape[2], np.int64), np.empty(out.shape[2], np.int64)
    a_exp, b_exp = params[0], params[1]
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take(inputs[0], s, t, places, 0, row)
            take(inputs[1], s, t, places, 1, other)
            lost[1] += clip(row, REGISTER) + clip(other, REGISTER)
            for i in range(row.shape[0]):
                row[i] = (row[i] << a_exp[i]) + (other[i] << b_exp[i])
            shifted(row, params[2], params[3])
            lost[2] += send(row, numbers[0], out[s, t], fired)


@jit
def square(
    start: int, stop: int, inputs: Any, places: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any
) -> None:
    """params : half, shift; numbers : largest payload."""
    row = np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take(inputs[0], s, t, places, 0, row)
            lost[1] += clip(row, REGISTER)
            for i in range(row.shape[0]):
                row[i] *= row[i]
            shifted(row, params[0], params[1])
            lost[2] += send(row, numbers[0], out[s, t], fired)


@jit
def root(
    start: int, stop: int, inputs: Any, places: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any
) -> None:
    """params : bias; numbers : the table."""
    row = np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take(inputs[0], s, t, places, 0, row)
            for i in range(row.shape[0]):
                row[i] += params[0, i]
            lost[1] += clip(row, REGISTER)
            for i in range(row.shape[0]):
                x = row[i]
                if x <= 0:
                    lost[1] += np.int64(x < 0)
                    fired[i] -= 1
                    out[s, t, i] = 0
                    continue
                _, bits = math.frexp(np.float64(x))
                c = (32 - np.int64(bits)) // 2
                m = x << (2 * c)
                first = numbers[(m >> 24) - 64]
                rest = (np.int64(3) << 30) - (((m >> 2) * (first * first)) >> 30)
                shift = 16 - c
                half = np.int64(1) << (shift - 1) if shift > 0 else np.int64(0)
                out[s, t, i] = (((first * rest) >> 16) + half) >> shift


@jit
def product(
    start: int, stop: int, inputs: Any, places: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any
) -> None:
    """params, numbers : of `requantise`."""
    row, other = np.empty(out.shape[2], np.int64), np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take(inputs[0], s, t, places, 0, row)
            take(inputs[1], s, t, places, 1, other)
            lost[1] += clip(row, REGISTER) + clip(other, REGISTER)
            for i in range(row.shape[0]):
                row[i] *= other[i]
            requantise(row, params, numbers, out[s, t], fired, lost)


@jit
def curve(
    start: int, stop: int, inputs: Any, places: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any
) -> None:
    """params : of `requantise`; numbers : those of it, the width of a piece, the table."""
    row, table = np.empty(out.shape[2], np.int64), numbers[3:]
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take(inputs[0], s, t, places, 0, row)
            lost[1] += clip(row, REGISTER)
            lost[1] += pieces(row, table, numbers[2])
            requantise(row, params, numbers, out[s, t], fired, lost)


@jit
def gate(
    start: int, stop: int, inputs: Any, places: Any, params: Any, numbers: Any, out: Any, fired: Any, lost: Any
) -> None:
    """As `curve`, times the second input."""
    row, other, table = np.empty(out.shape[2], np.int64), np.empty(out.shape[2], np.int64), numbers[3:]
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take(inputs[0], s, t, places, 0, row)
            take(inputs[1], s, t, places, 1, other)
            lost[1] += clip(row, REGISTER) + clip(other, REGISTER)
            lost[1] += pieces(row, table, numbers[2])
            for i in range(row.shape[0]):
                row[i] *= other[i]
            requantise(row, params, numbers, out[s, t], fired, lost)


@jit
def block_sums(stop: int, source: Any, out: Any) -> None:
    """Sums of equal blocks of neurons: source (1, steps.., width) to out (1, steps.., blocks) int64."""
    length = source.shape[2] // out.shape[2]
    for t in range(stop):
        for g in range(out.shape[2]):
            total = np.int64(0)
            for x in source[0, t, g * length : (g + 1) * length]:
                total += np.int64(x)
            out[0, t, g] = total


@jit
def gathered(stop: int, source: Any, index: Any, out: Any) -> None:
    """out[.., i] = source[.., index[i]]."""
    for t in range(stop):
        for i in range(index.shape[0]):
            out[0, t, i] = source[0, t, index[i]]


@jit
def narrowed(stop: int, source: Any, out: Any) -> None:
    """Payloads (1, steps.., width) to int16 (steps.., width), which holds them."""
    for t in range(stop):
        given, row = source[0, t], out[t]
        for i in range(row.shape[0]):
            row[i] = given[i]


@jit
def count_events(stop: int, payload: Any, fired: Any) -> None:
    """`fired` += how often each neuron of (1, steps.., width) sent what is not zero."""
    for t in range(stop):
        row = payload[0, t]
        for i in range(row.shape[0]):
            fired[i] += np.int64(row[i] != 0)
