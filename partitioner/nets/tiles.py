"""The messages between the cores that tiles lie on, as `Nets`: one net for all axons of a core that reach the same cores.

What the host sends enters a core once. Where two tiles of one core need the message of a neuron, it is sent twice: a further
net with that core alone. A message within a core is in no net.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.flow.joined import Stream
from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.flow.streams import Streams
from neurodeploy.ir.arrange import laid_out
from neurodeploy.ir.fixedpoint import Ints


@dataclass(frozen=True, eq=False)
class TileNets:
    """Nets between tiles; calling it with the core of each tile gives those between cores."""

    source: Ints
    indptr: Ints
    pins: Ints
    weight: Ints
    per: int

    def __call__(self, core: Ints) -> Nets:
        cores = int(core.max(initial=-1)) + 1
        places = np.append(core, HOST)  # the last one is where HOST looks
        fan = np.diff(self.indptr)
        net = np.repeat(np.arange(len(self.source), dtype=np.int64), fan)
        source, pin = places[self.source], places[self.pins]
        keep = pin != source[net]
        key, copies = np.unique(net[keep] * (cores + 1) + pin[keep] + 1, return_counts=True)
        net, pin = key // (cores + 1), key % (cores + 1) - 1
        again = np.where(source[net] == HOST, 0, copies - 1)
        twice = np.repeat(np.arange(len(copies)), again)
        sizes = np.concatenate((np.bincount(net, minlength=len(self.source)), np.ones(len(twice), np.int64)))
        found = _merged(
            np.concatenate((source, source[net[twice]])),
            sizes,
            np.concatenate((pin, pin[twice])),
            np.concatenate((self.weight, self.weight[net[twice]])),
        )
        return Nets(cores, *found, self.per)


def nets_of_tiles(streams: Streams) -> TileNets:
    """The nets of tiles, or of a mapping's shards."""
    groups: list[tuple[Ints, Ints, Ints, Ints]] = []
    current: str | None = None
    held: list[Stream] = []
    for stream in streams.events():
        if stream.name != current and held:
            groups.append(_grouped(held))
            held = []
        current = stream.name
        held.append(stream)
    if held:
        groups.append(_grouped(held))
    lone = np.concatenate((streams.partial_sums, streams.outputs))
    groups.append((lone[:, 0], np.ones(len(lone), np.int64), lone[:, 1], lone[:, 2]))
    found = _merged(*(np.concatenate([group[i] for group in groups]) for i in range(4)))
    return TileNets(*found, streams.per)


def _grouped(held: list[Stream]) -> tuple[Ints, Ints, Ints, Ints]:
    """(source, pins of each net, pins, weight): the axons of one projection, each a net of its own."""
    parts = [(s.axon, s.source, s.target, s.messages) for s in held]
    axon, source, target, messages = (np.concatenate([part[i] for part in parts]) for i in range(4))
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
    indptr, taken = laid_out(starts[first], sizes[first])
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
