"""What each shard does in each tick, from the raster of a run: the table of `flow.loads`, tick by tick.

Loads are linear in events: what one event of an axon does is read off streams in which every neuron sends once, as a sparse
matrix A (axons, shards x columns), and with the events E (ticks, axons) of a projection::

    loads[t] = constant + sum over projections of E[t] A + partial sums

Neighbouring axons that a stream takes as one are one axon here. A shard with a part of the columns sends its partial sums in
the ticks in which an event reaches it: else they are zeros, which nobody needs. The constant part is what streams
without any event have: updates, and what populations remember.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.errors import InternalError
from neurodeploy.flow.loads import COLUMNS, CONV_SYNOPS, EVENTS, PARTIALS, SENT, SPIKES, SYNOPS, loads_of
from neurodeploy.flow.streams import Sent, Streams
from neurodeploy.ir.arrange import Orders, inverse, laid_out
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.raster import Raster
from neurodeploy.neurons.registry import every_neuron, output_ports

#: Values of the table that are held at a time.
HELD = 1 << 22


class Reach(NamedTuple):
    """What events of one port do. stretch : of each neuron the number of those that do the same. does :
    (stretches, shards * columns), sparse, of an event of each; the last stretch does nothing."""

    source: str
    port: str
    stretch: Ints
    does: Any


def silent_loads(streams: Streams) -> Ints:
    """`flow.loads.loads_of` where nothing sends, no partial sum either."""
    none = dict.fromkeys(range(len(streams.pieces)), 0)
    return loads_of(Streams(streams.network, streams.ends, streams.pieces, streams.per, {}, heard=none))


def extremes(streams: Streams, sent: Sent) -> tuple[Ints, Ints]:
    """(shards, 9) each: the loads of all steps if nothing sent, every partial sum counted, and what is added to one step if
    everything sends that ever does. sent : messages of each neuron in all steps."""
    once = {name: {port: np.minimum(own, 1) for port, own in ports.items()} for name, ports in sent.items()}
    none, ever = (
        loads_of(Streams(streams.network, streams.ends, streams.pieces, streams.per, given)) for given in ({}, once)
    )
    return none, ever - none


class ByTick:
    """The loads of some shards in every tick of a segment.

    own : positions of its shards in `streams`, which are of the whole run and count every partial sum. raster : of the
    segment, neurons as they are; ticks : of it; orders : of the mapping.
    """

    def __init__(self, streams: Streams, own: Ints, raster: Raster, ticks: int, orders: Orders) -> None:
        self.streams, self.own, self.raster, self.ticks = streams, own, raster, ticks
        self._rows = {name: inverse(order) for name, order in orders.items()}
        self._names = list(dict.fromkeys(streams.pieces[i].island for i in own.tolist()))
        self._place = np.full(len(streams.pieces) + 1, -1, np.int64)  # the last entry is where HOST looks
        self._place[own] = np.arange(len(own))
        self.constant = silent_loads(streams)[own] // ticks
        sums = streams.partial_sums
        sums = sums[self._place[sums[:, 0]] >= 0]
        #: Sender, reducer and messages of a tick, where both are numbered as in `own`.
        self._sums = np.stack((self._place[sums[:, 0]], self._place[sums[:, 1]], sums[:, 2] // ticks), axis=1)
        self._reaches = [*self._projections(every_neuron(streams.network)), *self._ports()]

    def heard(self) -> dict[int, int]:
        """Of each shard with a part of the columns the ticks in which an event reaches it."""
        found = dict.fromkeys(self._sums[:, 0].tolist(), 0)
        for table in self if found else ():
            for place in found:
                found[place] += int(np.count_nonzero(table[:, place, EVENTS]))
        return {int(self.own[place]): ticks for place, ticks in found.items()}

    def __iter__(self) -> Iterator[Ints]:
        """(ticks of a part, shards, 9), part after part."""
        from scipy.sparse import csr_array

        width = len(self.own) * COLUMNS
        step = max(1, HELD // max(1, width))
        for first in range(0, self.ticks, step):
            stop = min(first + step, self.ticks)
            table, events = np.zeros((stop - first, width), np.int64), dict[tuple[str, str], tuple[Ints, Ints]]()
            for reach in self._reaches:
                port = reach.source, reach.port
                if port not in events:
                    events[port] = self.raster.events(*port, first, stop)
                neuron, starts = events[port]
                neuron = self._rows[reach.source][neuron] if reach.source in self._rows else neuron
                shape = (stop - first, reach.does.shape[0])
                sent = csr_array((np.ones(len(neuron), np.int64), reach.stretch[neuron], starts), shape=shape)
                table += (sent @ reach.does).toarray()
            found = table.reshape(stop - first, len(self.own), COLUMNS)
            for sender, reducer, messages in self._sums.tolist():
                partial = messages * (found[:, sender, EVENTS] > 0)
                found[:, sender, SENT] += partial
                found[:, reducer, PARTIALS] += partial
            yield found + self.constant

    def _projections(self, once: Sent) -> Iterator[Reach]:
        """Events of every projection that reaches, or leaves, one of the shards."""
        streams = Streams(self.streams.network, self.streams.ends, self.streams.pieces, 1, once)
        for p in self.streams.network.projections:
            if p.target in self.streams.ends and {p.source, p.target} & {*self._names}:
                axon, width, entries = [], [], []
                for stream in streams.events({p.name}):
                    kind = CONV_SYNOPS if stream.shared_kernels else SYNOPS
                    fan = stream.synops // stream.messages
                    ones = np.ones_like(fan)
                    axon.append(stream.axon)
                    width.append(stream.messages)
                    entries += [
                        (stream.axon, self._place[piece] * COLUMNS + column, does, self._place[piece] >= 0)
                        for piece, column, does in (
                            (stream.target, kind, fan), (stream.target, EVENTS, ones), (stream.source, SENT, ones)
                        )
                    ]  # fmt: skip
                if axon:
                    starts, first = np.unique(np.concatenate(axon), return_index=True)
                    ends = starts + np.concatenate(width)[first]
                    if (starts[1:] < ends[:-1]).any():
                        raise InternalError("ND9031", p.name, "an axon is counted by itself and with its neighbours")
                    yield from self._reach(p.source, p.source_port, starts, ends, entries)

    def _ports(self) -> Iterator[Reach]:
        """Spikes of the neurons, and the outputs that the host reads."""
        for name in self._names:
            population = self.streams.network.populations[name]
            pieces = self.streams.pieces
            homes = [i for i in self.own.tolist() if pieces[i].island == name and self.streams.home(pieces[i])]
            homes.sort(key=lambda i: pieces[i].rows)
            starts, ends = np.array([pieces[i].rows for i in homes], np.int64).reshape(-1, 2).T
            at, ones = self._place[homes] * COLUMNS, np.ones(len(homes), np.int64)
            for number, port in enumerate(output_ports(population)):
                words = 0 if number else self.streams.ends[name].outputs
                entries = [(starts, at + SPIKES, ones, ones > 0), (starts, at + SENT, words * ones, ones > 0)]
                yield from self._reach(name, port, starts, ends, entries)

    def _reach(
        self, source: str, port: str, starts: Ints, ends: Ints, entries: Sequence[tuple[Ints, ...]]
    ) -> Iterator[Reach]:
        from scipy.sparse import csr_array

        if (source, port) in self.raster and len(starts):
            axon, cell, does = (np.concatenate([entry[part][entry[3]] for entry in entries]) for part in range(3))
            shape = (len(starts) + 1, len(self.own) * COLUMNS)
            stretch = np.full(self.streams.network.populations[source].size, len(starts), np.int64)
            stretch[laid_out(starts, ends - starts)[1]] = np.repeat(np.arange(len(starts)), ends - starts)
            yield Reach(source, port, stretch, csr_array((does, (np.searchsorted(starts, axon), cell)), shape=shape))
