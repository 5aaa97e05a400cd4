"""Messages between the shards of a mapped network: who sends to whom, how often, and how many synapses each drives.

A neuron's payload travels as one message to each shard that holds synapses of it (no multicast), projection by
projection; payloads of an input come from the host. Partial sums go from a shard with a part of the columns to the
reducers of its rows. Shards are numbered as in ``mapping.shards``; `HOST` stands for outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Table
from typing import NamedTuple, Protocol

import numpy as np

from neurodeploy.flow.routes import HOST
from neurodeploy.flow.words import Piece
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import INPUT, Network, Projection

#: Neighbouring axons that a sample takes at a time.
STRETCH = 256


class Pieces(Protocol):
    """A mapping, or anything else with its shards."""

    @property
    def shards(self) -> Sequence[Piece]: ...


class Flow(NamedTuple):
    """Some of the (axon, shard) pairs of one projection, equal lengths: `messages` of the axon's neuron from the shard
    `source` to the shard `target`, which drive `synops` synapses there."""

    projection: Projection
    axon: Ints
    source: Ints
    target: Ints
    messages: Ints
    synops: Ints


class Homes:
    """Where neurons live and synapses are stored, by number of shard."""

    def __init__(self, network: Network, mapping: Pieces) -> None:
        self.columns = {
            name: max(1, sum(p.synapse.columns for p in network.into(name))) for name in network.populations
        }
        self.of: dict[str, Ints] = {
            name: np.full(population.size, HOST, np.int64) for name, population in network.populations.items()
        }
        self.blocks: dict[str, dict[tuple[int, int], list[int]]] = {name: {} for name in network.populations}
        for index, shard in sorted(enumerate(mapping.shards), key=lambda pair: pair[1].rows):
            if shard.kind == "synapses":
                self.blocks[shard.island].setdefault(shard.cols, []).append(index)
            if self.whole(shard):
                self.of[shard.island][slice(*shard.rows)] = index

    def whole(self, shard: Piece) -> bool:
        """Whether the neurons of the shard's rows live there: a reducer, or a shard of all columns."""
        return shard.kind == "reducer" or shard.cols == (0, self.columns[shard.island])


def flows(
    network: Network,
    mapping: Pieces,
    sent: Table[str, Table[str, Ints]],
    homes: Homes | None = None,
    every: Table[str, int] | None = None,
) -> Iterator[Flow]:
    """All messages of spikes, projection by projection. `sent`: population -> output port -> (size,) messages a neuron
    (`NetworkActivity.fired`); what is missing sends nothing. `network` in the order of the mapping
    (`neurodeploy.ir.arrange.arranged`), `sent` too. every : projection -> k: a sample, of every k-th stretch of `STRETCH`
    axons; projections that it does not name are taken whole."""
    homes = homes or Homes(network, mapping)
    rows = np.array([shard.rows for shard in mapping.shards], np.int64).reshape(-1, 2)
    for name, population in network.populations.items():
        start = 0
        for p in network.into(name) if population.model != INPUT else ():
            fired = sent.get(p.source, {}).get(p.source_port)
            first, start = start, start + p.synapse.columns
            if fired is None or not fired.any():
                continue
            for (low, high), members in homes.blocks[name].items():
                columns = (max(low - first, 0), min(high - first, p.synapse.columns))
                index = np.array(members, np.int64)
                step = (every or {}).get(p.name, 1)
                for part in _stretches(*columns, step):
                    for touch in p.synapse.touches(rows[index], part):
                        messages = fired[touch.axon]
                        home = homes.of[p.source][touch.axon]
                        yield Flow(p, touch.axon, home, index[touch.tile], messages, messages * touch.fan)


def _stretches(first: int, last: int, every: int) -> Iterator[tuple[int, int]]:
    if every == 1:
        yield first, last
        return
    for start in range(first, last, STRETCH * every):
        yield start, min(start + STRETCH, last)


class Entries:
    """Which (axon, chip) pairs of a projection have had their message from the host: one a chip, however many of its tiles
    read the axon and in however many flows they come."""

    def __init__(self, chips: int) -> None:
        self.chips = chips
        self.known: dict[str, Ints] = {}

    def fresh(self, projection: str, axon: Ints, chip: Ints) -> Ints:
        """The places in `axon` and `chip` (equal lengths) where a pair stands for the first time; they are known then."""
        before = self.known.get(projection, np.zeros(0, np.int64))
        keys, first = np.unique(axon * self.chips + chip, return_index=True)
        new = ~np.isin(keys, before, assume_unique=True)
        self.known[projection] = np.concatenate((before, keys[new]))
        return np.asarray(first[new])


def sum_messages(projections: Iterable[Projection], columns: tuple[int, int]) -> int:
    """Messages a row and step of a shard with a part of the columns of these projections, one after the other: one for each
    projection that it touches and each of its delay slots, since a sum of synapses has 32 bits and so has a message."""
    found, start = 0, 0
    for p in projections:
        if start < columns[1] and start + p.synapse.columns > columns[0]:
            found += max(1, p.depth)
        start += p.synapse.columns
    return found


def partial_sums(network: Network, mapping: Pieces, homes: Homes) -> Iterator[tuple[int, int, int]]:
    """(shard, reducer, messages a step) of every shard with a part of the columns and every reducer of its rows."""
    adders: dict[str, list[int]] = {}
    for index, shard in enumerate(mapping.shards):
        if shard.kind == "reducer":
            adders.setdefault(shard.island, []).append(index)
    for index, shard in enumerate(mapping.shards):
        if not homes.whole(shard):
            words = sum_messages(network.into(shard.island), shard.cols)
            for reducer in adders.get(shard.island, []):
                other = mapping.shards[reducer].rows
                rows = min(shard.rows[1], other[1]) - max(shard.rows[0], other[0])
                if rows > 0:
                    yield index, reducer, rows * words
