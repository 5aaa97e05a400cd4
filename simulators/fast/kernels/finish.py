"""From the sums of one step to what is pending: the shift of the weight exponent, wrapping, and counting what wrapped.

In the terms of `neurodeploy.ir.network`: ``acc = wrap32(sum)``, ``pending = wrap32(pending + wrap(shift(acc)))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def shift_row(row: Any, exponent: int) -> None:
    """``row << exponent`` or the flooring ``row >> -exponent``, in place; the caller has proven that nothing wraps."""
    if exponent > 0:
        for i in range(row.shape[0]):
            row[i] = row[i] << exponent
    elif exponent < 0:
        for i in range(row.shape[0]):
            row[i] = row[i] >> -exponent


@jit
def add_row(row: Any, exponent: int, bits: int, out: Any) -> int:
    """Add the exact sums of one delay slot to what is pending; returns how many values wrapped."""
    lost = np.int64(0)
    half = np.int64(1) << (bits - 1)
    mask = (half << 1) - 1
    for i in range(row.shape[0]):
        exact = np.int64(row[i])
        x = np.int64(np.int32(exact))
        lost += x != exact
        shifted = x << exponent if exponent > 0 else x >> -exponent
        y = ((shifted + half) & mask) - half
        lost += y != shifted
        total = np.int64(out[i]) + y
        z = np.int32(total)
        lost += z != total
        out[i] = z
    return int(lost)


@jit
def add_pending(acc: Any, used: Any, exponent: int, bits: int, pending: Any) -> int:
    """Add the sums of one frame, and clear them. Returns how many values wrapped.

    acc (depth, rows) int32 or int64 exact sums; used (depth,) slots that hold anything; pending (depth, rows): the
    rows of the timeline from the step after the frame's on.
    """
    lost = np.int64(0)
    for k in range(acc.shape[0]):
        if used[k]:
            lost += add_row(acc[k], exponent, bits, pending[k])
            used[k] = False
            acc[k] = 0
    return int(lost)
