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
