"""The project's own product of 16-bit payloads with 8-bit or 16-bit weights: one pass, no digits, on any processor.

The weights of a panel of rows are widened to 16 bits once for all payloads (a few kilobytes, in the first-level cache), or
read as they are where there are few payloads, so that memory is read once; nothing of the size of the weights is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import split
from simulators.products.tiles import PANEL, WIDEST, one_row, two_rows, width

#: Rows whose weights are widened together: two panels, whose sums fill a cache line.
GROUP = 2 * PANEL
#: Columns at a time: widened weights of a group stay in the first-level cache. No 32-bit lane of a tile can overflow, as a
#: lane has at most a fourth of the columns: 160 * 2**15 * 2**7 < 2**31.
CUT = 640
#: Payloads at a time: so many rows of `CUT` columns stay in the second-level cache, and widening weights is a hundredth.
TALL = 128
#: Bytes of a cache line, and where sums best begin in one: stores at the places of aligned vectors, modulo 4 KiB, are taken
#: for those vectors by some processors' load units, which costs up to a third (measured on Zen 4).
LINE, SUMS_PAST = 64, 16
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
    x: Any, top: int, bottom: int, column: int, b: Any, row: int, kb: int, steps: int, fresh: bool, out: Any, to: int,
    stop: int, edge: Any,
) -> None:  # fmt: skip
    """Two panels of `b` from `row` on times payloads ``top:bottom``, to columns ``to:stop`` of `out`."""
    paired = width() == WIDEST  # the longest vectors come with 32 registers, enough for two payloads at a time
    i = top
    while i < bottom:
        both = paired and i + 2 <= bottom
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
def multiply_part(part: int, parts: int, x: Any, weight: Any, out: Any) -> None:
    """`multiply` for the rows of `weight` of one part; `x` as `padded` makes it."""
    rows, columns = weight.shape
    step = width()
    groups = (rows + GROUP - 1) // GROUP
    first, last = groups * part // parts * GROUP, min(groups * (part + 1) // parts * GROUP, rows)
    room, edge = np.empty(GROUP * CUT + WIDEST, np.int16), np.zeros((1, PANEL), out.dtype)
    aligned = -room.ctypes.data % (2 * WIDEST) // 2  # vectors that cross cache lines cost a third of the speed
    buffer = room[aligned : aligned + GROUP * CUT].reshape(GROUP, CUT)
    direct = x.shape[0] < FEW and weight.strides[1] == weight.itemsize
    for top in range(0, x.shape[0], TALL):
        bottom = min(top + TALL, x.shape[0])
        for begin in range(0, columns, CUT):
            end = min(begin + CUT, columns)
            for to in range(first, last, GROUP):
                stop = min(to + GROUP, last)
                fresh, left = begin == 0, begin
                if direct and stop - to == GROUP and end - begin >= step:
                    steps = (end - begin) // step
                    _panels(x, top, bottom, begin, weight, to, begin, steps, fresh, out, to, stop, edge)
                    fresh, left = False, begin + steps * step
                if left < end:
                    steps = (end - left + step - 1) // step
                    _widen(weight, to, stop, left, end, steps * step, buffer)
                    _panels(x, top, bottom, left, buffer, 0, 0, steps, fresh, out, to, stop, edge)


def room(size: int, past: int = 0) -> NDArray[np.uint8]:
    """So many bytes, `past` bytes after the beginning of a cache line; nothing is known of what is in them."""
    found = np.empty(size + 2 * LINE, np.uint8)
    begin = -found.ctypes.data % LINE + past
    return found[begin : begin + size]


def padded(shape: tuple[int, int]) -> NDArray[np.int16]:
    """Room for payloads (n, columns): the zeroed columns behind them complete the last vector, and the first is aligned."""
    n, columns = shape[0], -(-shape[1] // WIDEST) * WIDEST
    found = room(2 * n * columns).view(np.int16).reshape(n, columns)
    found[:, shape[1] :] = 0
    return found


def multiply(x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any]) -> None:
    """out (m, n) = x (m, k) int8 or int16 times the transpose of weight (n, k) int8.

    `out` : int64, or int32 where no sum can leave it. Weights of int16 go into int32 alone. `x` may come with the columns
    that `padded` adds.
    """
    if not weight.shape[1]:
        out[:] = 0
        return
    if x.dtype != np.int16 or x.shape[1] % WIDEST or not x.flags.c_contiguous:
        whole = padded((x.shape[0], weight.shape[1]))
        whole[:, : x.shape[1]] = x
        x = whole
    split(multiply_part, x.shape[0] * weight.size // 8, x, weight, out)
