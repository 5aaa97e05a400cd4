"""Curves on the chip as tables of straight pieces (`neurons/graded_curve.py`), shared by the operations that have one.

The table covers -`REACH` to `REACH` at least, in `PIECES` pieces of 2**width units of the input each, so a piece is `REACH`
/ 128 to `REACH` / 64 long. The first and the last have a slope of 0 or 1, whichever is nearer, and go on beyond it, as
SiLU and GELU do: off by 3e-3 at most. Else the largest error of a piece of length h is h**2 / 8 times the largest curvature:
with h = 1 / 16 (1 / 8) for SiLU, 1 / 2, 2.5e-4 (1e-3), for GELU, 0.8, 4e-4 (1.6e-3), for the sigmoid, 0.0963, 5e-5 (1.9e-4).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.ops.host.curves import on_torch
from neurodeploy.ops.host.lowering import Params, Signal

PIECES = 256
REACH = 8.0
#: An entry is smaller, and no piece rises by more (`neurons/graded_curve.py`).
TABLE_END, RISE_MAX = 2**31, 2**30


def unit_of(x: Signal) -> float:
    """The unit of a curve of a value: its own where that has 24 bits, so much finer where it has fewer."""
    return x.unit.scale.value * 2.0 ** min(x.unit.bits - STATE_BITS, 0)


def table_of(act: str, x: Signal, result: float) -> Params | None:
    """`table_of_curve` of a curve by its name."""
    return table_of_curve(lambda values: on_torch(values, act), x, result)


def table_of_curve(
    function: Callable[[Any], Any], x: Signal, result: float, pieces: int | None = None, reach: float = REACH
) -> Params | None:
    """Table and width of a curve of a value with one unit for all neurons, in units of `result`; None for a value with
    several, or in units so coarse or so fine that no table can be. pieces : None is `PIECES`; the table covers -reach to
    reach at least."""
    import torch

    pieces = PIECES if pieces is None else pieces
    unit = x.unit.scale.value
    width = math.ceil(math.log2(reach / (unit * (pieces // 2))))
    if x.unit.exponent is not None or not 0 <= width <= 22:
        return None
    ends = (np.arange(pieces + 1, dtype=np.int64) - pieces // 2) << width
    curve = function(torch.from_numpy(ends * unit)).numpy()
    for end, inner in ((0, 1), (-1, -2)):
        piece = float(ends[inner] - ends[end]) * unit
        curve[end] = curve[inner] - np.rint((curve[inner] - curve[end]) / piece) * piece
    table = np.rint(curve / result)
    if np.abs(table).max() >= TABLE_END or np.abs(np.diff(table)).max() > RISE_MAX:
        return None
    return {"table": table.astype(np.int64)[None], "width": width}
