"""Pack: tiles that are small enough share a core. Vectors of five resources, so vector bin packing.

Sizes are integers: the part of a limit that a demand takes, in 2**-20, and the largest of the five decides what is big.

1. A tile that leaves no room for any other (`_alone`) has a core to itself. Of a large model these are almost all.
2. Three strategies pack the rest. "walk" is first fit within a chip, chip after chip: as local as it gets, and the measure
   that nothing may fall below. "window" goes through the tiles in order and fills each core from the next few hundred of
   them, the one that fills most first. "best" is best fit decreasing over all cores.
3. The best is improved by emptying cores, lightest first, into the room of others, by moves and by swaps.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from partitioner.bound.packing import lower_bound
from partitioner.cost.budget import OPEN, Limits, room_of
from partitioner.pack.exchange import ONE, Tools, empty_cores

#: How many of the next tiles may fill a core.
WINDOW = 384
#: With more tiles that may share than this, packing ends where the bound is reached; else messages choose among equals.
MANY = 20_000
#: How many cores that look too full by their scarcest resource are looked at all the same.
PROBES = 24


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Core of every tile, numbered by where their largest tiles stand in the order of tiles."""

    core: Ints
    cores: int
    strategy: str


def shares(demand: Ints, limits: Limits) -> Ints:
    """(tiles, 5): the part of each limit that a tile takes, in 2**-20, rounded up; 0 of an unknown limit."""
    known = np.array([0 if limit is None else limit for limit in limits], np.int64)
    parts = -((-demand * ONE) // np.maximum(known, 1))
    return np.asarray(np.where([limit is None for limit in limits], 0, parts))


def pack(
    demand: Ints,
    limits: Limits,
    kinds: Ints,
    cores_per_chip: int,
    deadline: float | None = None,
    *,
    groups: Ints | None = None,
) -> tuple[list[Packing], tuple[str, ...]]:
    """Different packings, the most local first, and notes.

    demand : (tiles, 5) int64. kinds : (tiles,) int64; tiles of different kinds never share a core. groups : (tiles,) int64,
    0 or the number of a group to keep together: then there are also packings where no core has tiles of two groups.
    Raises InternalError ND9006 where a tile exceeds a core: the split must not leave such.
    """
    room = np.array(room_of(limits), np.int64)
    over = np.flatnonzero((demand > room).any(axis=1))
    if len(over):
        raise InternalError("ND9006", f"tile {over[0]}", f"{demand[over[0]].tolist()} exceed a core's {room.tolist()}")
    size = shares(demand, limits).max(axis=1, initial=0)
    small = np.flatnonzero(~_alone(demand, room, kinds))
    if not len(small):
        return [Packing(np.arange(len(demand)), len(demand), "alone")], ()
    bound = lower_bound(demand, limits, kinds)
    found: list[Packing] = []
    notes: list[str] = []
    for by in (None, groups) if groups is not None and groups.any() else (None,):
        keys = kinds if by is None else np.unique(kinds * (int(by.max()) + 1) + by, return_inverse=True)[1]
        tools = Tools(demand, room, keys.astype(np.int64), size, kinds, None if by is None else by == 0)
        found += _strategies(tools, small, cores_per_chip, bound, deadline, notes)
    unique: dict[bytes, Packing] = {}
    for packing in found:
        unique.setdefault(packing.core.tobytes(), packing)
    return list(unique.values()), tuple(dict.fromkeys(notes))


def _strategies(
    t: Tools, small: Ints, cores_per_chip: int, bound: int, deadline: float | None, notes: list[str]
) -> list[Packing]:
    """One packing of each strategy, and the best of them after its cores were emptied; `small` tiles may share cores."""
    strategies: list[tuple[str, Callable[[], Ints]]] = [
        ("walk", lambda: _walk(t, small, cores_per_chip)),
        ("window", lambda: _window(t, small)),
        ("best", lambda: _best(t, small)),
    ]
    end = "" if t.loose is None else " by groups"
    found: list[Packing] = []
    for name, strategy in strategies:
        if found and len(small) > MANY and min(packing.cores for packing in found) == bound:
            break
        if found and deadline is not None and time.monotonic() > deadline:
            notes.append(f"packing was cut short before the strategy {name!r}")
            break
        found.append(_numbered(strategy(), t.size, name + end))
    best = min(found, key=lambda packing: packing.cores)
    if best.cores > bound:
        core = np.unique(best.core[small], return_inverse=True)[1].astype(np.int64)
        less, ended = empty_cores(t.of(small), core, best.cores - bound, deadline)
        if ended:
            notes.append("packing was cut short while it emptied cores")
        shared = np.full(len(t.demand), -1, np.int64)
        shared[small] = less
        found.append(_numbered(_with_alone(shared, int(less.max()) + 1), t.size, f"{best.strategy}, emptied"))
    return found


def spread(packing: Packing, demand: Ints, limits: Limits, free: int) -> Packing:
    """Up to `free` more cores: again and again the fullest core that several tiles share gives half of them away."""
    size = shares(demand, limits)
    core = packing.core.copy()
    order = np.argsort(core, kind="stable")
    held = {c: tiles.tolist() for c, tiles in enumerate(np.split(order, np.cumsum(np.bincount(core))[:-1]))}
    heap = [(-int(size[tiles].sum(axis=0).max()), c) for c, tiles in held.items() if len(tiles) > 1]
    heapify(heap)
    count = packing.cores
    while heap and count < packing.cores + free:
        _, c = heappop(heap)
        halves: list[list[int]] = [[], []]
        loads = np.zeros((2, size.shape[1]), np.int64)
        for tile in sorted(held[c], key=lambda t: (-int(size[t].max()), t)):
            lighter = int(loads[1].max() < loads[0].max())
            halves[lighter].append(tile)
            loads[lighter] += size[tile]
        held[c], held[count] = halves
        core[halves[1]] = count
        for index in (c, count):
            if len(held[index]) > 1:
                heappush(heap, (-int(size[held[index]].sum(axis=0).max()), index))
        count += 1
    return _numbered(core, size.max(axis=1), f"{packing.strategy}, spread")


def _alone(demand: Ints, room: Ints, keys: Ints) -> NDArray[np.bool_]:
    """Tiles that not even the least of every resource among tiles of their key fits beside."""
    found = np.ones(len(demand), np.bool_)
    for key in np.unique(keys):
        own = np.flatnonzero(keys == key)
        if len(own) > 1:
            found[own] = (demand[own] + demand[own].min(axis=0) > room).any(axis=1)
    return found


def _numbered(core: Ints, size: Ints, strategy: str) -> Packing:
    """Number cores by the position of the largest tile of each, the first of equals."""
    order = np.lexsort((np.arange(len(core)), -size, core))
    heads = order[np.concatenate(([True], core[order][1:] != core[order][:-1]))]
    number = np.empty(int(core.max()) + 1, np.int64)
    number[core[np.sort(heads)]] = np.arange(len(heads))
    return Packing(number[core], len(heads), strategy)


def _walk(t: Tools, small: Ints, cores_per_chip: int) -> Ints:
    """First fit among the cores of the present chip, else a new core, else the next chip."""
    core = np.empty(len(t.demand), np.int64)
    shareable = np.zeros(len(t.demand), np.bool_)
    shareable[small] = True
    free = np.empty((cores_per_chip, len(t.room)), np.int64)
    owner = np.empty(cores_per_chip, np.int64)
    begin = opened = shared = 0  # cores before this chip, cores of this chip, those of them in `free`
    numbers = np.empty(cores_per_chip, np.int64)
    keys, flags = t.keys.tolist(), shareable.tolist()
    for tile in range(len(t.demand)):
        if flags[tile]:
            fit = (owner[:shared] == keys[tile]) & (free[:shared] >= t.demand[tile]).all(axis=1)
            at = int(fit.argmax()) if shared else 0
            if shared and fit[at]:
                free[at] -= t.demand[tile]
                core[tile] = numbers[at]
                continue
        if opened == cores_per_chip:
            begin, opened, shared = begin + opened, 0, 0
        core[tile] = begin + opened
        if flags[tile]:
            free[shared], owner[shared], numbers[shared] = t.room - t.demand[tile], keys[tile], begin + opened
            shared += 1
        opened += 1
    return core


def _window(t: Tools, small: Ints) -> Ints:
    """Core after core in the order of tiles: the first that is left, then what fills most among the next `WINDOW`."""
    core = np.full(len(t.demand), -1, np.int64)
    left = small
    count = 0
    while len(left):
        near = left[:WINDOW]
        taken = np.zeros(len(near), np.bool_)
        # A window serves until half of it is used: then the tiles behind it move up.
        while not taken.all() and (len(left) <= WINDOW or 2 * int(taken.sum()) < len(near)):
            head = int((~taken).argmax())
            free, key = t.room.copy(), t.keys[near[head]]
            pick = head
            while True:
                taken[pick] = True
                core[near[pick]] = count
                free -= t.demand[near[pick]]
                fit = ~taken & (t.keys[near] == key) & (t.demand[near] <= free).all(axis=1)
                if not fit.any():
                    break
                pick = int(np.where(fit, t.size[near], -1).argmax())
            count += 1
        left = np.concatenate((near[~taken], left[WINDOW:]))
    return _with_alone(core, count)


def _best(t: Tools, small: Ints) -> Ints:
    """Best fit decreasing: the fullest core that takes the tile, by the scarcest resource of what each core has left."""
    core = np.full(len(t.demand), -1, np.int64)
    least = t.demand[small].min(axis=0)
    scale = [(r, limit) for r, limit in enumerate(t.room.tolist()) if 0 < limit < OPEN]
    free = np.empty((len(small), len(t.room)), np.int64)
    count = 0
    lists: dict[int, list[tuple[int, int]]] = {}
    for tile in small[np.argsort(-t.size[small], kind="stable")].tolist():
        demand = t.demand[tile]
        cores = lists.setdefault(int(t.keys[tile]), [])
        at = bisect_left(cores, (int(t.size[tile]), -1))
        if at:  # the scarcest resource of a core may be one that this tile hardly asks for
            near = [index for _, index in cores[max(0, at - PROBES) : at]]
            fit = (free[near] >= demand).all(axis=1)
            at = at - len(near) + int(fit.argmax()) if fit.any() else at
        if at < len(cores):
            index = cores.pop(at)[1]
            free[index] -= demand
        else:
            index, count = count, count + 1
            free[index] = t.room - demand
        core[tile] = index
        rest = free[index]
        if (least <= rest).all():
            insort(cores, (min((int(rest[r]) * ONE // limit for r, limit in scale), default=ONE), index))
    return _with_alone(core, count)


def _with_alone(core: Ints, count: int) -> Ints:
    rest = np.flatnonzero(core < 0)
    core[rest] = count + np.arange(len(rest))
    return core
