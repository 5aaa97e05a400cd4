"""`Sparse`: synapses by axon, their targets as an array or packed. Everybody reads targets by `targets` or `pieces`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.packed import PackedTargets, sizes

#: Synapses of a piece unless another number is asked for: few, so that what is computed from them needs little memory.
PIECE = 1 << 14


class Piece(NamedTuple):
    """Axons ``first:stop``: their synapses are ``start:start + len(target)``."""

    first: int
    stop: int
    start: int
    target: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sparse:
    """Synapses by axon: those of axon j are ``indptr[j]:indptr[j + 1]`` of `target` and `weight`, targets ascending.

    `indptr` (columns + 1,) int64 or uint32; `target` (synapses,) uint16 where rows <= 65 536, else int32, or packed
    (`neurodeploy.ir.packed`: less memory, each axon is decoded when it is read); `weight` (synapses,) int8, int16 or int32.
    No target twice under one axon.
    """

    rows: int
    columns: int
    indptr: NDArray[np.integer]
    target: NDArray[np.integer] | PackedTargets
    weight: NDArray[np.signedinteger]

    def targets(self, first: int = 0, last: int | None = None) -> NDArray[Any]:
        """Targets of the axons ``first:last`` (all) as an array."""
        last = self.columns if last is None else last
        if isinstance(self.target, PackedTargets):
            return self.target.decode(self.indptr, first, last)
        return self.target[int(self.indptr[first]) : int(self.indptr[last])]

    def pieces(self, first: int = 0, last: int | None = None, size: int = PIECE) -> Iterator[Piece]:
        """The axons ``first:last`` (all) in pieces of at most `size` synapses, or of one axon where that has more."""
        last = self.columns if last is None else last
        while first < last:
            start = int(self.indptr[first])
            end = self.indptr.dtype.type(min(start + size, int(self.indptr[-1])))  # of its type: no copy of `indptr`
            stop = int(np.searchsorted(self.indptr, end, side="right")) - 1
            stop = min(max(stop, first + 1), last)
            yield Piece(first, stop, start, self.targets(first, stop))
            first = stop

    def lengths(self, first: int = 0, last: int | None = None) -> NDArray[np.int64]:
        """Synapses of each of the axons ``first:last`` (all)."""
        last = self.columns if last is None else last
        ends = self.indptr[first : last + 1].astype(np.int64)
        counts: NDArray[np.int64] = ends[1:] - ends[:-1]
        return counts

    def widest(self) -> int:
        """Most synapses of an axon."""
        starts = range(0, self.columns, PIECE)
        return max(int(self.lengths(start, min(start + PIECE, self.columns)).max()) for start in starts)

    def problem(self) -> str:
        """What contradicts the docstring, "" where nothing does."""
        count = int(self.indptr[-1]) if self.indptr.shape == (self.columns + 1,) else -1
        if self.weight.shape != (count,) or not self._fits(count):
            return "indptr, target and weight disagree"
        if int(self.indptr[0]) != 0 or bool((self.lengths() < 0).any()):
            return "indptr descends"
        try:
            for piece in self.pieces():
                target = piece.target.astype(np.int64)
                if target.size and (int(target.min()) < 0 or int(target.max()) >= self.rows):
                    return "a target is out of range"
                target += np.repeat(
                    np.arange(piece.stop - piece.first) * self.rows, self.lengths(piece.first, piece.stop)
                )
                if bool((target[1:] <= target[:-1]).any()):
                    return "targets of an axon do not ascend, or one is there twice"
        except ValueError as error:
            return f"has {error}"
        return ""

    def _fits(self, count: int) -> bool:
        """Whether `target` is of this many synapses."""
        packed = self.target
        if not isinstance(packed, PackedTargets):
            return packed.shape == (count,)
        if packed.rows != self.rows or not 0 <= packed.bits <= 30:
            return False
        wanted = sizes(self.rows, self.columns, count, packed.bits)
        found = (packed.low, packed.high)
        return all(a.dtype == np.uint8 and a.shape == (size,) for a, size in zip(found, wanted, strict=True))
