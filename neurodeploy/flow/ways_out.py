"""`WaysOut`: what waits behind one another on the way out of a sender, and what reaches a core first.

A core takes the messages of a step in one after another, each in the time of its synapses. Until then a message lies on
the links of its way: its sender's way out, one a hop, its target's way in. It holds each of them for its share of that
time, ``1 / (hops + 2)``, and messages of one sender wait for one another there, wherever they go::

    way out of a sender = sum over its messages of (what their target does for them) / (hops + 2)

Found with micro networks run through SANA-FE 2.2.9 (Boyle et al., IEEE TCAD 44(8) 2025; outside process), whose time of one
sender and up to four receivers on one tile is this within 3 %. Links between routers, which several senders share, hold
messages as well: there it is slower than this by up to 40 %.

The first message of a step is there when its neuron was updated and its spike and message have left, and the hops are done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from neurodeploy.flow.joined import Stream
from neurodeploy.flow.loads import COLUMNS, WORK
from neurodeploy.flow.routes import HOST, Routes
from neurodeploy.flow.words import Piece
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints

FIRST, WAITS = slice(1, 5), slice(5, 8)


class WaysOut:
    """Of these pieces, on the cores of `routes`, and of the host.

    table : (pieces, 8) the columns of `flow.loads.WORK` behind those that are counted: 0 idle neurons; `FIRST`, of the first
        message of a step that arrives, itself, an update where a neuron sends it, its hops; `WAITS`, of the messages that
        leave, over the links of their ways, themselves, their synops, those of convolutions.
    fed : by population what the host sends to it: messages, then as `WAITS`.
    """

    def __init__(self, routes: Routes, pieces: Sequence[Piece], chip: ChipSpec) -> None:
        self.routes, self.pieces, self.asked = routes, pieces, bool(chip.pace.way_out)
        self.table = np.zeros((len(pieces), len(WORK) - COLUMNS))
        self.fed: defaultdict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(4))
        self._soonest = np.full(len(pieces), np.inf)
        keys = ("t_hop_ew_s", "t_hop_ns_s", "t_neuron_s", "t_spike_out_s")
        self._times = [chip.costs[key].nominal if self.asked else 0.0 for key in keys]

    def of(self, events: Iterable[Stream]) -> Iterator[Stream]:
        """The same events, each counted on its way; nothing is where the chip does not ask."""
        for stream in events:
            if self.asked and stream.messages.any():
                self._add(stream)
            yield stream

    def fed_to(self, names: Iterable[str], ticks: int) -> tuple[float, ...]:
        """What the host sends to these populations in one of so many steps."""
        return tuple((np.sum([self.fed[name] for name in names], axis=0) / ticks).tolist())

    def each(self, own: Ints, ticks: int) -> NDArray[np.float64]:
        """(own, 8) of these pieces in one of so many steps, the mean; of the first message, that of every step."""
        found = self.table[own] / ticks
        found[:, FIRST] = self.table[own, FIRST]
        return found

    def _add(self, stream: Stream) -> None:
        some = np.flatnonzero(stream.messages)
        source, target = stream.source[some], stream.target[some]
        hops, inside = self.routes.mesh(source, target), source != HOST
        links = hops.sum(axis=1) + self.routes.grid(source, target) + 2
        waits = np.zeros((len(some), 3))
        waits[:, 0] = stream.messages[some] / links
        waits[:, 2 if stream.shared_kernels else 1] = stream.synops[some] / links
        np.add.at(self.table[:, WAITS], source[inside], waits[inside])
        fed = self.fed[self.pieces[target[0]].island]
        fed += [stream.messages[some][~inside].sum(), *waits[~inside].sum(axis=0)]
        self._arrive(target, hops, inside)

    def _arrive(self, target: Ints, hops: Ints, fired: NDArray[np.bool_]) -> None:
        """Of the messages to each target, the one that is there first."""
        ew, ns, update, spike = self._times
        seconds = hops @ np.array([ew, ns]) + fired * (update + spike)
        order = np.lexsort((seconds, target))
        for at in order[np.flatnonzero(np.diff(target[order], prepend=-1))].tolist():
            if seconds[at] < self._soonest[target[at]]:
                self._soonest[target[at]] = seconds[at]
                self.table[target[at], FIRST] = (1, fired[at], *hops[at])
