"""Which units leave the chips: an exact choice, by dynamic programming over cores.

Given units of a size (cores, in parts) and a price (joules that it costs to move the unit to the host, below zero where
the host is cheaper), find the set that leaves so that

1. what stays fits: the sum of the sizes that stay is at most `capacity`;
2. nothing leaves that need not: no unit that left would still fit beside what stays;
3. the sum of the prices of what leaves is the least of all sets with 1 and 2.

Without rule 2 a host that is cheaper by the joule would empty the chips that the user asked to use. The rule makes the
problem a knapsack with a window: if the smallest unit that leaves has size s, then every smaller unit stays, and what
stays fills more than ``capacity - s``. So one pass over the sizes, largest first, with the cost of every filling so far,
and at each size a look at its window: O(classes * log(units of a class) * capacity). Units of equal size and price are one
class, which is entered as bundles of 1, 2, 4, ... units; the last units of a class leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints

#: Parts of a core in which sizes are counted.
PARTS = 64
#: A filling that cannot be reached; prices are far below.
_NEVER = np.int64(2**62)


@dataclass(frozen=True, slots=True)
class _Class:
    size: int
    price: int
    members: tuple[int, ...]


def parts_of_core(cores: int, fillings: int) -> int:
    """`PARTS`, fewer where the table of all fillings of so many cores would have more entries than `fillings`."""
    parts = PARTS
    while parts > 1 and cores * parts > fillings:
        parts //= 2
    return parts


def choose(sizes: Sequence[int], prices: Sequence[int], capacity: int) -> tuple[int, ...]:
    """Indices of the units that leave, ascending; empty where all fit. Sizes are at least 1, `capacity` at least 0."""
    if sum(sizes) <= capacity:
        return ()
    classes = _classes(sizes, prices)
    below = [0] * len(classes)  # cores of all classes smaller than this one and those after it of its size
    for index in range(len(classes) - 2, -1, -1):
        below[index] = below[index + 1] + classes[index + 1].size * len(classes[index + 1].members)
    costs: Ints = np.full(capacity + 1, _NEVER)
    costs[0] = 0
    kept: list[list[tuple[int, NDArray[np.uint8]]]] = []
    best: tuple[int, int, int] | None = None
    best_last: list[tuple[int, NDArray[np.uint8]]] = []
    for index, item in enumerate(classes):
        # this class is the last of which anything leaves: one unit for certain, the others as is best
        forced, trail = _bundles(costs + (costs < _NEVER) * item.price, item, len(item.members) - 1)
        low, high = max(0, capacity - item.size + 1 - below[index]), capacity - below[index]
        # smaller classes stay whole; of those of the same size that follow, leaving would change nothing but the price
        if high >= 0:
            at = low + int(forced[low : high + 1].argmin())
            if forced[at] < _NEVER and (best is None or forced[at] < best[0]):
                best, best_last = (int(forced[at]), index, at), trail
        costs, trail = _bundles(costs, item, len(item.members))
        kept.append(trail)
    assert best is not None
    return _trace(classes, kept, best_last, best[1], best[2])


def _classes(sizes: Sequence[int], prices: Sequence[int]) -> list[_Class]:
    """Largest first; of one size the cheapest to keep last."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, key in enumerate(zip(sizes, prices, strict=True)):
        found[key].append(index)
    return [
        _Class(size, price, tuple(found[size, price])) for size, price in sorted(found, key=lambda k: (-k[0], k[1]))
    ]


def _bundles(costs: Ints, item: _Class, count: int) -> tuple[Ints, list[tuple[int, NDArray[np.uint8]]]]:
    """Let 0 to `count` units of a class stay: the new costs by filling, and for each bundle where it stays (bits)."""
    trail = []
    bundle = 1
    while count > 0:
        units = min(bundle, count)
        leave = np.where(costs < _NEVER, costs + units * item.price, _NEVER)
        stay = np.full_like(costs, _NEVER)
        size = units * item.size
        if size < len(costs):
            stay[size:] = costs[: len(costs) - size]
        stays = stay <= leave
        costs = np.where(stays, stay, leave)
        trail.append((units, np.packbits(stays & (stay < _NEVER))))
        count -= units
        bundle *= 2
    return costs, trail


def _trace(
    classes: list[_Class],
    kept: list[list[tuple[int, NDArray[np.uint8]]]],
    last_trail: list[tuple[int, NDArray[np.uint8]]],
    last: int,
    filling: int,
) -> tuple[int, ...]:
    """Back from a filling to the units that left."""
    gone: list[int] = []
    for index in range(last, -1, -1):
        item, trail = classes[index], last_trail if index == last else kept[index]
        stays = 0
        for units, bits in reversed(trail):
            if bits[filling >> 3] >> (7 - (filling & 7)) & 1:
                stays += units
                filling -= units * item.size
        gone.extend(item.members[stays:])
    return tuple(sorted(gone))
