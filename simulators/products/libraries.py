"""Products by the routines of libraries: torch's 8-bit product, and floats in pieces that are proven not to round.

torch is used where it is loaded already; without it numpy's own library multiplies floats. No one loads torch for a product.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Integers up to here have no gaps in float32 and float64.
FLOAT32_END, FLOAT64_END = 2**24, 2**53
#: Columns of one exact float32 product of two int8: 128 * 128 * 1024 = 2**24, so every partial sum is exact.
FLOAT32_COLUMNS = 1024
#: Weights that are converted to a float type at a time.
TILE = 1 << 22


def torch_loaded() -> bool:
    return "torch" in sys.modules


def _floats(x: NDArray[Any], weight: NDArray[Any], kind: Any) -> NDArray[Any]:
    """x times the transpose of weight in that float type, rounded to nothing if the caller has proven so."""
    if torch_loaded():
        import torch

        wanted = {np.float32: torch.float32, np.float64: torch.float64}[kind]
        found: NDArray[Any] = (torch.from_numpy(x).to(wanted) @ torch.from_numpy(weight).to(wanted).t()).numpy()
        return found
    return np.asarray(x.astype(kind) @ weight.astype(kind).T)


def by_floats(x: NDArray[Any], weight: NDArray[Any], kind: Any, columns: int, out: NDArray[Any]) -> None:
    """out (m, n) = x (m, k) times the transpose of weight (n, k), so many columns at a time in that type."""
    height = max(1, TILE // max(1, min(columns, weight.shape[1])))
    out[:] = 0
    for begin in range(0, weight.shape[1], columns):
        left = np.ascontiguousarray(x[:, begin : min(begin + columns, weight.shape[1])])
        for row in range(0, weight.shape[0], height):
            part = weight[row : row + height, begin : begin + columns]
            out[:, row : row + height] += _floats(left, part, kind).astype(out.dtype)


def float32(x: NDArray[np.int8], weight: NDArray[np.int8], out: NDArray[Any]) -> None:
    """As `pairs.multiply` for int8 alone: in slices of 1 024 columns."""
    by_floats(x, weight, np.float32, FLOAT32_COLUMNS, out)


def float64(x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any]) -> None:
    """As `pairs.multiply`; below 2**30 columns no sum reaches 2**53."""
    by_floats(x, weight, np.float64, max(1, weight.shape[1]), out)


def int_mm(x: NDArray[np.int8], weight: NDArray[np.int8], out: NDArray[Any]) -> None:
    """As `pairs.multiply` for int8 alone, k < 2**17, by `torch._int_mm`.

    It runs on the 8-bit dot-product units where the processor has them; without them some libraries pass through saturating
    16-bit sums. With a single column `torch._int_mm` (2.13.0, CPU) returns wrong sums for a transposed right side of two
    rows or more, so one column never goes there.
    """
    import torch

    left, right = torch.from_numpy(x), torch.from_numpy(weight).t()
    if weight.shape[1] <= 1:
        float32(x, weight, out)
    elif out.dtype == np.int32:
        torch._int_mm(left, right, out=torch.from_numpy(out))
    else:
        out[:] = torch._int_mm(left, right).numpy()
