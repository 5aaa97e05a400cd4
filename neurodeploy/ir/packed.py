"""`PackedTargets`: the targets of sparse synapses in about log2(gap) + 2 bits each, any axon readable by itself.

Elias-Fano code (P. Elias, "Efficient storage and retrieval by content and address of static files", J. ACM 21, 1974;
R. Fano, "On the number of bits required to implement an associative memory", MIT Project MAC memo 61, 1971). The targets of
an axon ascend, so with ``stretch = ceil(rows / 2**bits)`` the numbers ``axon * stretch * 2**bits + target`` ascend over
the whole projection. Of synapse k under axon j the code keeps::

    low    the lower `bits` of the target, at bit k * bits
    high   a one at bit k + j * stretch + (target >> bits), zeros elsewhere

So both parts of axon j begin where ``indptr[j]`` says, and no further index is needed. With a mean gap g between targets
`bits` is about log2(g), and a synapse takes about log2(g) + 2 bits; random targets hold log2(g) + 1.44 bits of information.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bytes after the last one that holds anything: readers load 64 bits at a time.
SPARE = 8
#: Targets are decoded as uint16 up to this many rows, else as int32.
NARROW_ROWS = 65_536
#: Synapses that are packed at a time; a multiple of 8, so that every piece of `low` begins with a byte.
PIECE = 1 << 14


@dataclass(frozen=True, eq=False)
class PackedTargets:
    """The code of the module docstring; bit n of a part is bit n % 8 of its byte n // 8. See `pack`."""

    rows: int
    bits: int
    low: NDArray[np.uint8]
    high: NDArray[np.uint8]

    @property
    def stretch(self) -> int:
        """Zeros of an axon in `high`."""
        return -(-self.rows >> self.bits)

    @property
    def nbytes(self) -> int:
        return int(self.low.nbytes + self.high.nbytes)

    def decode(self, indptr: NDArray[np.integer], first: int, last: int) -> NDArray[Any]:
        """Targets of the axons ``first:last``. `ValueError` where the code is damaged."""
        start, stop = int(indptr[first]), int(indptr[last])
        ends = indptr[first : last + 1].astype(np.int64)
        axon = np.repeat(np.arange(last - first), ends[1:] - ends[:-1])
        begin, end = start + first * self.stretch, stop + last * self.stretch
        bits = np.unpackbits(self.high[begin // 8 : -(-end // 8)], bitorder="little")[begin % 8 :][: end - begin]
        place = np.flatnonzero(bits)
        if len(place) != stop - start:
            raise ValueError("packed targets that are too many or too few")
        upper = place - np.arange(stop - start) - axon * self.stretch
        target: NDArray[Any] = upper << self.bits | self._lower(start, stop)
        if target.size and (int(target.min()) < 0 or int(target.max()) >= self.rows):
            raise ValueError("packed targets out of range")
        return target.astype(np.uint16 if self.rows <= NARROW_ROWS else np.int32)

    def _lower(self, start: int, stop: int) -> NDArray[np.int64]:
        """The lower bits of the synapses ``start:stop``, each taken out of the eight bytes that begin with its first."""
        bit = np.arange(start, stop) * self.bits
        eight = np.ndarray(max(len(self.low) - 7, 0), "<u8", np.ascontiguousarray(self.low), strides=(1,))
        if not bit.size:
            return bit
        lower: NDArray[np.int64] = eight[bit >> 3].astype(np.int64) >> (bit & 7) & ((1 << self.bits) - 1)
        return lower


def sizes(rows: int, columns: int, synapses: int, bits: int) -> tuple[int, int]:
    """Bytes of `low` and of `high`."""
    return -(-synapses * bits // 8) + SPARE, -(-(synapses + columns * -(-rows >> bits)) // 64) * 8 + SPARE


def best_bits(rows: int, columns: int, synapses: int) -> int:
    """The split that takes the fewest bytes, 0..30; the larger one of two that hardly differ: fewer zeros to read."""
    total = [sum(sizes(rows, columns, synapses, bits)) for bits in range(31)]
    return max(bits for bits in range(31) if total[bits] <= 1.01 * min(total))


def pack(rows: int, indptr: NDArray[np.integer], target: NDArray[np.integer]) -> PackedTargets:
    """`target` (synapses,), ascending under each axon j at ``indptr[j]:indptr[j + 1]``, as a code."""
    columns, synapses = len(indptr) - 1, len(target)
    bits = best_bits(rows, columns, synapses)
    low, high = (np.zeros(size, np.uint8) for size in sizes(rows, columns, synapses, bits))
    stretch = -(-rows >> bits)
    starts = indptr.astype(np.int64)
    for start, stop in _pieces(synapses):
        number = np.arange(start, stop)
        given = target[start:stop].astype(np.int64)
        axon = np.searchsorted(starts, number, side="right") - 1
        as_bits = np.unpackbits(given.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")[:, :bits]
        lower = np.packbits(as_bits.reshape(-1), bitorder="little")
        low[start * bits // 8 :][: len(lower)] = lower
        place = number + axon * stretch + (given >> bits)
        begin = int(place[0]) // 8
        ones = np.zeros(int(place[-1]) + 1 - begin * 8, np.uint8)
        ones[place - begin * 8] = 1
        upper = np.packbits(ones, bitorder="little")
        high[begin : begin + len(upper)] |= upper  # the last piece may have ended within this byte
    return PackedTargets(rows, bits, low, high)


def _pieces(synapses: int) -> Iterator[tuple[int, int]]:
    for start in range(0, synapses, PIECE):
        yield start, min(start + PIECE, synapses)
