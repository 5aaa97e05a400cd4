"""Neurons without state that compute in registers of 32 bits, and how payloads reach them: `neurodeploy.neurons.registers`
and the models that `simulators.fast.registers` names.

All have the signature ``kernel(start, stop, inputs, places, params, reals, numbers, out, fired, lost)``: for each port int32
or int64 (samples, steps.., width) of what arrives and a row (first, repeat, wide) of `places`; neuron i of a port gets
element ``first + i // repeat``, which may leave 32 bits where `wide`. params, reals : int64 and float64, a row for each
parameter in the order of `simulators.fast.registers`, of each neuron. numbers : of all neurons together. out : int32
payloads. `fired` += how often a neuron's payload was not zero, `lost` += (wrapped, saturated, saturated payloads).

A row of neurons at a time, in loops that the compiler turns into vectors on any processor: registers are int32, whose
products are exact in 64 bits, and the second product, of 32 by 15 bits, is one of real numbers, which hold it exactly (as
in `kernels.lane`). What is rare, a payload of zero, is looked for where there is one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit

#: Largest magnitude of a register.
REGISTER = 2**31 - 1


@jit
def rounded(x: Any, shift: Any) -> Any:
    """`round_shift` of an int64."""
    return (x + ((np.int64(1) << shift) >> 1)) >> shift


@jit
def kept(x: Any, most: Any) -> Any:
    """Clipped to -most..most."""
    return min(max(x, -most), most)


@jit
def take(source: Any, s: int, t: int, places: Any, port: int, row: Any) -> Any:
    """What arrives at a port in one step, in registers; how many did not fit."""
    first, repeat, size, lost = places[port, 0], places[port, 1], row.shape[0], np.int64(0)
    if repeat > 1:
        for g in range(size // repeat):
            x = np.int64(source[s, t, first + g])
            held = kept(x, REGISTER)
            lost += repeat * np.int64(held != x)
            row[g * repeat : (g + 1) * repeat] = np.int32(held)
        return lost
    given = source[s, t, first : first + size]
    if places[port, 2] == 0:
        for i in range(size):
            row[i] = given[i]
        return lost
    for i in range(size):
        x = np.int64(given[i])
        held = kept(x, REGISTER)
        lost += np.int64(held != x)
        row[i] = held
    return lost


@jit
def take_sums(source: Any, s: int, t: int, places: Any, row: Any) -> None:
    """What arrives at the first port in one step, as it is."""
    first, repeat, size = places[0, 0], places[0, 1], row.shape[0]
    for g in range(size // repeat if repeat > 1 else 0):
        row[g * repeat : (g + 1) * repeat] = np.int64(source[s, t, first + g])
    if repeat == 1:
        given = source[s, t, first : first + size]
        for i in range(size):
            row[i] = given[i]


@jit
def silent_ones(out: Any, fired: Any) -> None:
    """Take back what `fired` has counted of the payloads that are zero."""
    for i in range(out.shape[0]):
        fired[i] -= np.int64(out[i] == 0)


@jit
def send(row: Any, most: int, out: Any, fired: Any) -> Any:
    """Payloads, clipped; `fired` has counted all of them before. How many were clipped."""
    lost, silent = np.int64(0), False
    for i in range(row.shape[0]):
        y = kept(row[i], most)
        lost += np.int64(y != row[i])
        silent |= y == 0
        out[i] = y
    if silent:
        silent_ones(out, fired)
    return lost


@jit
def requantise(row: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any, lost: Any) -> None:
    """`neurons.registers.requantised` of exact results. params : shift before the state; reals : ``multiplier / 2**shift``,
    offset; numbers : largest state, largest payload."""
    shift, factor, offset = params[0], reals[0], reals[1]
    most, top = numbers[0], np.float64(numbers[1])
    states, payloads, silent = np.int64(0), np.int64(0), False
    for i in range(row.shape[0]):
        x = rounded(row[i], shift[i])
        v = kept(x, most)
        states += np.int64(v != x)
        y = np.floor(np.float64(np.int32(v)) * factor[i] + 0.5) + offset[i]
        z = kept(y, top)
        payloads += np.int64(z != y)
        silent |= z == 0.0
        out[i] = np.int32(z)
    lost[1] += states
    lost[2] += payloads
    if silent:
        silent_ones(out, fired)


@jit
def pieces(row: Any, table: Any, width: int, rest: Any, out: Any) -> Any:
    """`neurons.graded_curve.piecewise` of registers, held, as int64 in `out`; how many results were beyond a register.
    rest : room for as many int64."""
    last = np.int64(table.shape[0] - 2)
    middle = np.int64((table.shape[0] - 1) // 2) << width
    lost = np.int64(0)
    for i in range(row.shape[0]):
        a = np.int64(row[i]) + middle
        n = min(max(a >> width, np.int64(0)), last)
        rest[i] = a - (n << width)
        out[i] = n
    for i in range(row.shape[0]):
        n = np.uint64(out[i])
        start = table[n]
        x = start + rounded((table[n + np.uint64(1)] - start) * rest[i], width)
        f = kept(x, REGISTER)
        lost += np.int64(f != x)
        out[i] = f
    return lost


@jit
def affine(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """The sum need not fit a register. params : offset; reals : ``multiplier / 2**shift``; numbers : shift of the sum,
    largest state, largest payload."""
    row, offset, factor, most = np.empty(out.shape[2], np.int64), params[0], reals[0], numbers[1]
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take_sums(inputs[0], s, t, places, row)
            states = np.int64(0)
            for i in range(row.shape[0]):
                x = (row[i] + offset[i]) >> numbers[0]
                v = kept(x, most)
                states += np.int64(v != x)
                row[i] = np.int64(np.floor(np.float64(np.int32(v)) * factor[i] + 0.5))
            lost[1] += states
            lost[2] += send(row, numbers[2], out[s, t], fired)


@jit
def summed(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """params : a_exp, b_exp, shift; numbers : largest payload."""
    a, b = np.empty(out.shape[2], np.int32), np.empty(out.shape[2], np.int32)
    row, a_exp, b_exp, shift = np.empty(out.shape[2], np.int64), params[0], params[1], params[2]
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            lost[1] += take(inputs[0], s, t, places, 0, a) + take(inputs[1], s, t, places, 1, b)
            for i in range(row.shape[0]):
                row[i] = rounded((np.int64(a[i]) << a_exp[i]) + (np.int64(b[i]) << b_exp[i]), shift[i])
            lost[2] += send(row, numbers[0], out[s, t], fired)


@jit
def square(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """params : shift; numbers : largest payload."""
    a, row, shift = np.empty(out.shape[2], np.int32), np.empty(out.shape[2], np.int64), params[0]
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            lost[1] += take(inputs[0], s, t, places, 0, a)
            for i in range(row.shape[0]):
                row[i] = rounded(np.int64(a[i]) * np.int64(a[i]), shift[i])
            lost[2] += send(row, numbers[0], out[s, t], fired)


@jit
def root(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """The sum need not fit a register before the bias. params : bias; numbers : the table."""
    row = np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            take_sums(inputs[0], s, t, places, row)
            for i in range(row.shape[0]):
                exact = row[i] + params[0, i]
                x = kept(exact, REGISTER)
                lost[1] += np.int64(x != exact) + np.int64(x < 0)
                if x <= 0:
                    fired[i] -= 1
                    out[s, t, i] = 0
                    continue
                _, bits = math.frexp(np.float64(x))
                c = (32 - np.int64(bits)) // 2
                m = x << (2 * c)
                near = numbers[(m >> 24) - 64]
                rest = (np.int64(3) << 30) - (((m >> 2) * (near * near)) >> 30)
                out[s, t, i] = rounded((near * rest) >> 16, 16 - c)


@jit
def product(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """params, reals, numbers : of `requantise`."""
    a, b = np.empty(out.shape[2], np.int32), np.empty(out.shape[2], np.int32)
    row = np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            lost[1] += take(inputs[0], s, t, places, 0, a) + take(inputs[1], s, t, places, 1, b)
            for i in range(row.shape[0]):
                row[i] = np.int64(a[i]) * np.int64(b[i])
            requantise(row, params, reals, numbers, out[s, t], fired, lost)


@jit
def curve(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """params, reals : of `requantise`; numbers : those of it, the width of a piece, the table."""
    a, table = np.empty(out.shape[2], np.int32), numbers[3:]
    row, rest = np.empty(out.shape[2], np.int64), np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            lost[1] += take(inputs[0], s, t, places, 0, a)
            lost[1] += pieces(a, table, numbers[2], rest, row)
            requantise(row, params, reals, numbers, out[s, t], fired, lost)


@jit
def gate(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """As `curve`, times the second input."""
    a, b, table = np.empty(out.shape[2], np.int32), np.empty(out.shape[2], np.int32), numbers[3:]
    row, rest = np.empty(out.shape[2], np.int64), np.empty(out.shape[2], np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            lost[1] += take(inputs[0], s, t, places, 0, a) + take(inputs[1], s, t, places, 1, b)
            lost[1] += pieces(a, table, numbers[2], rest, row)
            for i in range(row.shape[0]):
                row[i] = np.int64(np.int32(row[i])) * np.int64(b[i])
            requantise(row, params, reals, numbers, out[s, t], fired, lost)


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
