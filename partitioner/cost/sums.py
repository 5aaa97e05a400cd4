"""How a row's sum over a part of the columns travels: in which messages, and what it takes where it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from neurodeploy.flow.words import PartialSums, bound_bits, messages_of, partial_bits
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.program import Island
from partitioner.cost.lists import Range

#: Bytes of one sum of synapses: 32 bits.
SUM_BYTES = 4
#: A proven partial sum travels in at most this many messages.
MAX_WORDS = 2


class Sums(Protocol):
    """How a row's sum over a part of the columns travels to its reducer. `bits`: of the weight that adds a message there."""

    @property
    def bits(self) -> int: ...

    @property
    def most(self) -> int | None:
        """The most messages that one may need."""

    @property
    def key(self) -> object:
        """Equal where all sums are alike."""

    def words(self, columns: Range) -> int:
        """Messages of a row."""

    def count(self, columns: Range) -> int:
        """How many sums these are."""

    def state(self, words: int) -> int:
        """Bytes of a row on the shard that makes a sum of so many messages."""

    def least_words(self) -> Ints:
        """The least messages over any columns that touch 1, 2, ... blocks of `BLOCK` columns."""


@dataclass(frozen=True, slots=True)
class SlotSums:
    """The sums of each delay slot of each projection that the columns touch, 4 bytes for each of their messages."""

    sums: PartialSums
    bits: int
    most: int | None = None

    @property
    def key(self) -> object:
        return self.bits, *((part.projection.synapse.columns, part.slots, part.payload_max) for part in self.sums.parts)

    def words(self, columns: Range) -> int:
        return self.sums.words(columns)

    def count(self, columns: Range) -> int:
        return self.sums.count(columns)

    def state(self, words: int) -> int:
        return SUM_BYTES * words

    def least_words(self) -> Ints:
        least = min((part.slots for part in self.sums.parts), default=1)
        columns = sum(part.projection.synapse.columns for part in self.sums.parts)
        return np.full(-(-columns // BLOCK), least, np.int64)


@dataclass(frozen=True, slots=True)
class ProvenSums:
    """One sum, of as many messages as the weights of the island prove that it needs."""

    island: Island
    chip: ChipSpec
    bits: int
    neuron: int
    most: int | None = MAX_WORDS

    @property
    def key(self) -> object:
        return self.bits, self.island.payload_bits, self.island.synapses.block_abs_sum.tobytes()

    def words(self, columns: Range) -> int:
        return messages_of(partial_bits(self.island, columns), self.chip)

    def count(self, columns: Range) -> int:
        return 1

    def state(self, words: int) -> int:
        return self.neuron

    def least_words(self) -> Ints:
        """The least messages of a sum over columns that touch 1, 2, ... blocks of `BLOCK` columns, wherever they lie."""
        sums = [0]
        for value in self.island.synapses.block_abs_sum.tolist():
            sums.append(sums[-1] + int(value))
        found = []
        for touched in range(1, len(sums)):
            least = min(high - low for low, high in zip(sums, sums[touched:], strict=False))
            found.append(messages_of(bound_bits(self.island.payload_max, least), self.chip))
        return np.array(found, np.int64)
