"""Connections without a synapse: a port connected to a port in Lava. No synapse, no memory, no delay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.synapse import Coo, ListFormat, Range, Synapse, Touch, within
from neurodeploy.ir.typed import Row, integer

_NO_WEIGHT: NDArray[np.int8] = np.zeros(0, np.int8)


@dataclass(frozen=True, eq=False)
class Direct(Synapse):
    """Neuron i to neuron i in the *same* step, payload unchanged. Never in a cycle. `size` neurons on both sides.

    It stores no synapse and drives none: `fan_out` is 0, and yet each of its `axons` brings a message.
    """

    size: int

    kind: ClassVar[str] = "direct"
    wire: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    @property
    def rows(self) -> int:
        return self.size

    @property
    def columns(self) -> int:
        return self.size

    @property
    def weight(self) -> NDArray[np.signedinteger]:
        """None."""
        return _NO_WEIGHT

    def record(self) -> dict[str, Any]:
        return {"size": self.size}

    @classmethod
    def from_record(cls, row: Row) -> Direct:
        return cls(integer(row, "size", 1))

    def sums(self, x: Ints) -> Ints:
        return np.array(x, np.int64)

    def coo(self, rows: Range | None = None) -> Coo:
        """The identity, with weights of one."""
        neuron = np.arange(*within(rows, self), dtype=np.int64)
        return Coo(neuron, neuron, np.ones_like(neuron), neuron)

    def fan_out(self, rows: Range | None = None) -> Ints:
        return np.zeros(self.size, np.int64)

    def nonzero_fan_out(self) -> Ints:
        return np.zeros(self.size, np.int64)

    def axons(self, rows: Range | None = None) -> NDArray[np.bool_]:
        first, last = within(rows, self)
        index = np.arange(self.size)
        touched: NDArray[np.bool_] = (first <= index) & (index < last)
        return touched

    def largest_sum(self, graded: bool, payload_max: int) -> int:
        return payload_max

    def _touches(self, rows: Ints, first: int, last: int) -> Iterator[Touch]:
        axons = np.arange(first, last, dtype=np.int64)
        tiles = np.searchsorted(rows[:, 0], axons, side="right") - 1
        inside = (tiles >= 0) & (axons < rows[tiles.clip(0), 1])
        yield Touch(axons[inside], tiles[inside].astype(np.int64), np.zeros(int(inside.sum()), np.int64))

    def destinations(self, rows: Ints, columns: Range, delayed: bool) -> Ints:
        found = np.zeros(self.size, np.int64)
        for start, stop in rows.clip(*columns).tolist():
            found[start:stop] += 1
        return found

    def cost(self, rows: Range, columns: Range, form: ListFormat, delayed: bool) -> tuple[int, int]:
        return 0, max(0, min(rows[1], columns[1]) - max(rows[0], columns[0]))
