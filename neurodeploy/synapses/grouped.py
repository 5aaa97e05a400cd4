"""All-to-all synapses of few bits whose weights share constants in groups along the input.

The columns lie in groups of `group`; a row has a factor m and an offset n for each of its groups::

    w_ij = m_gi * q_ij + n_gi                                       g = (j + phase) // group
    acc_i = sum_g (m_gi * sum_{j in g} q_ij x_j + n_gi * sum_{j in g} x_j)

All of it is an exact integer sum, so any cut of rows or columns, also within a group, adds up to the same bits (the parts of
a group are multiplied where they are). This is how quantised files store weights (ggml's Q4_1: ``w = d q + m``), and what
GPTQ and others call groups; on a chip each group of a row is a sum of its own, which its neuron multiplies and adds.

A core with R rows and the groups G of its columns keeps and does, in every step::

    bytes       axons * (header + ceil((R + a) * bits / 8)) + ceil(R G constant_bits / 8) + 4 (R + a) G
    synapses    R + a of each event                    a = 1 where an offset is not zero: the sum of a group's inputs
    updates     (R + a) G beside its neurons: each sum of a group is multiplied and added once

The last term of the bytes are the sums. They are words of the core's memory and no neurons of its budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.synapse import Coo, ListFormat, Range, within
from neurodeploy.ir.typed import Row, array, integer
from neurodeploy.synapses.dense import AllToAll

#: Bytes of a sum of a group: a payload of 16 bits times a weight of 8, of at most 256 axons.
SUM_BYTES = 4
#: A weight as it counts stays below this.
WEIGHT_END = 2**30
#: Bits that it may have beyond the 8 of a stored one.
EXTRA_BITS = 24
#: Rows whose weights are written out at a time.
ROWS = 1024


@dataclass(frozen=True, eq=False)
class Grouped(AllToAll):
    """weight : int8 (rows, columns), the stored integers q, of either sign or none. multiplier, offset : int32 (rows,
    groups), m and n. group : columns of a group. constant_bits : what a core keeps of m and n of a row and group. phase :
    how many columns of the first group are missing, in a part of a larger matrix.
    """

    weight: NDArray[np.signedinteger]
    multiplier: NDArray[np.int32]
    offset: NDArray[np.int32]
    group: int
    constant_bits: int = 16
    phase: int = 0

    kind: ClassVar[str] = "grouped"

    @property
    def rows(self) -> int:
        return int(self.weight.shape[0])

    @property
    def columns(self) -> int:
        return int(self.weight.shape[1])

    @property
    def groups(self) -> int:
        return self._groups((0, self.columns))

    @property
    def extra_bits(self) -> int:
        return EXTRA_BITS

    @cached_property
    def beside(self) -> int:
        """One synapse of each axon, into the sum of its group, where that is asked for."""
        return int(bool(self.offset.any()))

    @property
    def shared_bits(self) -> int:
        return self.rows * self.groups * self.constant_bits

    def bits_a_weight(self, weight_bits: int) -> float:
        """What is stored, constants shared out over the weights: ``bits + groups * constant_bits / columns``."""
        return weight_bits + self.shared_bits / self.weight.size

    def problem(self) -> str:
        wanted = (self.rows, self.groups) if self.weight.ndim == 2 and self.group > 0 else ()
        if self.weight.dtype != np.int8 or not wanted or not 0 <= self.phase < self.group:
            return "grouped weights are int8 with two axes, in groups of at least one column"
        for name, constants in (("multiplier", self.multiplier), ("offset", self.offset)):
            if constants.dtype != np.int32 or constants.shape != wanted:
                return f"{name} of grouped weights is not int32 {wanted}"
        largest = np.abs(self.multiplier.astype(np.int64)) * 128 + np.abs(self.offset.astype(np.int64))
        return "" if largest.max(initial=0) < WEIGHT_END else f"a grouped weight may reach {largest.max()}"

    def record(self) -> dict[str, Any]:
        return {
            "weight": self.weight, "multiplier": self.multiplier, "offset": self.offset, "group": self.group,
            "constant_bits": self.constant_bits, "phase": self.phase,
        }  # fmt: skip

    @classmethod
    def from_record(cls, row: Row) -> Grouped:
        weight, multiplier, offset = (array(row, name) for name in ("weight", "multiplier", "offset"))
        if weight.ndim != 2:
            raise ValueError(f"weight has {weight.ndim} axes, two are needed")
        sizes = integer(row, "group", 1), integer(row, "constant_bits", 0, 64), integer(row, "phase")
        return cls(weight, multiplier, offset, *sizes)

    def sums(self, x: Ints) -> Ints:
        """Group by group, as the equation has it."""
        found = np.zeros((x.shape[0], self.rows), np.int64)
        for g in range(self.groups):
            columns = slice(max(0, g * self.group - self.phase), (g + 1) * self.group - self.phase)
            part = x[:, columns]
            if part.any():
                found += part @ self.weight[:, columns].T.astype(np.int64) * self.multiplier[:, g].astype(np.int64)
                found += part.sum(axis=1)[:, None] * self.offset[:, g].astype(np.int64)
        return found

    def matrix(self) -> NDArray[np.signedinteger]:
        """w, int16 where that holds all of them, else int32."""
        of = (np.arange(self.columns) + self.phase) // self.group
        found = np.empty(self.weight.shape, self._type)
        for start in range(0, self.rows, ROWS):
            rows = slice(start, start + ROWS)
            np.multiply(self.weight[rows], self.multiplier[rows].astype(self._type)[:, of], out=found[rows])
            found[rows] += self.offset[rows].astype(self._type)[:, of]
        return found

    @cached_property
    def _type(self) -> type[np.signedinteger[Any]]:
        largest = max(-int(self.weight.min(initial=0)), int(self.weight.max(initial=0)))
        bound = np.abs(self.multiplier.astype(np.int64)) * largest + np.abs(self.offset.astype(np.int64))
        return np.int16 if int(bound.max(initial=0)) < 2**15 else np.int32

    def part(self, rows: Range, columns: Range) -> Grouped:
        first, phase = divmod(columns[0] + self.phase, self.group)
        own = slice(*rows), slice(first, first + self._groups(columns))
        weight = self.weight[slice(*rows), slice(*columns)]
        return Grouped(weight, self.multiplier[own], self.offset[own], self.group, self.constant_bits, phase)

    def coo(self, rows: Range | None = None) -> Coo:
        """With the weights as they count."""
        first, last = within(rows, self)
        weight = self.part((first, last), (0, self.columns)).matrix().T.reshape(-1).astype(np.int64)
        column, row = (a.reshape(-1) for a in np.mgrid[0 : self.columns, first:last])
        return Coo(row, column, weight, row * self.columns + column)

    def count(self) -> int:
        """Those into neurons."""
        return int(self.weight.size)

    def stored_weights(self, rows: Range | None = None) -> int:
        first, last = within(rows, self)
        return (last - first) * self.columns

    def nonzero_fan_out(self) -> Ints:
        return np.asarray(np.count_nonzero(self.matrix(), axis=0), np.int64)

    def one_sided(self) -> tuple[Ints, Ints]:
        weight = self.matrix()
        return np.maximum(weight, 0).sum(axis=1, dtype=np.int64), np.minimum(weight, 0).sum(axis=1, dtype=np.int64)

    def inner(self, rows: int, columns: Range) -> int:
        return (rows + self.beside) * self._groups(columns)

    def inner_bytes(self, rows: int, columns: int) -> int:
        """A range of columns that lies unluckily touches one group more than it fills."""
        return self._bytes(rows, min(-(-columns // self.group) + 1, self.groups))

    def cost(self, rows: Range, columns: Range, form: ListFormat, delayed: bool) -> tuple[int, int]:
        lists, axons = super().cost(rows, columns, form, delayed)
        return lists + self._bytes(rows[1] - rows[0], self._groups(columns)), axons

    def costs(self, rows: Ints, columns: Range, form: ListFormat, delayed: bool) -> tuple[Ints, Ints]:
        lists, axons = super().costs(rows, columns, form, delayed)
        own = [
            self._bytes(count, self._groups(columns)) if count else 0 for count in (rows[:, 1] - rows[:, 0]).tolist()
        ]
        return lists + np.array(own, np.int64), axons

    def _bytes(self, rows: int, groups: int) -> int:
        """Constants and sums."""
        return -(-rows * groups * self.constant_bits // 8) + SUM_BYTES * (rows + self.beside) * groups

    def _groups(self, columns: Range) -> int:
        """How many of them these columns touch."""
        if columns[0] >= columns[1]:
            return 0
        return (columns[1] - 1 + self.phase) // self.group - (columns[0] + self.phase) // self.group + 1
