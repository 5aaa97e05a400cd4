"""Sparse synapses row by row, compiled: what a growing tile costs. Imported only where a network has `Sparse` synapses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.machine.jit import jit
from neurodeploy.synapses import Sparse

#: Synapses that are looked at in one piece.
PIECE = 1 << 18


class RowLists:
    """The synapses of a `Sparse` by row, for tiles of consecutive rows that start where the last one ended, or anywhere.

    4 bytes a synapse and 12 an axon, for the time of one split.
    """

    def __init__(self, synapse: Sparse, columns: tuple[int, int]) -> None:
        first, last = max(0, columns[0]), min(columns[1], synapse.columns)
        self.starts: Ints = np.zeros(synapse.rows + 1, np.int64)
        for piece in synapse.pieces(first, last, PIECE):
            _count(piece.target, self.starts)
        np.cumsum(self.starts, out=self.starts)
        self.axons: NDArray[np.int32] = np.empty(int(self.starts[-1]), np.int32)
        place = self.starts[:-1].copy()
        for piece in synapse.pieces(first, last, PIECE):
            ends = np.cumsum(synapse.lengths(piece.first, piece.stop))
            _by_row(ends, piece.target, piece.first - first, place, self.axons)
        self._fan: NDArray[np.int32] = np.zeros(max(1, last - first), np.int32)
        self._stamp: Ints = np.full(max(1, last - first), -1, np.int64)
        self._turn = 0

    def profile(self, first: int, stop: int, header: int, bits: int) -> Ints:
        """(2, stop - first + 1): bytes and axons of the tiles ``first:first + n`` for n = 0 .. stop - first."""
        found = np.zeros((2, stop - first + 1), np.int64)
        self._turn += 1
        _grow(
            self.starts, self.axons, first, stop, header, bits, self._turn, self._stamp, self._fan, found[0], found[1]
        )
        return found


@jit
def _count(target, starts):  # type: ignore[no-untyped-def]
    for k in range(len(target)):
        starts[target[k] + 1] += 1


@jit
def _by_row(ends, target, first, place, axons):  # type: ignore[no-untyped-def]
    k = 0
    for n in range(len(ends)):
        while k < ends[n]:
            row = target[k]
            axons[place[row]] = first + n
            place[row] += 1
            k += 1


@jit
def _grow(starts, axons, first, stop, header, bits, turn, stamp, fan, stored, count):  # type: ignore[no-untyped-def]
    total, touched = 0, 0
    for row in range(first, stop):
        for k in range(starts[row], starts[row + 1]):
            axon = axons[k]
            if stamp[axon] != turn:
                stamp[axon] = turn
                fan[axon] = 0
                touched += 1
                total += header
            before = (fan[axon] * bits + 7) // 8
            fan[axon] += 1
            total += (fan[axon] * bits + 7) // 8 - before
        stored[row - first + 1] = total
        count[row - first + 1] = touched
