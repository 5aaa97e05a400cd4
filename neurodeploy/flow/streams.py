"""`Streams`: the messages between tiles, or the shards of a mapping, as nets, traffic, metrics and the account count them.

There are three kinds, whatever is mapped::

    events        of an axon, from the tile where its neuron lives (or the host) to every tile that holds synapses of it
    partial sums  of a row, from a tile with a part of the columns to the row's reducer, zeros included
    outputs       of a neuron that the host reads

Tiles are named by their positions, `HOST` stands for outside. `Broadcasts` are islands: the host encodes their input, and
all columns of one block are read by the same tiles, so that they count as one axon of as many messages. `Unicasts` are the
populations of a network: a neuron's payload goes to each tile by itself, projection by projection (no multicast). Both are
counted at full activity, or at what a run has sent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import NamedTuple, Protocol

import numpy as np

from neurodeploy.flow.routes import HOST
from neurodeploy.flow.words import Piece, Range, messages_of, output_words, partial_bits, sum_messages
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Island
from neurodeploy.ir.run import IslandActivity
from neurodeploy.neurons.registry import every_neuron, output_ports

#: Neighbouring axons that a sample takes at a time.
STRETCH = 256

#: population -> output port -> (size,) messages of each neuron.
Sent = Table[str, Table[str, Ints]]


class Receiver(Protocol):
    """What streams need of a population: all its axons, messages of one output to the host (0 where it does not read it),
    the share of ticks in which it works, and whether its neurons are microcoded."""

    @property
    def whole(self) -> Range: ...

    @property
    def outputs(self) -> int: ...

    @property
    def share(self) -> Fraction: ...

    @property
    def microcoded(self) -> bool: ...

    def words(self, columns: Range, /) -> int:
        """Messages of a row's sum over a part of the axons."""


@dataclass(frozen=True, slots=True)
class Ends:
    """A `Receiver` and nothing more."""

    whole: Range
    outputs: int
    words: Callable[[Range], int]
    microcoded: bool
    share: Fraction = Fraction(1)


def island_ends(island: Island, chip: ChipSpec) -> Ends:
    def words(columns: Range) -> int:
        return messages_of(partial_bits(island, columns), chip)

    return Ends((0, island.columns), output_words(island, chip), words, microcoded=True)


def network_ends(network: Network, chip: ChipSpec) -> dict[str, Ends]:
    """Of the populations that live on cores."""
    found = {}
    for name, population in network.populations.items():
        if population.model != INPUT:
            into = network.into(name)
            whole = 0, max(1, sum(p.synapse.columns for p in into))
            own, words = population.model in chip.supports.neurons, partial(sum_messages, into)
            found[name] = Ends(whole, int(name in network.outputs), words, microcoded=not own)
    return found


class Stream(NamedTuple):
    """Events of one kind, equal lengths: ``messages[i]`` of axon ``axon[i]`` from the tile ``source[i]`` (or `HOST`) to the
    tile ``target[i]``, where they drive ``synops[i]`` synapses. Axons are numbered within `name`."""

    name: str
    axon: Ints
    source: Ints
    target: Ints
    messages: Ints
    synops: Ints
    shared_kernels: bool = False


class Streams:
    """The messages between these pieces in `per` steps.

    once : whether a core gets an event once for all its tiles. notes : what is not counted whole.
    """

    once = False
    notes: tuple[str, ...] = ()

    def __init__(self, ends: Table[str, Receiver], pieces: Sequence[Piece], per: int) -> None:
        self.ends, self.pieces, self.per = ends, pieces, per

    def events(self) -> Iterator[Stream]:
        raise NotImplementedError

    def spikes(self, piece: Piece) -> int:
        """Non-zero payloads of its neurons, of all ports."""
        raise NotImplementedError

    def ticks(self, piece: Piece) -> int:
        """Steps of `per` in which a piece works."""
        return int(self.ends[piece.island].share * self.per)

    def home(self, piece: Piece) -> bool:
        """Whether the neurons of its rows live there: a reducer, or a piece of all columns."""
        return piece.kind == "reducer" or piece.cols == self.ends[piece.island].whole

    @cached_property
    def partial_sums(self) -> Ints:
        """(n, 3): sender, reducer, messages."""
        adders: dict[str, list[int]] = {}
        for index in sorted(range(len(self.pieces)), key=lambda i: self.pieces[i].rows):
            if self.pieces[index].kind == "reducer":
                adders.setdefault(self.pieces[index].island, []).append(index)
        starts = {name: [self.pieces[i].rows[0] for i in members] for name, members in adders.items()}
        words: dict[tuple[str, Range], int] = {}
        found = []
        for index, piece in enumerate(self.pieces):
            if self.home(piece):
                continue
            name, (low, high), key = piece.island, piece.rows, (piece.island, piece.cols)
            if key not in words:
                words[key] = self.ends[name].words(piece.cols) * self.ticks(piece)
            for reducer in adders.get(name, [])[max(0, bisect_right(starts.get(name, []), low) - 1) :]:
                first, last = self.pieces[reducer].rows
                if first >= high:
                    break
                if last > low:
                    found.append((index, reducer, (min(high, last) - max(low, first)) * words[key]))
        return np.array(found, np.int64).reshape(-1, 3)

    @cached_property
    def outputs(self) -> Ints:
        """(n, 3): sender, `HOST`, messages."""
        sent = [
            (index, HOST, self.ends[piece.island].outputs * self._fired(piece))
            for index, piece in enumerate(self.pieces)
            if self.ends[piece.island].outputs and self.home(piece)
        ]
        return np.array(sent, np.int64).reshape(-1, 3)

    def _fired(self, piece: Piece) -> int:
        """Outputs of its neurons that the host reads."""
        raise NotImplementedError


