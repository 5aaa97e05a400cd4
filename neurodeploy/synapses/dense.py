"""Synapses from every axon to every neuron: what all kinds of them share, and the plain one, a matrix.

A core stores one list an axon, zeros too: ``bytes = axons * (header + ceil((rows + beside) * bits / 8))``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir import synapse
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.synapse import Coo, ListFormat, Range, Synapse, Touch, within
from neurodeploy.ir.typed import Row, array


class AllToAll(Synapse):
    """One synapse from every axon to every neuron: a list of an axon names no target."""

    uniform: ClassVar[bool] = True

    def fan_out(self, rows: Range | None = None) -> Ints:
        first, last = within(rows, self)
        return np.full(self.columns, last - first + (self.beside if last > first else 0), np.int64)

    def _touches(self, rows: Ints, first: int, last: int) -> Iterator[Touch]:
        count = len(rows)
        width = max(1, synapse.PIECE // count)
        for start in range(first, last, width):
            axons = np.arange(start, min(start + width, last), dtype=np.int64)
            tiles = np.tile(np.arange(count, dtype=np.int64), len(axons))
            yield Touch(np.repeat(axons, count), tiles, (rows[:, 1] - rows[:, 0] + self.beside)[tiles])

    def cost(self, rows: Range, columns: Range, form: ListFormat, delayed: bool) -> tuple[int, int]:
        axons = columns[1] - columns[0]
        return axons * (form.header + -(-(rows[1] - rows[0] + self.beside) * form.bits // 8)), axons

    def costs(self, rows: Ints, columns: Range, form: ListFormat, delayed: bool) -> tuple[Ints, Ints]:
        width, count = columns[1] - columns[0], rows[:, 1] - rows[:, 0]
        stored = width * (form.header + -(-(count + self.beside) * form.bits // 8))
        return np.where(count > 0, stored, 0), np.where(count > 0, width, 0)

    def destinations(self, rows: Ints, columns: Range, delayed: bool) -> Ints:
        found = np.zeros(self.columns, np.int64)
        found[slice(*columns)] = len(rows)
        return found


@dataclass(frozen=True, eq=False)
class Dense(AllToAll):
    """All-to-all synapses: `weight` (rows, columns) = (targets, sources) int8, int16 or int32.

    Keep it Fortran-ordered (`np.asfortranarray`) where the matrix is large: then the row of targets of one axon is
    contiguous and no runner needs a copy.
    """

    weight: NDArray[np.signedinteger]

    kind: ClassVar[str] = "dense"
    own_delays: ClassVar[bool] = True
    movable: ClassVar[bool] = True

    @property
    def rows(self) -> int:
        return int(self.weight.shape[0])

    @property
    def columns(self) -> int:
        return int(self.weight.shape[1])

    def problem(self) -> str:
        return "" if self.weight.ndim == 2 else "dense weights have two axes"

    def record(self) -> dict[str, Any]:
        """By axon."""
        return {"weight": self.weight.T}

    @classmethod
    def from_record(cls, row: Row) -> Dense:
        return cls(array(row, "weight") if "by_row" in row else array(row, "weight").T)

    def sums(self, x: Ints) -> Ints:
        """Over the axons with an event."""
        events = np.flatnonzero(x.any(axis=0))
        sums: Ints = x[:, events] @ self.weight[:, events].T.astype(np.int64)
        return sums

    def coo(self, rows: Range | None = None) -> Coo:
        column, row = (a.reshape(-1) for a in np.mgrid[0 : self.columns, slice(*within(rows, self))])
        return Coo(row, column, self.weight[row, column].astype(np.int64), row * self.columns + column)

    def nonzero_fan_out(self) -> Ints:
        return np.asarray(np.count_nonzero(self.weight, axis=0), np.int64)

    def one_sided(self) -> tuple[Ints, Ints]:
        positive = np.maximum(self.weight, 0).sum(axis=1, dtype=np.int64)
        return positive, np.minimum(self.weight, 0).sum(axis=1, dtype=np.int64)

    def part(self, rows: Range, columns: Range) -> Dense:
        return Dense(self.weight[slice(*rows), slice(*columns)])

    def matrix(self) -> NDArray[np.signedinteger]:
        return self.weight

    def arranged(self, rows: Ints | None, columns: Ints | None) -> tuple[Dense, Any]:
        pick = np.ix_(
            np.arange(self.rows) if rows is None else rows, np.arange(self.columns) if columns is None else columns
        )
        return Dense(np.asfortranarray(self.weight[pick])), pick
