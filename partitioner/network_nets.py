"""The messages between the cores of a spiking network, as `Nets`.

A neuron's payload goes to every shard that holds synapses of it, projection by projection (unicast, as
`neurodeploy.accounting.network_work` counts it): one net for all neurons of a core that reach the same cores. Where two
shards of one core both need it, it is sent twice: a further net with that core alone. Inputs come from the host, outputs
return there, partial sums go from core to core::

    weight of a spike's net   = sum over its neurons of their messages in `per` steps
    weight of a partial sum   = rows * messages a row and step * per

By default every neuron sends once a step. With `PAIRS` or more pairs of an axon and a shard in one projection only some of
its axons are looked at, and theirs stand for all: `TileNets.notes` says so.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.flow.flows import Homes, flows, partial_sums
from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.flow.words import Piece
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.neurons.registry import every_neuron, output_ports
from neurodeploy.synapses import Conv, Sparse

#: Pairs of an axon and a shard in a projection from which on a sample stands for it.
PAIRS = 1 << 21

Sent = Table[str, Table[str, Ints]]


@dataclass(frozen=True, slots=True)
class _Laid:
    """Tiles in the place of a mapping's shards."""

    shards: Sequence[Piece]


@dataclass(frozen=True, eq=False)
class TileNets:
    """Nets between tiles; calling it with the core of each tile gives those between cores."""

    source: Ints
    indptr: Ints
    pins: Ints
    weight: Ints
    per: int
    notes: tuple[str, ...]

    def __call__(self, core: Ints) -> Nets:
        cores = int(core.max(initial=-1)) + 1
        places = np.append(core, HOST)  # the last one is where HOST looks
        fan = np.diff(self.indptr)
        net = np.repeat(np.arange(len(self.source), dtype=np.int64), fan)
        source, pin = places[self.source], places[self.pins]
        keep = pin != source[net]
        key, copies = np.unique(net[keep] * (cores + 1) + pin[keep] + 1, return_counts=True)
        net, pin = key // (cores + 1), key % (cores + 1) - 1
        twice = np.repeat(np.flatnonzero(copies > 1), copies[copies > 1] - 1)
        sizes = np.concatenate((np.bincount(net, minlength=len(self.source)), np.ones(len(twice), np.int64)))
        found = _merged(
            np.concatenate((source, source[net[twice]])),
            sizes,
            np.concatenate((pin, pin[twice])),
            np.concatenate((self.weight, self.weight[net[twice]])),
        )
        return Nets(cores, *found, self.per)


def nets_of_tiles(
    network: Network, pieces: Sequence[Piece], *, sent: Sent | None = None, per: int = 1, pairs: int = PAIRS
) -> TileNets:
    """The nets of tiles, or of a mapping's shards, of an arranged network.

    sent : population -> output port -> (size,) messages of each row in `per` steps; None: each sends `per`.
    pairs : of an axon and a shard in one projection, from which on a sample stands for it.
    """
    laid = _Laid(pieces)
    homes = Homes(network, laid)
    sent = every_neuron(network, per) if sent is None else sent
    every = samples(network, pieces, pairs)
    groups: list[tuple[Ints, Ints, Ints, Ints]] = []
    current: Projection | None = None
    held: list[tuple[Ints, Ints, Ints, Ints]] = []
    for flow in flows(network, laid, sent, homes, every):
        if flow.projection is not current and held:
            groups.append(_grouped(held))
            held = []
        current = flow.projection
        messages = flow.messages * every.get(current.name, 1)
        held.append((flow.axon, flow.source, flow.target, messages))
    if held:
        groups.append(_grouped(held))
    single = [(s, t, m * per) for s, t, m in partial_sums(network, laid, homes)]
    for index, piece in enumerate(pieces):
        if piece.island in network.outputs and homes.whole(piece):
            port = output_ports(network.populations[piece.island])[0]
            fired = sent.get(piece.island, {}).get(port)
            single.append((index, HOST, 0 if fired is None else int(fired[slice(*piece.rows)].sum())))
    lone = np.array(single, np.int64).reshape(-1, 3)
    groups.append((lone[:, 0], np.ones(len(lone), np.int64), lone[:, 1], lone[:, 2]))
    found = _merged(*(np.concatenate([group[i] for group in groups]) for i in range(4)))
    notes = tuple(f"{name}: one in {step} of its axons stands for all in the traffic" for name, step in every.items())
    return TileNets(*found, per, notes)


