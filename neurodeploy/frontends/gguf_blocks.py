"""The integers and constants inside ggml's quantised blocks, which `gguf.dequantize` multiplies out.

Layouts as in ggml (``ggml-common.h``, ``ggml-quants.c``; MIT licence). A block is 32 weights with constants of 16-bit reals,
or 256 with integer factors of 6 or 8 bits on a 16-bit real for each group of 32 or 16::

    Q4_0, Q5_0, Q8_0   d (q - z)                Q4_1, Q5_1   d q + m
    Q4_K, Q5_K         (d s_g) q - (e m_g)      Q6_K         (d s_g) (q - 32)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.stored_grid import StoredGrid

Bytes = NDArray[np.uint8]
Reals = NDArray[np.float64]


class Blocks(NamedTuple):
    """Codes (n, block), scale and offset (n, groups) of n blocks."""

    codes: NDArray[np.int8]
    scale: Reals
    offset: Reals | None


def _half(data: Bytes) -> Reals:
    """(n, count) 16-bit reals."""
    return np.ascontiguousarray(data).view("<f2").astype(np.float64)


def _pieces(data: Bytes, width: int, bits: int) -> Bytes:
    """Numbers of `bits` bits out of bytes: the lowest of `width` bytes, then the next of these bytes, and so on."""
    places = np.arange(0, 8, bits, dtype=np.uint8).reshape(1, 1, -1, 1)
    found: Bytes = (data.reshape(len(data), -1, 1, width) >> places) & np.uint8((1 << bits) - 1)
    return found.reshape(len(data), -1)


def _fifth(data: Bytes) -> Bytes:
    """(n, 32) from 4 bytes: bit j of the block is the upper bit of weight j."""
    return np.unpackbits(data, axis=1, bitorder="little")


def _plain(offset: int, high: bool, zero: int) -> Callable[[Bytes], Blocks]:
    """A block of 32: `offset` 1 where a lowest value follows the scale, `high` where four bytes of upper bits do."""

    def read(data: Bytes) -> Blocks:
        at = 2 + 2 * offset
        codes = _pieces(data[:, at + 4 * high :], 16, 4)
        if high:
            codes = codes | (_fifth(data[:, at : at + 4]) << np.uint8(4))
        lowest = _half(data[:, 2:4]) if offset else None
        return Blocks(codes.astype(np.int8) - np.int8(zero), _half(data[:, :2]), lowest)

    return read


def _q8_0(data: Bytes) -> Blocks:
    return Blocks(np.ascontiguousarray(data[:, 2:]).view(np.int8), _half(data[:, :2]), None)


def _six_bits(data: Bytes) -> tuple[Reals, Reals]:
    """Eight factors of scales and eight of lowest values, 6 bits each, from 12 bytes."""
    first, second, upper = data[:, :4], data[:, 4:8], data[:, 8:]
    scale = np.concatenate([first & 63, (upper & 15) | ((first >> 2) & 48)], axis=1)
    lowest = np.concatenate([second & 63, (upper >> 4) | ((second >> 2) & 48)], axis=1)
    return scale.astype(np.float64), lowest.astype(np.float64)


def _k(high: bool) -> Callable[[Bytes], Blocks]:
    """Q4_K, with 32 bytes of upper bits Q5_K."""

    def read(data: Bytes) -> Blocks:
        scale, lowest = _six_bits(data[:, 4:16])
        codes = _pieces(data[:, 16 + 32 * high :], 32, 4)
        if high:
            codes = codes | (_pieces(data[:, 16:48], 32, 1) << np.uint8(4))
        return Blocks(codes.astype(np.int8), _half(data[:, :2]) * scale, -_half(data[:, 2:4]) * lowest)

    return read


def _q6_k(data: Bytes) -> Blocks:
    codes = _pieces(data[:, :128], 64, 4) | (_pieces(data[:, 128:192], 32, 2) << np.uint8(4))
    scale = np.ascontiguousarray(data[:, 192:208]).view(np.int8).astype(np.float64)
    return Blocks(codes.astype(np.int8) - np.int8(32), _half(data[:, 208:]) * scale, None)


class BlockLayout(NamedTuple):
    """weights, bytes : of a block. group : columns that share constants. bits : of a code. constant_bits : of a group."""

    weights: int
    bytes: int
    group: int
    bits: int
    constant_bits: int
    read: Callable[[Bytes], Blocks]


LAYOUTS = {
    "Q4_0": BlockLayout(32, 18, 32, 4, 16, _plain(0, False, 8)),
    "Q4_1": BlockLayout(32, 20, 32, 4, 32, _plain(1, False, 0)),
    "Q5_0": BlockLayout(32, 22, 32, 5, 16, _plain(0, True, 16)),
    "Q5_1": BlockLayout(32, 24, 32, 5, 32, _plain(1, True, 0)),
    "Q8_0": BlockLayout(32, 34, 32, 8, 16, _q8_0),
    "Q4_K": BlockLayout(256, 144, 32, 4, 16, _k(False)),
    "Q5_K": BlockLayout(256, 176, 32, 5, 16, _k(True)),
    "Q6_K": BlockLayout(256, 210, 16, 6, 9, _q6_k),
}


def grid_of(kind: str, lines: Bytes) -> StoredGrid | None:
    """Of stored lines (rows, bytes); None for a type that is not in `LAYOUTS`."""
    layout = LAYOUTS.get(kind)
    if layout is None:
        return None
    rows = len(lines)
    with np.errstate(all="ignore"):
        found = layout.read(np.ascontiguousarray(lines).reshape(-1, layout.bytes))
    scale = found.scale.reshape(rows, -1)
    offset = np.zeros_like(scale) if found.offset is None else found.offset.reshape(rows, -1)
    codes = found.codes.reshape(rows, -1)
    return StoredGrid(kind, codes, scale, offset, layout.group, layout.bits, layout.constant_bits)
