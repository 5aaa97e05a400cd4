"""`StoredGrid`: weights as a quantised file holds them, integers with constants by group; stores that have some."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints


@dataclass(frozen=True, slots=True, eq=False)
class StoredGrid:
    """``w_ij = scale_gi * codes_ij + offset_gi`` with g = j // group, exactly.

    kind : its name in the file ("Q4_1"). codes : int8 (rows, columns). scale, offset : float64 (rows, groups), each the
    product of what the file holds, which 53 bits hold exactly. bits : of a code. constant_bits : what the file spends on the
    constants of a row and group.
    """

    kind: str
    codes: NDArray[np.int8]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    group: int
    bits: int
    constant_bits: int

    def rows(self, chosen: Ints | slice) -> StoredGrid:
        return replace(self, codes=self.codes[chosen], scale=self.scale[chosen], offset=self.offset[chosen])

    def columns(self, first: int, last: int) -> StoredGrid | None:
        """None where the first column is not the first of a group."""
        if first % self.group:
            return None
        groups = slice(first // self.group, -(-last // self.group))
        return replace(
            self, codes=self.codes[:, first:last], scale=self.scale[:, groups], offset=self.offset[:, groups]
        )


@runtime_checkable
class GridStore(Protocol):
    """A `WeightStore` that may know the integers of a quantised file."""

    def grid(self, name: str, start: int = 0, stop: int | None = None) -> StoredGrid | None:
        """Rows ``start:stop`` of a matrix; None where the file holds real numbers, or what is read is made of more."""
        ...
