"""How a row's sums over a part of the columns travel: in which messages, and what they take where they are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.flow.words import PartialSums, SumsOf
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import BLOCK

#: Bytes of one sum of synapses: 32 bits.
SUM_BYTES = 4
#: A sum travels in at most this many messages.
MAX_WORDS = 2


@dataclass(frozen=True, eq=False)
class Sums(PartialSums):
    """The partial sums of a row on their way to its reducer.

    bits : of the weight that adds a message there. least : bytes of a row where sums are made that are set aside at least.
    """

    bits: int
    least: int = 0

    @property
    def most(self) -> int:
        """The most messages that a row may need."""
        return MAX_WORDS * max(1, sum(part.slots for part in self.parts))

    @property
    def key(self) -> object:
        """Equal where all sums are alike."""
        return self.bits, *(_key(part) for part in self.parts)

    def state(self, words: int) -> int:
        """Bytes of a row on the shard that makes sums of so many messages."""
        return max(self.least, SUM_BYTES * words)

    def least_words(self) -> Ints:
        """The least messages over any columns that touch 1, 2, ... blocks of `BLOCK` columns, wherever they lie."""
        if len(self.parts) == 1:
            return np.array(self.parts[0].slots * _least(self.parts[0]), np.int64)
        columns = sum(part.projection.synapse.columns for part in self.parts)
        return np.full(-(-columns // BLOCK), min((part.slots for part in self.parts), default=1), np.int64)


def _key(part: SumsOf) -> tuple[object, ...]:
    p = part.projection
    if part.payload_max is None:
        return p.synapse.columns, part.slots
    largest = part.largest if p.block_sums is None else p.block_sums.tobytes()
    return p.synapse.columns, part.slots, part.payload_max, p.graded, largest


def _least(part: SumsOf) -> Ints:
    columns, sums = part.projection.synapse.columns, part.projection.block_sums
    blocks = -(-columns // BLOCK)
    if sums is None or part.payload_max is None:
        return np.full(blocks, part.words(0, columns), np.int64)
    before = np.concatenate(([0], np.cumsum(sums)))
    starts = [int((before[touched:] - before[: len(before) - touched]).argmin()) for touched in range(1, blocks + 1)]
    found = [part.words(first * BLOCK, (first + n) * BLOCK) for n, first in enumerate(starts, 1)]
    return np.array(found, np.int64)
