"""Close the gap between a packing and its bound: empty the lightest cores into the room that others have left."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.budget import OPEN

#: Shares are counted in 2**-20.
ONE = 1 << 20
#: Cores with more tiles than this are not emptied, and as many smaller tiles are tried to swap with.
MOVES = 12
#: Comparisons of a tile with a core or another tile, in all: what bounds the time.
EFFORT = 60_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Tools:
    """Tiles that are packed. demand (tiles, 5), room (5,) of a core. Tiles share cores with those of their `keys`; `loose`
    ones may go to any core whose tiles have their `kinds`. size : the largest part of a limit that each takes."""

    demand: Ints
    room: Ints
    keys: Ints
    size: Ints
    kinds: Ints
    loose: NDArray[np.bool_] | None

    def of(self, tiles: Ints) -> Tools:
        loose = None if self.loose is None else self.loose[tiles]
        return Tools(self.demand[tiles], self.room, self.keys[tiles], self.size[tiles], self.kinds[tiles], loose)


def empty_cores(t: Tools, core: Ints, most: int, deadline: float | None) -> tuple[Ints, bool]:
    """A packing with up to `most` fewer cores, and whether the deadline ended the search. Emptied numbers are left out.

    A core is emptied tile by tile, largest first: into the core that it fills best, else in place of a smaller tile that
    finds room elsewhere. Where one tile finds none, the core stays as it was.
    """
    state = _State(t, core.copy())
    load = np.bincount(core, minlength=state.cores)
    weight = np.zeros(state.cores, np.int64)
    np.add.at(weight, core, t.size)
    light = np.flatnonzero(load <= MOVES)
    light = light[np.argsort(weight[light], kind="stable")]
    emptied, effort = 0, 0
    for index in light.tolist():
        if emptied == most or effort > EFFORT:
            break
        if deadline is not None and time.monotonic() > deadline:
            return state.core, True
        effort += (1 + MOVES) * len(core)
        emptied += state.empty(index)
    return np.unique(state.core, return_inverse=True)[1].astype(np.int64), False


class _State:
    def __init__(self, t: Tools, core: Ints) -> None:
        self.demand, self.keys, self.size, self.core, self.kinds = t.demand, t.keys, t.size, core, t.kinds
        self.loose = np.zeros(len(core), np.bool_) if t.loose is None else t.loose
        self.cores = int(core.max()) + 1
        self.free = np.tile(t.room[:, None], self.cores)  # by resource: a comparison runs over all cores
        self.parts = np.ascontiguousarray(t.demand.T)
        self.known = t.room < OPEN
        self.scale = np.maximum(t.room[self.known], 1)[:, None]
        np.subtract.at(self.free.T, core, t.demand)
        self.key, self.kind = np.zeros((2, self.cores), np.int64)
        self.key[core], self.kind[core] = t.keys, t.kinds
        self.open = np.ones(self.cores, np.bool_)

    def empty(self, index: int) -> bool:
        """Give all tiles of this core to others; True where that worked."""
        tiles = np.flatnonzero(self.core == index)
        tiles = tiles[np.argsort(-self.size[tiles], kind="stable")]
        self.open[index] = False
        moved: list[tuple[int, int]] = []
        for tile in tiles.tolist():
            if not self._place(tile, moved):
                for back, home in reversed(moved):
                    self._move(back, home)
                self.open[index] = True
                return False
        return True

    def _place(self, tile: int, moved: list[tuple[int, int]]) -> bool:
        target = self._fits(tile)
        if target >= 0:
            moved.append((tile, int(self.core[tile])))
            self._move(tile, target)
            return True
        need = self.demand[tile]
        others = (self.size < self.size[tile]) & (self.keys == self.keys[tile]) & self.open[self.core]
        for free, part, least in zip(self.free, self.parts, need, strict=True):
            others &= free[self.core] + part >= least
        near = np.flatnonzero(others)
        for other in near[np.argsort(self.size[near], kind="stable")][:MOVES].tolist():
            target = self._fits(other)
            if target >= 0:
                home = int(self.core[other])
                moved += [(other, home), (tile, int(self.core[tile]))]
                self._move(other, target)
                self._move(tile, home)
                return True
        return False

    def _fits(self, tile: int) -> int:
        """The open core that has the least left after this tile, by its scarcest resource; -1 where none takes it."""
        need = self.demand[tile]
        alike = self.kind == self.kinds[tile] if self.loose[tile] else self.key == self.keys[tile]
        open_ = self.open & alike
        for free, least in zip(self.free, need, strict=True):
            open_ &= free >= least
        fit = np.flatnonzero(open_)
        fit = fit[fit != self.core[tile]]
        if not len(fit):
            return -1
        left = ((self.free[:, fit] - need[:, None])[self.known] * ONE // self.scale).min(axis=0)
        return int(fit[left.argmin()])

    def _move(self, tile: int, target: int) -> None:
        self.free[:, self.core[tile]] += self.demand[tile]
        self.free[:, target] -= self.demand[tile]
        self.core[tile] = target
