"""`Streams`: the messages between tiles, or the shards of a mapping, as nets, traffic, metrics and the account count them.

There are three kinds, whatever is mapped::

    events        of an axon, from the tile where its neuron lives (or the host) to every tile that holds synapses of it
    partial sums  of a row, from a tile with a part of the columns to the row's reducer, zeros of a step with events included
    outputs       of a neuron that the host reads

Tiles are named by their positions, `HOST` stands for outside: for inputs, and for populations that no tile holds. A payload
goes to each tile by itself, projection by projection (no multicast). Where synapses are all-to-all, a *stretch* of
neighbouring axons that have one origin and are read by the same tiles counts as one axon of as many messages.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from neurodeploy.flow.joined import Stream, joined_streams
from neurodeploy.flow.routes import HOST
from neurodeploy.flow.words import PartialSums, Piece, Range, output_words
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode
from neurodeploy.neurons import registry
from neurodeploy.neurons.registry import output_ports

#: Neighbouring axons that a sample takes at a time.
STRETCH = 256

#: population -> output port -> (size,) messages of each neuron.
Sent = Mapping[str, Mapping[str, Ints]]


@dataclass(frozen=True, eq=False)
class Ends:
    """What streams need of a population: all its axons (one where it has none), messages of one output to the host (0 where
    it does not read it), its partial sums, whether its neurons are microcoded, the share of ticks in which it works."""

    whole: Range
    outputs: int
    sums: PartialSums
    microcoded: bool
    share: Fraction


def ends_of(program: Program, network: Network, chip: ChipSpec, shares: Mapping[str, Fraction]) -> dict[str, Ends]:
    """Of the populations in `shares`, which live on cores, in the network of a program with its neurons in their places. The
    host reads what is a result or becomes a value of its own, and what is sent to populations that it computes."""
    found, read = {}, {*network.outputs, *(step.population for step in program.host if isinstance(step, Decode))}
    for name, share in shares.items():
        population, into = network.populations[name], network.into(name)
        away = any(p.target not in shares for p in network.out_of(name))
        found[name] = Ends(
            (0, max(1, sum(network.populations[p.source].size for p in into))),
            output_words(population, chip) if away or name in read else 0,
            PartialSums.into(network, name, chip),
            population.model not in chip.supports.neurons,
            share,
        )
    return found


class Streams:
    """The messages between these pieces in `per` steps, population by population in the order of the pieces.

    sent : messages of each neuron in `per` steps; None: each sends in every step in which it works.
    heard : of a piece with a part of the columns the steps in which an event reaches it, in all others it has no partial sum
        to send; of those that are not in it: every step in which it works.
    pairs : of an axon and a tile in one projection, from which on only some of its axons are looked at, and theirs stand
        for all, as `notes` says; None: all are looked at.
    """

    def __init__(
        self, network: Network, ends: Mapping[str, Ends], pieces: Sequence[Piece], per: int,
        sent: Sent | None = None, pairs: int | None = None, heard: Mapping[int, int] | None = None,
    ) -> None:  # fmt: skip
        self._heard = heard or {}
        self.network, self.ends, self.pieces, self.per, self._sent = network, ends, pieces, per, sent
        self._ticks = {name: int(own.share * per) for name, own in ends.items()}
        self._totals: dict[tuple[str, str], list[int]] = {}
        self._every = {}
        if pairs is not None:
            tiles = {name: sum(map(len, blocks.values())) for name, blocks in self._blocks.items()}
            every = {p.name: _every(p, tiles.get(p.target, 0), pairs) for p in network.projections}
            self._every = {name: step for name, step in every.items() if step > 1}
        self.notes = tuple(
            f"{name}: one in {step} of its axons stands for all in the traffic" for name, step in self._every.items()
        )

    def events(self, only: Container[str] | None = None) -> Iterator[Stream]:
        """Of all projections, or of those that are named."""
        for name, blocks in self._blocks.items():
            start = 0
            for p in self.network.into(name):
                width = self.network.populations[p.source].size
                first, start = start, start + width
                if only is not None and p.name not in only:
                    continue
                fired = self._fired(p.source, p.source_port, name)
                if fired is not None and fired.any():
                    # Where the tiles have their columns cut, within the projection.
                    cut = {
                        columns: index for (low, high), index in blocks.items()
                        if (columns := (max(low - first, 0), min(high - first, width)))[0] < columns[1]
                    }  # fmt: skip
                    yield from self._shared(p, fired, cut) if p.synapse.uniform else self._single(p, fired, cut)
                    yield from self._asked(p, fired)

    def _shared(self, p: Projection, fired: Ints, blocks: Mapping[Range, Ints]) -> Iterator[Stream]:
        home, total = self._homes[p.source], np.concatenate(([0], np.cumsum(fired)))
        moved = np.flatnonzero(np.diff(home)) + 1
        edges = np.unique(np.concatenate((moved, *(np.array(columns) for columns in blocks))))
        found = []
        for (low, high), index in blocks.items():
            starts = edges[np.searchsorted(edges, low) : np.searchsorted(edges, high)]
            messages = np.diff(total[np.append(starts, high)])
            found.append((*(np.repeat(a, len(index)) for a in (starts, messages)), np.tile(index, len(starts))))
        axon, messages, target = (np.concatenate(part) for part in zip(*found, strict=True))
        rows = self._rows[target]
        yield Stream(
            p.name,
            axon,
            home[axon],
            target,
            messages,
            messages * (rows[:, 1] - rows[:, 0] + p.synapse.beside),
            p.synapse.shared,
        )

    def _single(self, p: Projection, fired: Ints, blocks: Mapping[Range, Ints]) -> Iterator[Stream]:
        home, step = self._homes[p.source], self._every.get(p.name, 1)
        if p.synapse.joined is not None:
            for columns, index in blocks.items():
                yield from joined_streams(p, fired, home, index, self._rows, list(_stretches(*columns, step)), step)
            return
        for columns, index in blocks.items():
            for part in _stretches(*columns, step):
                for touch in p.synapse.touches(self._rows[index], part):
                    axon, messages = touch.axon, fired[touch.axon] * step
                    yield Stream(
                        p.name, axon, home[axon], index[touch.tile], messages, messages * touch.fan, p.synapse.shared
                    )

    def _asked(self, p: Projection, fired: Ints) -> Iterator[Stream]:
        """What a port asks of a memory goes to every tile with a part of it, not to that of its neuron alone; no synapse."""
        if p.target_port not in registry.memory_of(self.network.populations[p.target]).asks:
            return
        own = [i for i, piece in enumerate(self.pieces) if piece.island == p.target and self.home(piece)]
        tiles = np.array(sorted(own, key=lambda i: self.pieces[i].rows), np.int64)
        reached = np.zeros((len(tiles), p.synapse.columns), np.bool_)
        for touch in p.synapse.touches(self._rows[tiles], (0, p.synapse.columns)):
            reached[touch.tile, touch.axon] = True
        other, axon = np.nonzero(~reached & (reached.any(axis=0) & (fired > 0)))
        home, silent = self._homes[p.source], np.zeros(len(axon), np.int64)
        yield Stream(f"{p.name}, asked", axon, home[axon], tiles[other], fired[axon], silent, p.synapse.shared)

    def _fired(self, name: str, port: str, reader: str = "") -> Ints | None:
        """Messages of each neuron; an input that no run has counted sends whenever its reader works."""
        if self._sent is not None:
            return self._sent.get(name, {}).get(port)
        return np.broadcast_to(
            np.int64(self.ticks(name if name in self.ends else reader)), (self.network.populations[name].size,)
        )

    def spikes(self, piece: Piece) -> int:
        """Non-zero payloads of its neurons, of all ports."""
        return sum(self._sum(piece, port) for port in output_ports(self.network.populations[piece.island]))

    def _sum(self, piece: Piece, port: str) -> int:
        key = (piece.island, port)
        if key not in self._totals:
            fired = self._fired(*key)
            self._totals[key] = [0] if fired is None else [0, *np.cumsum(fired).tolist()]
        totals = self._totals[key]
        return totals[piece.rows[1]] - totals[piece.rows[0]] if len(totals) > 1 else 0

    def ticks(self, name: str) -> int:
        """Steps of `per` in which a population works."""
        return self._ticks[name]

    def home(self, piece: Piece) -> bool:
        """Whether the neurons of its rows live there: a reducer, or a piece of all columns."""
        return piece.kind == "reducer" or piece.cols == self.ends[piece.island].whole

    def inner(self, piece: Piece) -> int:
        """Sums that it updates beside its neurons."""
        rows = piece.rows[1] - piece.rows[0] if piece.kind == "synapses" else 0
        return self.ends[piece.island].sums.inner(rows, piece.cols) if rows else 0

    def neurons(self, piece: Piece) -> int:
        """Those of its rows, or their partial sums."""
        rows = piece.rows[1] - piece.rows[0]
        return rows if self.home(piece) else rows * self.ends[piece.island].sums.count(piece.cols)

    @cached_property
    def _rows(self) -> Ints:
        return np.array([piece.rows for piece in self.pieces], np.int64).reshape(-1, 2)

    @cached_property
    def _homes(self) -> dict[str, Ints]:
        """The piece where each neuron lives."""
        read = {p.source for name in self._blocks for p in self.network.into(name)}
        sizes = {name: self.network.populations[name].size for name in read | self._blocks.keys()}
        found = {name: np.full(size, HOST, np.int64) for name, size in sizes.items()}
        for index, piece in enumerate(self.pieces):
            if self.home(piece):
                found[piece.island][slice(*piece.rows)] = index
        return found

    @cached_property
    def _blocks(self) -> dict[str, dict[Range, Ints]]:
        """The pieces of each range of columns, by rows."""
        found: dict[str, dict[Range, list[int]]] = {piece.island: {} for piece in self.pieces}
        for index, piece in sorted(enumerate(self.pieces), key=lambda pair: pair[1].rows):
            if piece.kind == "synapses":
                found[piece.island].setdefault(piece.cols, []).append(index)
        return {
            name: {columns: np.array(index, np.int64) for columns, index in blocks.items()}
            for name, blocks in found.items()
        }

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
                words[key] = self.ends[name].sums.words(piece.cols)
            for reducer in adders.get(name, [])[max(0, bisect_right(starts.get(name, []), low) - 1) :]:
                first, last = self.pieces[reducer].rows
                if first >= high:
                    break
                if last > low:
                    rows, steps = min(high, last) - max(low, first), self._heard.get(index, self.ticks(name))
                    found.append((index, reducer, rows * words[key] * steps))
        return np.array(found, np.int64).reshape(-1, 3)

    @cached_property
    def outputs(self) -> Ints:
        """(n, 3): sender, `HOST`, messages."""
        found = []
        for index, piece in enumerate(self.pieces):
            words = self.ends[piece.island].outputs
            if words and self.home(piece):
                port = output_ports(self.network.populations[piece.island])[0]
                found.append((index, HOST, words * self._sum(piece, port)))
        return np.array(found, np.int64).reshape(-1, 3)


def _every(p: Projection, tiles: int, most: int) -> int:
    """One axon in so many stands for all where more than `most` pairs of an axon and a tile are in a projection."""
    if p.synapse.shared or p.synapse.uniform:
        return 1
    return max(1, min(p.synapse.columns * tiles, p.synapse.count()) // most)


def _stretches(first: int, last: int, every: int) -> Iterator[tuple[int, int]]:
    size = STRETCH if every > 1 else max(1, last - first)
    yield from ((start, min(start + size, last)) for start in range(first, last, size * every))
