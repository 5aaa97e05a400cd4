"""How many messages carry one value between cores: the one formula of the mapper, the runners and the account.

A message has as many bits as the chip's format says, and a value takes as many whole messages as its bits need::

    messages(value)   = ceil(bits of the value / bits of a message)
    bits(payload)     = `neurons.registry.payload_bits`
    bits(partial sum) = 32 at a port that wraps: a sum that has wrapped is the same sum
                        1 + bits of payload_max * (sum of `Projection.block_sums` of the blocks that its columns touch)
                        at an exact port; where sums by block are not known, of the largest sum of all columns

A partial sum is a row's sum over a part of the columns: one for each projection and delay slot. Its bound is proven from the
weights, not taken from a run, so that a plan holds for every input. Where it is made it is a neuron, which is updated and
sends in every step. A row's reducer gets each message over an axon of its own with one weight, so that a message that
arrives costs it one synaptic operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.network import BLOCK, Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import is_exact, largest_payload, payload_bits

#: First and last + 1.
Range = tuple[int, int]


class Piece(Protocol):
    """What is asked of a shard, or of a tile that has no place yet."""

    @property
    def island(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def rows(self) -> Range: ...

    @property
    def cols(self) -> Range: ...


def messages_of(bits: int, chip: ChipSpec) -> int:
    """Messages that carry a value of `bits` bits."""
    return -(-bits // (8 * chip.formats["message_bytes"]))


def output_words(population: Population, chip: ChipSpec) -> int:
    """Messages of one payload."""
    return messages_of(payload_bits(population), chip)


def bound_bits(payload_max: int, abs_sum: int) -> int:
    """Bits, sign included, of a sum of weights of at most `abs_sum` in magnitude, each times a payload."""
    return (payload_max * abs_sum).bit_length() + 1


@dataclass(frozen=True, eq=False)
class SumsOf:
    """The sums of one projection: one for each of its `slots`. `payload_max`: of its source where the port is exact."""

    projection: Projection
    start: int
    stop: int
    payload_max: int | None
    chip: ChipSpec

    @property
    def slots(self) -> int:
        return max(1, self.projection.depth)

    @cached_property
    def largest(self) -> int:
        """Of all columns."""
        assert self.payload_max is not None
        return self.projection.largest_sum(self.payload_max)

    def words(self, first: int, last: int) -> int:
        """Messages of one over these columns of the projection."""
        if self.payload_max is None:
            return 1
        sums = self.projection.block_sums
        if sums is None:
            return messages_of(bound_bits(1, self.largest), self.chip)
        most = self.payload_max if self.projection.graded else 1
        return messages_of(bound_bits(most, sum(sums[first // BLOCK : -(-last // BLOCK)].tolist())), self.chip)


@dataclass(frozen=True, eq=False)
class PartialSums:
    """What a row of a population sends to its reducer from a part of its columns."""

    parts: tuple[SumsOf, ...]

    @classmethod
    def into(cls, network: Network, name: str, chip: ChipSpec) -> PartialSums:
        found, start = [], 0
        for p in network.into(name):
            source = network.populations[p.source]
            bounded = largest_payload(source) if is_exact(network, p) else None
            found.append(SumsOf(p, start, start + source.size, bounded, chip))
            start += source.size
        return cls(tuple(found))

    def _touched(self, columns: Range) -> Iterator[tuple[SumsOf, int, int]]:
        for part in self.parts:
            if part.start < columns[1] and part.stop > columns[0]:
                yield part, max(columns[0] - part.start, 0), min(columns[1], part.stop) - part.start

    def count(self, columns: Range) -> int:
        """Sums of a row and step over these columns."""
        return sum(part.slots for part, *_ in self._touched(columns))

    def inner(self, rows: int, columns: Range) -> int:
        """Sums beside the neurons, or beside their partial sums, that a piece updates in a step (`Synapse.inner`)."""
        return sum(part.projection.synapse.inner(rows, (low, high)) for part, low, high in self._touched(columns))

    def words(self, columns: Range) -> int:
        """Their messages."""
        return sum(part.slots * part.words(first, last) for part, first, last in self._touched(columns))