class Broadcasts(Streams):
    """Islands: the host sends every block of columns to all its tiles. sent : what a run has counted; None: everything."""

    once = True

    def __init__(
        self,
        ends: Table[str, Receiver],
        pieces: Sequence[Piece],
        per: int,
        sent: Table[str, IslandActivity] | None = None,
    ) -> None:
        super().__init__(ends, pieces, per)
        self._sent = sent

    def ticks(self, piece: Piece) -> int:
        return super().ticks(piece) if self._sent is None else self._sent[piece.island].tokens

    def events(self) -> Iterator[Stream]:
        blocks: dict[tuple[str, Range], int] = {}
        edges: dict[str, set[int]] = {}
        for piece in self.pieces:
            edges.setdefault(piece.island, set()).update(piece.cols if piece.kind == "synapses" else ())
        cuts = {name: sorted(ends) for name, ends in edges.items()}
        found = []
        for index, piece in enumerate(self.pieces):
            if piece.kind == "synapses":
                cut, (low, high) = cuts[piece.island], piece.cols
                inside = cut[bisect_right(cut, low) : bisect_right(cut, high)]
                for block in zip([low, *inside], inside, strict=False):  # several, where others have other columns
                    number = blocks.setdefault((piece.island, block), len(blocks))
                    messages = self._arrived(piece, block)
                    found.append((number, HOST, index, messages, messages * (piece.rows[1] - piece.rows[0])))
        yield Stream("", *np.array(found, np.int64).reshape(-1, 5).T)

    def _arrived(self, piece: Piece, columns: Range) -> int:
        if self._sent is None:
            return (columns[1] - columns[0]) * self.ticks(piece)
        return int(self._sent[piece.island].events[slice(*columns)].sum())

    def _fired(self, piece: Piece) -> int:
        if self._sent is None:
            return (piece.rows[1] - piece.rows[0]) * self.ticks(piece)
        return int(self._sent[piece.island].messages_out[slice(*piece.rows)].sum())

    def spikes(self, piece: Piece) -> int:
        return self._fired(piece)


class Unicasts(Streams):
    """Populations of a network, in the order of their tiles.

    sent : messages of each neuron in `per` steps; None: each sends in every step.
    pairs : of an axon and a tile in one projection, from which on only some of its axons are looked at, and theirs stand
        for all, as `notes` says; None: all are looked at.
    """

    def __init__(
        self, network: Network, ends: Table[str, Receiver], pieces: Sequence[Piece], per: int, sent: Sent | None = None,
        pairs: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(ends, pieces, per)
        self._network, self._sent = network, every_neuron(network, per) if sent is None else sent
        every = {p.name: _every(p, pieces, pairs) for p in network.projections}
        self._every = {name: step for name, step in every.items() if step > 1}
        self.notes = tuple(
            f"{name}: one in {step} of its axons stands for all in the traffic" for name, step in self._every.items()
        )

    def events(self) -> Iterator[Stream]:
        rows = np.array([piece.rows for piece in self.pieces], np.int64).reshape(-1, 2)
        homes, blocks = self._homes(), self._blocks()
        for name, population in self._network.populations.items():
            start = 0
            for p in self._network.into(name) if population.model != INPUT else ():
                fired, step = self._sent.get(p.source, {}).get(p.source_port), self._every.get(p.name, 1)
                first, start = start, start + p.synapse.columns
                if fired is None or not fired.any():
                    continue
                for (low, high), members in blocks[name].items():
                    columns = (max(low - first, 0), min(high - first, p.synapse.columns))
                    index = np.array(members, np.int64)
                    for part in _stretches(*columns, step):
                        for touch in p.synapse.touches(rows[index], part):
                            messages = fired[touch.axon] * step
                            yield Stream(
                                p.name, touch.axon, homes[p.source][touch.axon], index[touch.tile], messages,
                                messages * touch.fan, p.synapse.shared,
                            )  # fmt: skip

    def _homes(self) -> dict[str, Ints]:
        """The piece where each neuron lives."""
        found = {name: np.full(p.size, HOST, np.int64) for name, p in self._network.populations.items()}
        for index, piece in enumerate(self.pieces):
            if self.home(piece):
                found[piece.island][slice(*piece.rows)] = index
        return found

    def _blocks(self) -> dict[str, dict[Range, list[int]]]:
        """The pieces of each range of columns, by rows."""
        found: dict[str, dict[Range, list[int]]] = {name: {} for name in self._network.populations}
        for index, piece in sorted(enumerate(self.pieces), key=lambda pair: pair[1].rows):
            if piece.kind == "synapses":
                found[piece.island].setdefault(piece.cols, []).append(index)
        return found

    def _fired(self, piece: Piece) -> int:
        return self._sum(piece, output_ports(self._network.populations[piece.island])[:1])

    def spikes(self, piece: Piece) -> int:
        return self._sum(piece, tuple(self._sent.get(piece.island, {})))

    def _sum(self, piece: Piece, ports: Sequence[str]) -> int:
        sent = self._sent.get(piece.island, {})
        return sum(int(sent[port][slice(*piece.rows)].sum()) for port in ports if port in sent)


def _every(p: Projection, pieces: Sequence[Piece], most: int | None) -> int:
    """One axon in so many stands for all where more than `most` pairs of an axon and a tile are in a projection."""
    if most is None or p.synapse.shared:
        return 1
    tiles = sum(piece.island == p.target and piece.kind == "synapses" for piece in pieces)
    return max(1, min(p.synapse.columns * tiles, p.synapse.count()) // most)


def _stretches(first: int, last: int, every: int) -> Iterator[tuple[int, int]]:
    size = STRETCH if every > 1 else max(1, last - first)
    yield from ((start, min(start + size, last)) for start in range(first, last, size * every))
