"""How many messages carry one value between cores: the one formula of the mapper, the runners and the account.

A message has as many bits as the chip's format says, and a value takes as many whole messages as its bits need::

    messages(value)   = ceil(bits of the value / bits of a message)
    bits(output)      = `GradedNeurons.out_bits`
    bits(partial sum) = 1 + bits of payload_max * (sum of `Synapses.block_abs_sum` of the blocks that its columns touch)

A partial sum is a row's sum over a part of the columns. Its bound is proven from the weights, not taken from a run, so
that a plan holds for every input. A row's reducer gets each message over an axon of its own with one weight, so that a
message that arrives costs it one synaptic operation.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Protocol

from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.network import BLOCK, Projection
from neurodeploy.ir.program import Island

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


def word_bits(chip: ChipSpec) -> int:
    """Bits of one message."""
    return 8 * chip.formats["message_bytes"]


def messages_of(bits: int, chip: ChipSpec) -> int:
    """Messages that carry a value of `bits` bits."""
    return -(-bits // word_bits(chip))


def output_words(island: Island, chip: ChipSpec) -> int:
    """Messages of one output of the island."""
    return messages_of(island.neurons.out_bits, chip)


def bound_bits(island: Island, abs_sum: int) -> int:
    """Bits, sign included, of a sum of weights of at most `abs_sum` in magnitude, each times a payload."""
    return (island.payload_max * abs_sum).bit_length() + 1


def partial_bits(island: Island, columns: Range) -> int:
    """Bits of a partial sum over these columns, sign included, proven from `block_abs_sum`."""
    blocks = island.synapses.block_abs_sum[columns[0] // BLOCK : -(-columns[1] // BLOCK)]
    return bound_bits(island, sum(int(value) for value in blocks))


@dataclass(frozen=True, slots=True)
class Words:
    """Messages of one value of an island that is cut in a certain way: of an output, and of a partial sum by column block
    (empty where no shard has a part of the columns only)."""

    output: int
    partial: Table[Range, int]

    @property
    def received(self) -> int:
        """Messages a row that a reducer gets."""
        return sum(self.partial.values())

    def sent(self, piece: Piece) -> int:
        """Messages a row that leave this shard: partial sums of a part of the columns, outputs of a home of neurons."""
        return self.output if piece.kind == "reducer" else self.partial.get(piece.cols, self.output)


def island_words(island: Island, pieces: Iterable[Piece], chip: ChipSpec) -> Words:
    """The messages of an island cut into these shards or tiles."""
    ranges = sorted({piece.cols for piece in pieces if piece.kind == "synapses"} - {(0, island.columns)})
    partial = {columns: messages_of(partial_bits(island, columns), chip) for columns in ranges}
    return Words(output_words(island, chip), partial)


def sum_messages(projections: Iterable[Projection], columns: Range) -> int:
    """Messages a row and step of a shard with a part of the columns of these projections, one after the other: one for each
    projection that it touches and each of its delay slots, since a sum of synapses has 32 bits and so has a message."""
    found, start = 0, 0
    for p in projections:
        if start < columns[1] and start + p.synapse.columns > columns[0]:
            found += max(1, p.depth)
        start += p.synapse.columns
    return found
