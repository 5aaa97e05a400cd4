"""Tiles of equal demand packed by the number: first fit decreasing over classes, as if all were packed one by one.

A filling of a core is found once and repeated while tiles last, so that the work grows with the number of distinct
demands and not with the number of tiles. Integers only: a fullness is compared as a fraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from partitioner.cost.budget import Demand, Limits, room_of


class Filling(NamedTuple):
    """`times` cores hold so many tiles of each demand."""

    tiles: Mapping[Demand, int]
    times: int


def fullness(demand: Demand, limits: Limits) -> Fraction:
    """The largest part of a budget that the demand takes."""
    return max(
        (Fraction(used, limit) for used, limit in zip(demand, limits, strict=True) if limit), default=Fraction(0)
    )


def pack(tiles: Mapping[Demand, int], limits: Limits) -> list[Filling]:
    """Fillings that hold all tiles. Every demand must fit a core alone."""
    left = {demand: count for demand, count in tiles.items() if count}
    order = sorted(left, key=lambda demand: (-fullness(demand, limits), demand))
    found: list[Filling] = []
    while left:
        free = room_of(limits)
        here: dict[Demand, int] = {}
        for demand in order:
            if demand not in left:
                continue
            room = min(have // need for have, need in zip(free, demand, strict=True) if need)
            count = min(left[demand], room)
            if count:
                here[demand] = count
                free = [have - count * need for have, need in zip(free, demand, strict=True)]
        times = min(left[demand] // count for demand, count in here.items())
        for demand, count in here.items():
            left[demand] -= times * count
            if not left[demand]:
                del left[demand]
        found.append(Filling(here, times))
    return found


def cores(fillings: Sequence[Filling]) -> int:
    return sum(filling.times for filling in fillings)


def assign(demands: Sequence[Demand], limits: Limits) -> list[int]:
    """The core of each tile of one unit under the same packing; cores numbered in the order of their first tile."""
    waiting: dict[Demand, list[int]] = {}
    for index in range(len(demands) - 1, -1, -1):
        waiting.setdefault(demands[index], []).append(index)
    groups: list[list[int]] = []
    for filling in pack(Counter(demands), limits):
        for _ in range(filling.times):
            groups.append([waiting[d].pop() for d, count in filling.tiles.items() for _ in range(count)])
    core_of = [0] * len(demands)
    for core, group in enumerate(sorted(groups, key=min)):
        for index in group:
            core_of[index] = core
    return core_of
