"""Exact products of integer matrices, by the fastest way that is proven not to round: int8 digits, float32, float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from simulators.int8_matmul import int8_matmul

#: `int8_matmul` is exact below this many columns.
INT8_COLUMNS = 2**17
#: Integers up to here have no gaps in float32 and float64.
FLOAT32_END, FLOAT64_END = 2**24, 2**53
#: Elements of a weight matrix that are converted to a float type at a time.
TILE = 1 << 22


def possible(weight: NDArray[Any], bound: int) -> bool:
    """Whether `exact_product` has a way for sums whose magnitudes of terms add up to at most `bound`."""
    return (weight.dtype == np.int8 and weight.shape[0] < INT8_COLUMNS) or bound < FLOAT64_END


def exact_product(x: NDArray[Any], weight: NDArray[Any], bound: int) -> NDArray[Any]:
    """x (n, k) int8 or int32 times weight (k, m) -> (n, m), int32 or int64, without wrapping; see `possible`."""
    if weight.dtype == np.int8 and weight.shape[0] < INT8_COLUMNS:
        right = torch.from_numpy(weight)
        planes = [int8_matmul(torch.from_numpy(digit), right).numpy() for digit in digits(x)]
        if len(planes) == 1:
            return planes[0]
        total = planes[0].astype(np.int64)
        for place, plane in enumerate(planes[1:], 1):
            total += plane.astype(np.int64) << (8 * place)
        return total
    kind = torch.float32 if bound < FLOAT32_END else torch.float64
    left = torch.from_numpy(x).to(kind)
    out = np.empty((x.shape[0], weight.shape[1]), np.int64)
    width = max(1, TILE // max(1, weight.shape[0]))
    for start in range(0, out.shape[1], width):
        part = torch.from_numpy(np.ascontiguousarray(weight[:, start : start + width])).to(kind)
        out[:, start : start + width] = (left @ part).to(torch.int64).numpy()
    return out


def digits(x: NDArray[Any]) -> list[NDArray[np.int8]]:
    """``x = sum_d digits[d] * 256**d`` with digits in -128..127: one for int8, up to five for int32."""
    if x.dtype == np.int8:
        return [x]
    found: list[NDArray[np.int8]] = []
    rest = x.astype(np.int64)
    while not found or rest.any():
        low = ((rest + 128) & 255) - 128
        found.append(low.astype(np.int8))
        rest = (rest - low) >> 8
    return found
