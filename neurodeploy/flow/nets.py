"""`Nets`: the messages between cores, as placing, judging and drawing need them. Integers only.

A net is what one group of axons sends: from one core (or the host) to a set of cores. All axons with the same source and
the same destinations are one net, and its weight is their messages in `per` time steps (tokens of a language model).
Cores are *logical*: numbered as they were packed, without a place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.ir.fixedpoint import Ints


@dataclass(frozen=True, eq=False)
class Nets:
    """Net k goes from core ``source[k]`` to the cores ``pins[indptr[k]:indptr[k + 1]]`` (ascending, without the source,
    `HOST` possible and then first), with ``weight[k]`` > 0 messages in `per` steps. `cores` is how many there are.
    """

    cores: int
    source: Ints
    indptr: Ints
    pins: Ints
    weight: Ints
    per: int = 1

    def pairs(self) -> tuple[Ints, Ints, Ints]:
        """(source, target, messages) of every pair of different cores that exchanges messages, each pair once a
        direction: a unicast to each destination. Sorted by source, then target; the host is `HOST`."""
        fan = np.diff(self.indptr)
        source, weight = np.repeat(self.source, fan), np.repeat(self.weight, fan)
        return merge_pairs(source, self.pins, weight, self.cores)


def merge_pairs(source: Ints, target: Ints, weight: Ints, cores: int) -> tuple[Ints, Ints, Ints]:
    """Equal (source, target) pairs added up and sorted; pairs of a core with itself are dropped."""
    keep = source != target
    key = (source[keep] + 1) * (cores + 1) + target[keep] + 1
    unique, inverse = np.unique(key, return_inverse=True)
    total = np.zeros(len(unique), np.int64)
    np.add.at(total, inverse, weight[keep])
    return unique // (cores + 1) - 1, unique % (cores + 1) - 1, total


def make_nets(cores: int, source: Ints, target: Ints, axon: Ints, weight: Ints, per: int = 1) -> Nets:
    """Nets from single messages: axon `axon[i]` (any number that names the sender's axon; one source an axon) sends
    ``weight[i]`` messages to the core ``target[i]``. An axon's weight must be the same towards all its targets.
    """
    keep = (source != target) & (weight > 0)
    source, target, axon, weight = source[keep], target[keep], axon[keep], weight[keep]
    if not len(axon):
        none = np.zeros(0, np.int64)
        return Nets(cores, none, np.zeros(1, np.int64), none, none, per)
    order = np.lexsort((target, axon))
    source, target, axon, weight = source[order], target[order], axon[order], weight[order]
    fresh = np.ones(len(axon), np.bool_)
    fresh[1:] = (axon[1:] != axon[:-1]) | (target[1:] != target[:-1])
    source, target, axon, weight = source[fresh], target[fresh], axon[fresh], weight[fresh]
    starts = np.flatnonzero(np.concatenate(([True], axon[1:] != axon[:-1])))
    ends = np.concatenate((starts[1:], [len(axon)]))
    merged: dict[tuple[int, bytes], int] = {}
    for start, stop in zip(starts.tolist(), ends.tolist(), strict=True):
        key = (int(source[start]), target[start:stop].tobytes())
        merged[key] = merged.get(key, 0) + int(weight[start])
    keys = sorted(merged)
    pins = [np.frombuffer(key[1], np.int64) for key in keys]
    indptr = np.concatenate(([0], np.cumsum([len(p) for p in pins]))).astype(np.int64)
    return Nets(
        cores,
        np.array([key[0] for key in keys], np.int64),
        indptr,
        np.concatenate(pins),
        np.array([merged[key] for key in keys], np.int64),
        per,
    )
