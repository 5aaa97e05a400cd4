"""`Units`: which columns of a matrix of synapses share an entry of the axon tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.ir.fixedpoint import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Neighbouring columns that share one entry of the axon tables: `size` each, or those from ``starts[k]`` on."""

    count: int
    size: int
    starts: Ints | None = None

    def of(self, columns: Ints) -> Ints:
        """The unit of each column."""
        return columns // self.size if self.starts is None else np.searchsorted(self.starts, columns, side="right") - 1

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The first unit that has a column in ``first:last`` (not empty), and the one after the last."""
        if self.starts is None:
            return first // self.size, -(-last // self.size)
        low, high = np.searchsorted(self.starts, (first, last - 1), side="right").tolist()
        return low - 1, high

    def sums(self, values: Ints) -> Ints:
        """Values of the columns added up by unit."""
        if self.starts is None:
            return np.asarray(values.reshape(-1, self.size).sum(axis=1))
        return np.asarray(np.add.reduceat(values, self.starts))
