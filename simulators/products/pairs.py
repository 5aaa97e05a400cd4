"""The project's own product of 16-bit payloads with 8-bit or 16-bit weights: one pass, no digits, on any processor.

The weights of a panel of rows are widened to 16 bits once for all payloads (a few kilobytes, in the first-level cache), or
read as they are where there are few payloads, so that memory is read once; nothing of the size of the weights is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.hostops.threads import split
from simulators.network_kernels.jit import jit
from simulators.products.tiles import PANEL, WIDEST, one_row, two_rows, width

#: Rows whose weights are widened together: two panels, whose sums fill a cache line.
GROUP = 2 * PANEL
#: Columns at a time: widened weights of a group stay in the first-level cache. No 32-bit lane of a tile can overflow, as a
#: lane has at most a fourth of the columns: 160 * 2**15 * 2**7 < 2**31.
CUT = 640
#: Fewer rows of payloads than this take the weights as they are.
FEW = 8


@jit
def _widen(weight: Any, first: int, last: int, begin: int, end: int, columns: int, buffer: Any) -> None:
    """Rows first..last, columns begin..end of `weight` to the upper left of `buffer`; zeros up to `columns` and below."""
    for r in range(buffer.shape[0]):
        row = buffer[r]
        if first + r < last:
            read = weight[first + r, begin:end]
            for k in range(end - begin):
                row[k] = read[k]
            row[end - begin : columns] = 0
        else:
            row[:columns] = 0


@jit
def _panels(
    x: Any, column: int, b: Any, row: int, kb: int, steps: int, fresh: bool, out: Any, to: int, stop: int, edge: Any
) -> None:
    """Two panels of `b` from `row` on times all payloads, to columns ``to:stop`` of `out`."""
    paired = width() == WIDEST  # the longest vectors come with 32 registers, enough for two payloads at a time
    i = 0
    while i < x.shape[0]:
        both = paired and i + 2 <= x.shape[0]
        for n in range(0, GROUP, PANEL):
            y = to + n
            if y + PANEL <= stop:
                if both:
                    two_rows(x, i, column, b, row + n, kb, steps, fresh, out, i, y)
                else:
                    one_row(x, i, column, b, row + n, kb, steps, fresh, out, i, y)
            elif y < stop:
                for r in range(2 if both else 1):
                    one_row(x, i + r, column, b, row + n, kb, steps, True, edge, 0, 0)
                    for c in range(stop - y):
                        out[i + r, y + c] = edge[0, c] + (0 if fresh else out[i + r, y + c])
        i += 2 if both else 1


@jit
def _multiply(part: int, parts: int, x: Any, weight: Any, out: Any) -> None:
    rows, columns = weight.shape
    step = width()
    groups = (rows + GROUP - 1) // GROUP
    first, last = groups * part // parts * GROUP, min(groups * (part + 1) // parts * GROUP, rows)
    buffer, edge = np.empty((GROUP, CUT), np.int16), np.zeros((1, PANEL), out.dtype)
    direct = x.shape[0] < FEW and weight.strides[1] == weight.itemsize
    for begin in range(0, columns, CUT):
        end = min(begin + CUT, columns)
        for to in range(first, last, GROUP):
            stop = min(to + GROUP, last)
            fresh, left = begin == 0, begin
            if direct and stop - to == GROUP and end - begin >= step:
                steps = (end - begin) // step
                _panels(x, begin, weight, to, begin, steps, fresh, out, to, stop, edge)
                fresh, left = False, begin + steps * step
            if left < end:
                steps = (end - left + step - 1) // step
                _widen(weight, to, stop, left, end, steps * step, buffer)
                _panels(x, left, buffer, 0, 0, steps, fresh, out, to, stop, edge)


def padded(shape: tuple[int, int]) -> NDArray[np.int16]:
    """Room for payloads (n, columns): the zeroed columns behind them complete the last vector, and the first is aligned."""
    n, columns = shape[0], -(-shape[1] // WIDEST) * WIDEST
    room = np.empty(n * columns + WIDEST, np.int16)
    begin = -room.ctypes.data % (2 * WIDEST) // 2
    found = room[begin : begin + n * columns].reshape(n, columns)
    found[:, shape[1] :] = 0
    return found


def multiply(x: NDArray[Any], weight: NDArray[Any], bound: int) -> NDArray[Any]:
    """x (m, k) int8 or int16 times the transpose of weight (n, k) int8 -> (m, n), int32 where `bound` allows, else int64.

    `bound` : no sum of the magnitudes of the terms exceeds it. Weights of int16 need one below 2**31. `x` may come with the
    columns that `padded` adds.
    """
    columns = weight.shape[1]
    if x.dtype != np.int16 or x.shape[1] % WIDEST or not x.flags.c_contiguous:
        whole = padded((x.shape[0], columns))
        whole[:, : x.shape[1]] = x
        x = whole
    make = np.empty if columns else np.zeros
    out = make((x.shape[0], weight.shape[0]), np.int32 if bound < 2**31 else np.int64)
    split(_multiply, x.shape[0] * weight.size // 8, x, weight, out)
    return out
