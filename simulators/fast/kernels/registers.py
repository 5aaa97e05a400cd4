"""Neurons without state that compute in registers of 32 bits (`neurodeploy.neurons.registers`), those that
`simulators.fast.registers` names.

All have the signature ``kernel(start, stop, inputs, places, params, reals, numbers, out, fired, lost)``: for each port
int32 or int64 (samples, steps.., width) of what arrives and a row of `places` (`kernels.feeds`). params, reals : int64 and
float64, a row for each parameter in the order of `simulators.fast.registers`, of each neuron. numbers : of all neurons
together. out : int32 payloads. `fired` += how often a neuron's payload was not zero, `lost` += (wrapped, saturated,
saturated payloads).

A row of neurons at a time, in loops that the compiler turns into vectors on any processor: registers are int32, whose
products are exact in 64 bits, and the second product, of 32 by 15 bits, is one of real numbers, which hold it exactly (as
in `kernels.lane`). What is rare, a payload of zero, is looked for where there is one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.feeds import kept, take, take_sums

#: Largest magnitude of a register.
REGISTER = 2**31 - 1


@jit
def rounded(x: Any, shift: Any) -> Any:
    """`round_shift` of an int64."""
    return (x + ((np.int64(1) << shift) >> 1)) >> shift


@jit
def silent_ones(out: Any, fired: Any) -> None:
    """Take back what `fired` has counted of the payloads that are zero."""
    for i in range(out.shape[0]):
        fired[i] -= np.int64(out[i] == 0)


@jit
def silence(out: Any, vth: Any, fired: Any) -> None:
    """Payloads up to the threshold become zero; `fired` had counted them."""
    for i in range(out.shape[0]):
        if out[i] != 0 and abs(out[i]) <= vth[i]:
            out[i] = 0
            fired[i] -= 1


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
    offset, threshold; numbers : largest state, largest payload."""
    shift, factor, offset, vth = params[0], reals[0], reals[1], reals[2]
    most, top = numbers[0], np.float64(numbers[1])
    states, payloads, silent = np.int64(0), np.int64(0), False
    for i in range(row.shape[0]):
        x = rounded(row[i], shift[i])
        v = kept(x, most)
        states += np.int64(v != x)
        y = np.floor(np.float64(np.int32(v)) * factor[i] + 0.5) + offset[i]
        z = kept(y, top)
        payloads += np.int64(z != y)
        z = z if abs(z) > vth[i] else 0.0
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
            take_sums(inputs[0], s, t, places, 0, 0, row)
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
def winner(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """As `curve`, and nothing where the sum at b is too large. numbers : one more before those of `curve`: how many win."""
    size = out.shape[2]
    a, ahead, table = np.empty(size, np.int32), np.empty(size, np.int64), numbers[4:]
    row, rest = np.empty(size, np.int64), np.empty(size, np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            lost[1] += take(inputs[0], s, t, places, 0, a)
            take_sums(inputs[1], s, t, places, 1, 0, ahead)
            lost[1] += pieces(a, table, numbers[3], rest, row)
            requantise(row, params, reals, numbers[1:], out[s, t], fired, lost)
            for i in range(size):
                if ahead[i] >= numbers[0] and out[s, t, i] != 0:
                    out[s, t, i] = 0
                    fired[i] -= 1


@jit
def rotation(
    start: int, stop: int, inputs: Any, places: Any, params: Any, reals: Any, numbers: Any, out: Any, fired: Any,
    lost: Any,
) -> None:  # fmt: skip
    """params : of `requantise`, a_exp, b_exp, c_bias; numbers : those of it, the largest cosine."""
    size, a_exp, b_exp, bias = out.shape[2], params[1], params[2], params[3]
    a, b, d = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    row = np.empty(size, np.int64)
    fired += out.shape[0] * (stop - start)
    for s in range(out.shape[0]):
        for t in range(start, stop):
            lost[1] += take(inputs[0], s, t, places, 0, a) + take(inputs[1], s, t, places, 1, b)
            lost[1] += take(inputs[3], s, t, places, 3, d)
            take_sums(inputs[2], s, t, places, 2, 0, row)
            beyond = np.int64(0)
            for i in range(size):
                exact = row[i] + bias[i]
                c = kept(exact, numbers[2])
                beyond += np.int64(c != exact)
                row[i] = ((np.int64(a[i]) * c) << a_exp[i]) + ((np.int64(b[i]) * np.int64(d[i])) << b_exp[i])
            lost[1] += beyond
            requantise(row, params, reals, numbers, out[s, t], fired, lost)