def samples(network: Network, pieces: Sequence[Piece], pairs: int = PAIRS) -> dict[str, int]:
    """Projections of which one axon in so many stands for all: those with more than `pairs` of an axon and a tile."""
    every = {p.name: _every(p, pieces, pairs) for p in network.projections}
    return {name: step for name, step in every.items() if step > 1}


def _every(p: Projection, pieces: Sequence[Piece], most: int) -> int:
    if isinstance(p.synapse, Conv):
        return 1
    tiles = sum(piece.island == p.target and piece.kind == "synapses" for piece in pieces)
    pairs = p.synapse.columns * tiles
    if isinstance(p.synapse, Sparse):
        pairs = min(pairs, int(p.synapse.indptr[-1]))
    return max(1, pairs // most)


def _grouped(held: list[tuple[Ints, Ints, Ints, Ints]]) -> tuple[Ints, Ints, Ints, Ints]:
    """(source, pins of each net, pins, weight): the axons of one projection, each a net of its own."""
    axon, source, target, messages = (np.concatenate([part[i] for part in held]) for i in range(4))
    keep = messages > 0
    order = np.lexsort((target[keep], axon[keep]))
    axon, source, target, messages = (a[keep][order] for a in (axon, source, target, messages))
    starts = np.flatnonzero(np.diff(axon, prepend=-1))
    sizes = np.diff(starts, append=len(axon)).astype(np.int64)
    made, indptr, pins, weight = _merged(source[starts], sizes, target, messages[starts])
    return made, np.diff(indptr), pins, weight


def _merged(source: Ints, sizes: Ints, pins: Ints, weight: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Nets of one source and the same pins added up; nets without pins or weight dropped. (source, indptr, pins, weight)

    Pins of a net ascend. Two sums of scrambled numbers, 128 bits together, stand for a set of pins; equal nets are then
    next to one another by source, sums and position, so that the order does not depend on anything else.
    """
    starts = np.cumsum(sizes) - sizes
    used = np.flatnonzero((sizes > 0) & (weight > 0))
    if not len(used):
        none = np.zeros(0, np.int64)
        return none, np.zeros(1, np.int64), none, none
    sums = [_sum_of(pins, starts, sizes, salt)[used] for salt in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)]
    order = np.lexsort((used, sums[1], sums[0], sizes[used], source[used]))
    keys = (source[used][order], sizes[used][order], sums[0][order], sums[1][order])
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    group = np.cumsum(fresh) - 1
    total = np.zeros(int(group[-1]) + 1, np.int64)
    np.add.at(total, group, weight[used][order])
    first = used[order[fresh]]  # positions ascend within a group, so this is its first net
    again = np.argsort(first, kind="stable")
    first, total = first[again], total[again]
    lengths = sizes[first]
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    taken = np.repeat(starts[first] - indptr[:-1], lengths) + np.arange(int(indptr[-1]), dtype=np.int64)
    return source[first], indptr, pins[taken], total


def _sum_of(pins: Ints, starts: Ints, sizes: Ints, salt: int) -> NDArray[np.uint64]:
    """Sum over the pins of each net of a scrambled pin (the finaliser of splitmix64), modulo 2**64."""
    x = (pins + 2).astype(np.uint64) * np.uint64(salt)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    ends = np.concatenate((np.zeros(1, np.uint64), np.cumsum(x, dtype=np.uint64)))
    return np.asarray(ends[starts + sizes] - ends[starts])
