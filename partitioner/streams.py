"""`Streams`: the messages between tiles, as nets, traffic and work count them.

There are three kinds, whatever is mapped::

    events        of an axon, from the tile where its neuron lives (or the host) to every tile that holds synapses of it
    partial sums  of a row, from a tile with a part of the columns to the row's reducer
    outputs       of a neuron that the host reads

The host encodes the input of every island at full activity: one event for each column, one output for each row. All
columns of one block are read by the same tiles, so they count as one axon of as many messages, and a core gets them once,
however many of its tiles read them. An island that works in a part of the tokens (an expert) counts with that part; `per`
is then the least number of tokens that makes all counts whole.

A neuron of a network sends once a step, or as a run has counted, to each tile by itself (unicast, as
`neurodeploy.accounting` counts it). With `PAIRS` or more pairs of an axon and a tile in one projection only some of its
axons are looked at, and theirs stand for all: `Streams.notes` says so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Table
from math import lcm
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from neurodeploy.flow.flows import Homes, flows
from neurodeploy.flow.routes import HOST
from neurodeploy.flow.words import Piece
from neurodeploy.ir.arrange import arranged, counts_there
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.neurons.registry import every_neuron, output_ports

from .population import Model, View, unwrapped, views_of

#: Pairs of an axon and a tile in a projection from which on a sample stands for it.
PAIRS = 1 << 21

#: population -> output port -> (size,) messages of each neuron.
Sent = Table[str, Table[str, Ints]]


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
    """The messages between these tiles, or the shards of a mapping, in `per` steps; tiles are named by their positions.

    once : whether a core gets an event once for all its tiles.
    """

    once = False
    notes: tuple[str, ...] = ()

    def __init__(self, views: Table[str, View], pieces: Sequence[Piece], per: int) -> None:
        self.views, self.pieces, self.per = views, pieces, per

    def events(self) -> Iterator[Stream]:
        raise NotImplementedError

    def ticks(self, piece: Piece) -> int:
        """Steps of `per` in which a tile works."""
        return int(self.views[piece.island].share * self.per)

    def home(self, piece: Piece) -> bool:
        """Whether the neurons of its rows live there."""
        return piece.kind == "reducer" or piece.cols == self.views[piece.island].whole

    def partial_sums(self) -> Ints:
        """(n, 3): sender, reducer, messages."""
        adders: dict[str, list[int]] = {}
        for index in sorted(range(len(self.pieces)), key=lambda i: self.pieces[i].rows):
            if self.pieces[index].kind == "reducer":
                adders.setdefault(self.pieces[index].island, []).append(index)
        starts = {name: [self.pieces[i].rows[0] for i in members] for name, members in adders.items()}
        words: dict[tuple[str, tuple[int, int]], int] = {}
        found = []
        for index, piece in enumerate(self.pieces):
            if self.home(piece):
                continue
            name, (low, high), key = piece.island, piece.rows, (piece.island, piece.cols)
            if key not in words:
                words[key] = self.views[name].sums.words(piece.cols) * self.ticks(piece)
            for reducer in adders.get(name, [])[max(0, bisect_right(starts.get(name, []), low) - 1) :]:
                first, last = self.pieces[reducer].rows
                if first >= high:
                    break
                if last > low:
                    found.append((index, reducer, (min(high, last) - max(low, first)) * words[key]))
        return np.array(found, np.int64).reshape(-1, 3)

    def outputs(self) -> Ints:
        """(n, 3): sender, `HOST`, messages."""
        sent = [
            (index, HOST, self.views[piece.island].outputs * self._fired(piece))
            for index, piece in enumerate(self.pieces)
            if self.views[piece.island].outputs and self.home(piece)
        ]
        return np.array(sent, np.int64).reshape(-1, 3)

    def _fired(self, piece: Piece) -> int:
        """Outputs of its neurons."""
        return (piece.rows[1] - piece.rows[0]) * self.ticks(piece)


class _Broadcasts(Streams):
    """Islands: the host sends every block of columns to all its tiles."""

    once = True

    def events(self) -> Iterator[Stream]:
        blocks: dict[tuple[str, tuple[int, int]], int] = {}
        found = []
        for index, piece in enumerate(self.pieces):
            if piece.kind == "synapses":
                messages = (piece.cols[1] - piece.cols[0]) * self.ticks(piece)
                number = blocks.setdefault((piece.island, piece.cols), len(blocks))
                found.append((number, HOST, index, messages, messages * (piece.rows[1] - piece.rows[0])))
        yield Stream("", *np.array(found, np.int64).reshape(-1, 5).T)


class _Unicasts(Streams):
    """Populations of a network, in the order of their tiles."""

    def __init__(
        self,
        network: Network,
        views: Table[str, View],
        pieces: Sequence[Piece],
        sent: Sent | None,
        per: int,
        pairs: int | None,
    ) -> None:
        super().__init__(views, pieces, per)
        self.shards = pieces  # what `flows` reads
        self._network, self._sent = network, every_neuron(network, per) if sent is None else sent
        every = {p.name: _every(p, pieces, pairs) for p in network.projections}
        self._every = {name: step for name, step in every.items() if step > 1}
        self.notes = tuple(
            f"{name}: one in {step} of its axons stands for all in the traffic" for name, step in self._every.items()
        )

    def events(self) -> Iterator[Stream]:
        for p, axon, source, target, messages, synops in flows(
            self._network, self, self._sent, Homes(self._network, self), self._every
        ):
            step = self._every.get(p.name, 1)
            yield Stream(p.name, axon, source, target, messages * step, synops * step, p.synapse.shared)

    def _fired(self, piece: Piece) -> int:
        port = output_ports(self._network.populations[piece.island])[0]
        fired = self._sent.get(piece.island, {}).get(port)
        return 0 if fired is None else int(fired[slice(*piece.rows)].sum())


def streams_of(
    model: Model,
    pieces: Sequence[Piece],
    chip: ChipSpec,
    *,
    orders: Table[str, Ints] = MappingProxyType({}),
    sent: Sent | None = None,
    per: int = 1,
    pairs: int | None = PAIRS,
) -> Streams:
    """The messages of tiles, or of a mapping's shards.

    orders : of the mapping.
    sent : what each neuron of a network sends in `per` steps, in the order of the network; None: each sends in every step.
    pairs : of an axon and a tile in one projection, from which on a sample stands for it; None: all are looked at.
    """
    model = unwrapped(model)
    if not isinstance(model, Network):
        views = views_of(model, chip)
        return _Broadcasts(views, pieces, lcm(*(view.share.denominator for view in views.values())))
    laid = arranged(model, orders)
    there = None if sent is None else counts_there(sent, orders)
    return _Unicasts(laid, views_of(laid, chip), pieces, there, per, pairs)


def _every(p: Projection, pieces: Sequence[Piece], most: int | None) -> int:
    """One axon in so many stands for all where more than `most` pairs of an axon and a tile are in a projection."""
    if most is None or p.synapse.shared:
        return 1
    tiles = sum(piece.island == p.target and piece.kind == "synapses" for piece in pieces)
    return max(1, min(p.synapse.columns * tiles, p.synapse.count()) // most)
