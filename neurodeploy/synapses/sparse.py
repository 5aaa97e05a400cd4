"""Synapses by axon, their targets as an array or packed. Everybody reads targets by `targets` or `pieces`.

A core stores one list for each axon that reaches it: ``bytes = sum (header + ceil(fan (bits + index_bits) / 8))``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir import synapse
from neurodeploy.ir.arrange import inverse, laid_out
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.packed import NARROW_ROWS, PackedTargets, sizes
from neurodeploy.ir.synapse import Coo, ListFormat, Range, Synapse, Touch, both_sides, within
from neurodeploy.ir.typed import Row, array, integer

#: Synapses of a piece unless another number is asked for: few, so that what is computed from them needs little memory.
PIECE = 1 << 14


class Piece(NamedTuple):
    """Axons ``first:stop``: their synapses are ``start:start + len(target)``."""

    first: int
    stop: int
    start: int
    target: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sparse(Synapse):
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

    kind: ClassVar[str] = "sparse"
    own_delays: ClassVar[bool] = True
    movable: ClassVar[bool] = True

    def targets(self, first: int = 0, last: int | None = None) -> NDArray[Any]:
        """Targets of the axons ``first:last`` (all) as an array."""
        last = self.columns if last is None else last
        if isinstance(self.target, PackedTargets):
            return self.target.decode(self.indptr, first, last)
        return self.target[int(self.indptr[first]) : int(self.indptr[last])]

    def pieces(self, first: int = 0, last: int | None = None, size: int = PIECE) -> Iterator[Piece]:
        """The axons ``first:last`` (all) in pieces of at most `size` synapses, or of one axon where that has more."""
        for here, stop, start in self._spans(first, self.columns if last is None else last, size):
            yield Piece(here, stop, start, self.targets(here, stop))

    def _spans(self, first: int, last: int, size: int) -> Iterator[tuple[int, int, int]]:
        """(first axon, the one after the last, first synapse) of each piece."""
        while first < last:
            start = int(self.indptr[first])
            end = self.indptr.dtype.type(min(start + size, int(self.indptr[-1])))  # of its type: no copy of `indptr`
            stop = int(np.searchsorted(self.indptr, end, side="right")) - 1
            stop = min(max(stop, first + 1), last)
            yield first, stop, start
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

    @property
    def absent(self) -> int:
        return self.rows * self.columns - int(self.weight.size)

    @property
    def index_bytes(self) -> int:
        """With int32 targets and int64 axon pointers."""
        return 4 * int(self.weight.size) + 8 * int(self.indptr.size)

    def record(self) -> dict[str, Any]:
        kept: dict[str, Any] = {
            "rows": self.rows,
            "columns": self.columns,
            "indptr": self.indptr,
            "weight": self.weight,
        }
        if isinstance(self.target, PackedTargets):
            return {**kept, "bits": self.target.bits, "low": self.target.low, "high": self.target.high}
        return {**kept, "target": self.target}

    @classmethod
    def from_record(cls, row: Row) -> Sparse:
        rows, columns = integer(row, "rows", 1), integer(row, "columns", 1)
        target: NDArray[Any] | PackedTargets
        if "bits" in row:
            target = PackedTargets(rows, integer(row, "bits", 0, 30), array(row, "low"), array(row, "high"))
        else:
            target = array(row, "target")
        return cls(rows, columns, array(row, "indptr"), target, array(row, "weight"))

    def coo(self, rows: Range | None = None) -> Coo:
        first, last = within(rows, self)
        column = np.repeat(np.arange(self.columns), self.lengths())
        row = self.targets().astype(np.int64)
        index = np.flatnonzero((first <= row) & (row < last))
        return Coo(row[index], column[index], self.weight[index].astype(np.int64), index)

    def fan_out(self, rows: Range | None = None) -> Ints:
        first, last = within(rows, self)
        if (first, last) == (0, self.rows):
            return self.lengths()
        found = np.zeros(self.columns, np.int64)
        for piece in self.pieces():
            inside = (first <= piece.target) & (piece.target < last)
            found[piece.first : piece.stop] = self._counted(piece.first, piece.stop, inside)
        return found

    def nonzero_fan_out(self) -> Ints:
        found = np.zeros(self.columns, np.int64)
        for first, stop, start in self._spans(0, self.columns, synapse.PIECE):
            found[first:stop] = self._counted(first, stop, self.weight[start : int(self.indptr[stop])] != 0)
        return found

    def _counted(self, first: int, stop: int, chosen: NDArray[np.bool_]) -> Ints:
        """How many synapses of each of the axons ``first:stop`` are chosen."""
        ends = self.indptr[first : stop + 1].astype(np.int64)
        counts: Ints = np.diff(np.concatenate(([0], np.cumsum(chosen)))[ends - ends[0]])
        return counts

    def one_sided(self) -> tuple[Ints, Ints]:
        weight = self.weight
        pieces = ((p.target, weight[p.start : p.start + len(p.target)].astype(np.int64)) for p in self.pieces())
        return both_sides(self.rows, pieces)

    def _touches(self, rows: Ints, first: int, last: int) -> Iterator[Touch]:
        """Targets ascend under an axon, so the synapses of one axon into one tile stand together."""
        for piece, tile in self._tiles(rows, first, last):
            axon = np.repeat(np.arange(piece.first, piece.stop, dtype=np.int64), self.lengths(piece.first, piece.stop))
            new = np.empty(len(tile), np.bool_)
            new[:1] = True
            new[1:] = (tile[1:] != tile[:-1]) | (axon[1:] != axon[:-1])
            starts = np.flatnonzero(new)
            fan = np.diff(starts, append=len(tile))
            kept = tile[starts] >= 0
            yield Touch(axon[starts][kept], tile[starts][kept].astype(np.int64), fan[kept].astype(np.int64))

    def _tiles(self, rows: Ints, first: int, last: int) -> Iterator[tuple[Piece, NDArray[np.int32]]]:
        """The axons in pieces, and the range of rows that each target is in, -1 for none."""
        tile_of = np.full(self.rows, -1, np.int32)
        for index, (start, stop) in enumerate(rows.tolist()):
            tile_of[start:stop] = index
        for piece in self.pieces(first, last, synapse.PIECE):
            yield piece, tile_of[piece.target]

    def destinations(self, rows: Ints, columns: Range, delayed: bool) -> Ints:
        found = np.zeros(self.columns, np.int64)
        for piece, tile in self._tiles(rows, *columns):
            new = np.ones(len(tile) + 1, np.bool_)
            new[1:-1] = tile[1:] != tile[:-1]
            new[self.indptr[piece.first : piece.stop].astype(np.int64) - piece.start] = True
            found[piece.first : piece.stop] = self._counted(piece.first, piece.stop, new[:-1] & (tile >= 0))
        return found

    def cost(self, rows: Range, columns: Range, form: ListFormat, delayed: bool) -> tuple[int, int]:
        """Of all rows without a look at targets."""
        if rows != (0, self.rows):
            return super().cost(rows, columns, form, delayed)
        fan = self.lengths(*columns)
        fan = fan[fan > 0]
        return int(form.naming(fan).sum()), len(fan)

    def costs(self, rows: Ints, columns: Range, form: ListFormat, delayed: bool) -> tuple[Ints, Ints]:
        return self._lists(rows, columns, form)

    def arranged(self, rows: Ints | None, columns: Ints | None) -> tuple[Sparse, Any]:
        lengths = self.lengths()
        order = np.arange(self.columns, dtype=np.int64) if columns is None else columns
        indptr, taken = laid_out(self.indptr[:-1].astype(np.int64)[order], lengths[order])
        target = self.targets()[taken].astype(np.int64)
        if rows is not None:
            target = inverse(rows)[target]
            axon = np.repeat(np.arange(self.columns, dtype=np.int64), lengths[order])
            by_target = np.argsort(axon * self.rows + target, kind="stable")
            taken, target = taken[by_target], target[by_target]
        narrow: NDArray[Any] = target.astype(np.uint16 if self.rows <= NARROW_ROWS else np.int32)
        return Sparse(self.rows, self.columns, indptr, narrow, self.weight[taken]), taken
