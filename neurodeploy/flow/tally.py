"""Where the messages between the shards of a mapping go: hops, what passes the ports and the border, ways between chips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from neurodeploy.flow.border import Entries
from neurodeploy.flow.joined import Stream
from neurodeploy.flow.routes import HOST, HOST_CHIP, Routes
from neurodeploy.flow.streams import Streams
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints


class Tally:
    """Messages of one population, or of several, between the numbered cores of `routes`: hops, loads of ports, ways over the
    grid.

    crossing : over the border, each once; entering : once for each chip; deliveries : partial sums and outputs included.
    ports : (chips,) messages through the port of each chip. direct, hosts : (source chip, target chip) -> messages between
    cores, and from or to the host. origin : the chip from where the host's come. returns : whether outputs travel back.
    """

    def __init__(self, routes: Routes, chips: int, origin: int = HOST_CHIP, returns: bool = True) -> None:
        self.routes, self.origin, self.returns = routes, origin, returns
        self.deliveries = self.crossing = self.entering = self.leaving = self.hops_ew = self.hops_ns = 0
        self.interchip = self.interchip_least = 0
        self.ports: Ints = np.zeros(chips, np.int64)
        self.direct: dict[tuple[int, int], int] = {}
        self.hosts: dict[tuple[int, int], int] = {}

    def send(self, source: Ints, target: Ints, messages: Ints) -> None:
        """From core to core: straight across one mesh, or from port to port between chips."""
        source, target, messages = _added(source, target, messages)
        self._deliver(source, target, messages)
        chip = self.routes.chip
        far = np.flatnonzero(chip[source] != chip[target])
        for ends in (source, target):
            np.add.at(self.ports, chip[ends[far]], messages[far])
        self.interchip_least += self._travel(self.direct, chip[source[far]], chip[target[far]], messages[far])

    def receive(self, target: Ints, messages: Ints) -> None:
        """From the port of their chip to cores: no multicast, so one message for each event and core."""
        self._deliver(np.full_like(target, HOST), target, messages)
        np.add.at(self.ports, self.routes.chip[target], messages)

    def enter(self, target: Ints, messages: Ints) -> None:
        """From the origin to the port of the chip of each of these cores: one message for each event and chip."""
        self.entering += int(messages.sum())
        chip = self.routes.chip[target]
        self._travel(self.hosts, np.full_like(chip, self.origin), chip, messages)

    def leave(self, source: Ints, host: Ints, messages: Ints) -> None:
        """From cores to the port of their chip, and back to the origin where outputs return."""
        self._deliver(source, host, messages)
        self.leaving += int(messages.sum())
        chip = self.routes.chip[source]
        np.add.at(self.ports, chip, messages)
        if self.returns:
            self._travel(self.hosts, chip, np.full_like(chip, self.origin), messages)

    def _deliver(self, source: Ints, target: Ints, messages: Ints) -> None:
        east_west, north_south = messages @ self.routes.mesh(source, target)
        self.deliveries += int(messages.sum())
        self.hops_ew, self.hops_ns = self.hops_ew + int(east_west), self.hops_ns + int(north_south)

    def _travel(self, pairs: dict[tuple[int, int], int], source: Ints, target: Ints, messages: Ints) -> int:
        """Between chips."""
        far = np.flatnonzero(source != target)
        source, target, messages = source[far], target[far], messages[far]
        if not len(far):
            return 0
        source, target, messages = _added(source, target, messages)
        for a, b, count in zip(source.tolist(), target.tolist(), messages.tolist(), strict=True):
            pairs[a, b] = pairs.get((a, b), 0) + count
        links = int(messages @ self.routes.links(source, target))
        self.interchip += links
        return links


def _added(source: Ints, target: Ints, messages: Ints) -> tuple[Ints, Ints, Ints]:
    """Each pair once, with all its messages, ascending."""
    if not len(source):
        return source, target, messages
    width = int(target.max()) + 2  # `HOST` is -1
    key, index = np.unique(source * width + target + 1, return_inverse=True)
    total = np.zeros(len(key), np.int64)
    np.add.at(total, index.reshape(-1), messages)
    return key // width, key % width - 1, total


def tallied(streams: Streams, traffic: Mapping[str, Tally], system: SystemSpec) -> Iterator[Stream]:
    """The events of these streams, all messages added to the `traffic` of each population: what arrives at it, and, when the
    events are through, the partial sums and what it returns to the host."""
    border, chips, cores = Entries(1), Entries(system.chips), Entries(system.chips * system.chip.cores)
    names = [piece.island for piece in streams.pieces]
    for stream in streams.events():
        if len(stream.target):
            own, outside = traffic[names[stream.target[0]]], stream.source == HOST
            own.send(stream.source[~outside], stream.target[~outside], stream.messages[~outside])
            if not outside.any():
                yield stream
                continue
            axon, target, messages = stream.axon[outside], stream.target[outside], stream.messages[outside]
            chip, core = own.routes.chip[target], own.routes.core[target]
            own.crossing += int(messages[border.fresh(stream.name, axon, np.zeros_like(axon))].sum())
            for entries, place, arrive in (
                (cores, chip * system.chip.cores + core, own.receive),
                (chips, chip, own.enter),
            ):
                first = entries.fresh(stream.name, axon, place)
                arrive(target[first], messages[first])
        yield stream
    number = {name: k for k, name in enumerate(traffic)}
    of_piece = np.array([number[name] for name in names], np.int64)
    for rows, add in ((streams.partial_sums, Tally.send), (streams.outputs, Tally.leave)):
        order = np.argsort(of_piece[rows[:, 0]], kind="stable")
        ends = np.searchsorted(of_piece[rows[order, 0]], np.arange(len(number) + 1))
        for own, first, last in zip(traffic.values(), ends, ends[1:], strict=False):
            add(own, *rows[order[first:last]].T)
