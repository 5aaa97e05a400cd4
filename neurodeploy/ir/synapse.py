"""`Synapse`: what every kind of synapse answers about itself; the kinds are one file each in `neurodeploy.synapses`.

A kind stands for a matrix ``w`` (rows, columns) = (targets, sources) of stored synapses. Of all that is asked here only
`coo`, which names them one by one, has no answer that holds for any kind; the others follow from it and a kind answers
where it has a shorter way. A synapse that is stored counts, a weight of zero too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.typed import Row
from neurodeploy.ir.units import Units

Range = tuple[int, int]
WEIGHT_TYPES = (np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32))
#: About how many synapses or (axon, tile) pairs are looked at in one piece.
PIECE = 1 << 21


class Coo(NamedTuple):
    """Synapses one by one, ordered by axon, then target: int64 arrays of one length.

    `position` says where the weight stands in ``synapse.weight.ravel()``; of a direct connection it is the neuron.
    """

    row: Ints
    column: Ints
    weight: Ints
    position: Ints


class Touch(NamedTuple):
    """Equal lengths, int64: the column of the synapse matrix, the index of the row range, the stored synapses."""

    axon: Ints
    tile: Ints
    fan: Ints


class ListFormat(NamedTuple):
    """How a core stores the list of one axon: bytes of its header, bits of a synapse, and those of a target's name."""

    header: int
    bits: int
    index_bits: int

    def naming(self, fan: Ints) -> Ints:
        """Bytes of lists that name their targets: ``header + ceil(fan (bits + index_bits) / 8)``."""
        return self.header + -(-fan * (self.bits + self.index_bits) // 8)


class Synapse(ABC):
    """A kind of synapses. `rows`: a range of targets (first, last), None for all; sizes are in neurons.

    kind : its name in files and reports.
    wrap_bits : to how many bits a shifted sum wraps before it is added to what is pending.
    wire : payloads pass in the same step, as they are: no synapse, no memory, no delay.
    uniform : every axon has one synapse with every neuron, so that all rows are alike.
    shared : several synapses use one stored weight, as in a convolution.
    own_delays : each synapse may have a delay, in the shape of `weight`.
    spatial : reads and makes shapes with space, (x, y, channel).
    movable : `arranged` is known; else the neurons on both sides keep their order.
    weight : the stored weights, int8, int16 or int32.
    """

    kind: ClassVar[str]
    wrap_bits: ClassVar[int] = 32
    wire: ClassVar[bool] = False
    uniform: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    own_delays: ClassVar[bool] = False
    spatial: ClassVar[bool] = False
    movable: ClassVar[bool] = False

    if TYPE_CHECKING:  # a kind may have them as fields

        @property
        def rows(self) -> int: ...

        @property
        def columns(self) -> int: ...

        @property
        def weight(self) -> NDArray[np.signedinteger]: ...

    @abstractmethod
    def coo(self, rows: Range | None = None) -> Coo:
        """All stored synapses into these neurons."""

    def problem(self) -> str:
        """What contradicts the docstring of the kind, "" where nothing does."""
        return ""

    def record(self) -> dict[str, Any]:
        """Its fields for a file: arrays, integers, lists of integers, flags."""
        raise InternalError("ND9012", self.kind, "synapses have no form on disk")

    @classmethod
    def from_record(cls, row: Row) -> Synapse:
        """The inverse of `record`. Whatever is wrong with a value is a `ValueError` that names its key (`ir.typed`)."""
        raise ValueError(f"{cls.kind} synapses have no form on disk")

    @property
    def kept(self) -> str:
        """How a core keeps it, as chips name it (`ir.chip.Supports.synapses`): "list", "kernel" or "wire"."""
        return "wire" if self.wire else "kernel" if self.shared else "list"

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of its sums."""
        return (self.rows,)

    @property
    def extra_bits(self) -> int:
        """Bits that a weight as it counts may have beyond those that are stored."""
        return 0

    @property
    def shared_bits(self) -> int:
        """Bits of constants that weights share, of all synapses."""
        return 0

    @property
    def beside(self) -> int:
        """Synapses of an axon on every core where it has any, beside those into the neurons of the population."""
        return 0

    def inner(self, rows: int, columns: Range) -> int:
        """Sums beside the neurons that a core with so many rows and these columns updates in every step."""
        return 0

    def inner_bytes(self, rows: int, columns: int) -> int:
        """Bytes beside the lists of synapses of a core with so many rows and columns, at most; grows with both."""
        return 0

    def part(self, rows: Range, columns: Range) -> Synapse | None:
        """These rows and columns, without a copy of the weights; None where the kind has no such form."""
        return None

    def matrix(self) -> NDArray[np.signedinteger]:
        """The integers that count, (rows, columns), of a kind that is `uniform`."""
        raise InternalError("ND9012", self.kind, "synapses are no full matrix")

    @property
    def work(self) -> int:
        """Multiply-adds of `sums` where no payload is zero, at most."""
        return int(self.weight.size)

    @property
    def absent(self) -> int:
        """Entries of the matrix that have no synapse, of a kind that stands for a matrix with holes."""
        return 0

    @property
    def index_bytes(self) -> int:
        """Bytes in memory of what says where synapses are."""
        return 0

    def sums(self, x: Ints) -> Ints:
        """``sum_j w_ij * x_j`` (samples, rows), exact in int64, of payloads (samples, columns) int64."""
        row, weight, ends = self._by_axon
        out = np.zeros(x.shape[0] * self.rows, np.int64)
        sample, axon = np.nonzero(x)
        counts = ends[axon + 1] - ends[axon]
        driven = np.repeat(ends[axon + 1] - counts.cumsum(), counts) + np.arange(counts.sum())
        cell = np.repeat(sample * self.rows, counts) + row[driven]
        np.add.at(out, cell, weight[driven] * np.repeat(x[sample, axon], counts))
        return out.reshape(-1, self.rows)

    @cached_property
    def _by_axon(self) -> tuple[Ints, Ints, Ints]:
        """Targets and weights by axon, and where each axon's begin (columns + 1,)."""
        row, column, weight, _ = self.coo()
        return row, weight, np.searchsorted(column, np.arange(self.columns + 1))

    def count(self) -> int:
        """Stored synapses, as if all were written out."""
        return int(self.fan_out().sum())

    def stored_weights(self, rows: Range | None = None) -> int:
        """Weights that a core with these rows keeps."""
        return int(self.fan_out(rows).sum())

    def fan_out(self, rows: Range | None = None) -> Ints:
        """Synapses that an event of each axon drives in these neurons: int64 (columns,)."""
        return np.bincount(self.coo(rows).column, minlength=self.columns).astype(np.int64)

    def nonzero_fan_out(self) -> Ints:
        """Synapses of each axon whose weight is not zero: int64 (columns,)."""
        _, column, weight, _ = self.coo()
        return np.bincount(column[weight != 0], minlength=self.columns).astype(np.int64)

    def axons(self, rows: Range | None = None) -> NDArray[np.bool_]:
        """Which axons bring a message to any of these neurons: (columns,)."""
        return self.fan_out(rows) > 0

    def one_sided(self) -> tuple[Ints, Ints]:
        """(sum of the positive weights, sum of the negative ones) of each neuron, or bounds of them."""
        row, _, weight, _ = self.coo()
        return both_sides(self.rows, ((row, weight),))

    def largest_sum(self, graded: bool, payload_max: int) -> int:
        """A bound that no sum of one delay slot exceeds in magnitude, before the shift and without wrapping.

        ``max_i sum_j |w_ij| * payload_max`` for graded payloads of either sign; for others, which count as 0 or 1, the
        larger of the positive and the negative weights of a neuron alone.
        """
        positive, negative = self.one_sided()
        if graded:
            return int((positive - negative).max(initial=0)) * payload_max
        return max(int(positive.max(initial=0)), -int(negative.min(initial=0)))

    def touches(self, rows: Ints, columns: Range | None = None) -> Iterator[Touch]:
        """What the shards with the row ranges `rows` (n, 2), ascending and disjoint, see of each axon: all (axon, tile, fan)
        that have a synapse, or a message; axons outside `columns` are left out.

        Without a matrix and in pieces of bounded size where the kind can. All tiles of an axon come in the same piece,
        but for a convolution, which comes tile by tile.
        """
        first, last = columns if columns is not None else (0, self.columns)
        return self._touches(rows, first, last) if len(rows) and first < last else iter(())

    def _touches(self, rows: Ints, first: int, last: int) -> Iterator[Touch]:
        """`touches` of some rows and some columns."""
        found = self.coo((int(rows[0, 0]), int(rows[-1, 1])))
        tile = np.searchsorted(rows[:, 0], found.row, side="right") - 1
        kept = (found.row < rows[tile, 1]) & (first <= found.column) & (found.column < last)
        keys, fan = np.unique(found.column[kept] * len(rows) + tile[kept], return_counts=True)
        yield Touch(keys // len(rows), keys % len(rows), fan.astype(np.int64))

    @property
    def joined(self) -> Ints | None:
        """The first column of every run of neighbours of which each is read by the same rows, through equally many synapses;
        None where nothing is known of such runs."""
        return None

    def joined_touches(self, rows: Ints) -> Iterator[Touch]:
        """`touches` of all columns where they are `joined`: a run for each axon, with the fan of one of its columns."""
        raise InternalError("ND9075", self.kind, "its columns are not joined")

    def units(self, delayed: bool) -> Units:
        """Which columns share an entry of the axon tables. Delays belong to an entry: axons with delays have one each."""
        return Units(self.columns, 1)

    def cost(self, rows: Range, columns: Range, form: ListFormat, delayed: bool) -> tuple[int, int]:
        """(bytes of synapses, entries of axons) of a core with these rows and columns, none of them empty: by default a
        list that names its targets for each touched axon."""
        stored, axons = self._lists(np.array([rows], np.int64), columns, form)
        return int(stored[0]), int(axons[0])

    def costs(self, rows: Ints, columns: Range, form: ListFormat, delayed: bool) -> tuple[Ints, Ints]:
        """`cost` of disjoint, ascending row ranges (n, 2): (n,) bytes and (n,) entries."""
        pairs = [self.cost((first, last), columns, form, delayed) for first, last in rows.tolist()]
        stored, axons = np.array(pairs, np.int64).reshape(-1, 2).T
        return stored, axons

    def _lists(self, rows: Ints, columns: Range, form: ListFormat) -> tuple[Ints, Ints]:
        stored, axons = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        for touch in self.touches(rows, columns):
            lists = np.bincount(touch.tile, weights=form.naming(touch.fan), minlength=len(rows))
            stored += lists.astype(np.int64)
            axons += np.bincount(touch.tile, minlength=len(rows))
        return stored, axons

    def destinations(self, rows: Ints, columns: Range, delayed: bool) -> Ints:
        """How many of the disjoint row ranges (n, 2) each unit of these columns reaches: int64 (units,)."""
        found = np.zeros(self.columns, np.int64)
        for touch in self.touches(rows, columns):
            found += np.bincount(touch.axon, minlength=len(found))
        return found

    def arranged(self, rows: Ints | None, columns: Ints | None) -> tuple[Synapse, Any]:
        """``w[rows[r], columns[c]]``: the synapses between populations in these orders (None: as they are), and the index
        that moves delays of single synapses likewise."""
        raise InternalError("ND9075", self.kind, "synapses between neurons in another order are not known")


def within(rows: Range | None, synapse: Synapse) -> Range:
    """The range, all rows for None."""
    return (0, synapse.rows) if rows is None else rows


def both_sides(rows: int, parts: Iterable[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Sums of the positive and of the negative weights by row, of pairs (row, weight)."""
    positive, negative = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    for row, weight in parts:
        np.add.at(positive, row, np.maximum(weight, 0))
        np.add.at(negative, row, np.minimum(weight, 0))
    return positive, negative
