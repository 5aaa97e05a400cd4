"""Exact products of integer matrices, by the fastest way that is proven not to round (`simulators.products`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.products import libraries
from simulators.products.choice import PRODUCTS, Product, choose, nanoseconds
from simulators.products.pairs import multiply

#: Nanoseconds to split a payload into two digits.
DIGITS_NS = 12.0
#: A product of 8-bit digits adds in 32 bits below this many columns.
INT8_COLUMNS = 2**17


def possible(weight: NDArray[Any], bound: int) -> bool:
    """Whether `exact_product` has a way for sums whose magnitudes of terms add up to at most `bound`."""
    return (weight.dtype == np.int8 and weight.shape[1] < INT8_COLUMNS) or bound < libraries.FLOAT64_END


def exact_product(x: NDArray[Any], weight: NDArray[Any], bound: int) -> NDArray[Any]:
    """x (n, k) int8, int16 or int32 times the transpose of weight (m, k) -> (n, m), int32 or int64, without wrapping. x
    of int16 may come with the columns that `pairs.padded` adds."""
    product = _product(len(x), 8 if x.dtype == np.int8 else 16, weight, bound)
    if product is None:
        x = x[:, : weight.shape[1]]
        kind = np.float32 if bound < libraries.FLOAT32_END else np.float64
        out = np.empty((len(x), len(weight)), np.int64)
        libraries.by_floats(x, weight, kind, max(1, weight.shape[1]), out)
        return out
    if product.multiply is not multiply:
        x = x[:, : weight.shape[1]]
    # No digit exceeds its payload, so the bound holds for each plane of digits too.
    planes = [product(digit, weight, bound) for digit in digits(x, product.digit)]
    if len(planes) == 1:
        return planes[0]
    total = planes[0].astype(np.int64)
    for place, plane in enumerate(planes[1:], 1):
        total += plane.astype(np.int64) << (8 * np.dtype(product.digit).itemsize * place)
    return total


def passes(top: int, weight: NDArray[Any], bound: int, rows: int) -> tuple[int, float]:
    """(products that payloads up to `top` in magnitude take, nanoseconds of a multiply-add in each), measured here."""
    bits = 8 if top < 128 else 16
    product = _product(rows, bits, weight, bound)
    if product is None:
        return 1, nanoseconds(rows, 16, PRODUCTS[-1])
    count = 1 + top.bit_length() // (8 * np.dtype(product.digit).itemsize)
    return count, nanoseconds(rows, bits, product) / (product.passes if bits > 8 else 1)


def own_is_faster(rows: int, bits: int, others_ns: float) -> bool:
    """Whether the first of `PRODUCTS` is the fastest for int8 weights where a multiply-add of any other takes so many
    nanoseconds more."""
    other = choose(rows, bits)
    own = PRODUCTS[0]
    return other is own or nanoseconds(rows, bits, own) <= nanoseconds(rows, bits, other) + others_ns


def _product(rows: int, bits: int, weight: NDArray[Any], bound: int) -> Product | None:
    """The product for these weights, None for floats in one piece."""
    if weight.dtype == np.int8 and weight.shape[1] < INT8_COLUMNS:
        return choose(rows, bits, DIGITS_NS / max(1, weight.shape[0]))
    own = PRODUCTS[0]
    return own if weight.dtype == np.int16 and bound < 2**31 else None


def digits(x: NDArray[Any], kind: type[np.signedinteger[Any]]) -> list[NDArray[Any]]:
    """``x = sum_d digits[d] * 2**(d * bits of kind)``: one where x fits."""
    info = np.iinfo(kind)
    one = x.astype(kind, copy=False)
    if x.dtype.itemsize <= info.bits // 8 or np.array_equal(one, x):
        return [one]
    half, mask = 1 << (info.bits - 1), (1 << info.bits) - 1
    found: list[NDArray[Any]] = []
    rest = x.astype(np.int64)
    while not found or rest.any():
        low = ((rest + half) & mask) - half
        found.append(low.astype(kind))
        rest = (rest - low) >> info.bits
    return found
