"""Loads of the links of a mesh under dimension-ordered (XY) routes: counted, and lowered in a second phase.

A message from (x0, y0) to (x1, y1) runs along row y0 to column x1, then along that column: deadlock-free (Dally &
Seitz 1987) and what Loihi's mesh does (Davies et al. 2018). Every link has two directions with a load each; messages to
several cores are counted once for each (unicast).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.problem import Problem


@dataclass(frozen=True, slots=True, eq=False)
class Loads:
    """Messages over each link of a mesh of `size` = (columns, rows), int64.

    east, west : (rows, columns - 1), the link between columns c and c + 1. south, north : (rows - 1, columns), towards
    greater and smaller y.
    """

    east: Ints
    west: Ints
    south: Ints
    north: Ints

    @property
    def all(self) -> Ints:
        return np.concatenate([part.ravel() for part in (self.east, self.west, self.south, self.north)])

    @property
    def most(self) -> int:
        return int(self.all.max(initial=0))


def box(points: Ints) -> tuple[Ints, tuple[int, int]]:
    """(least x and y, (columns, rows)) of the rectangle around some coordinates."""
    low = points.min(0)
    columns, rows = (points.max(0) - low + 1).tolist()
    return low, (columns, rows)


def link_loads(begin: Ints, end: Ints, weight: Ints, size: tuple[int, int]) -> Loads:
    """Loads of `weight` (e,) messages from coordinates `begin` to `end`, (e, 2) each, at least 0 and below `size`."""
    columns, rows = size
    (x0, y0), (x1, y1) = begin.T, end.T
    horizontal, vertical = np.zeros((2, rows, columns + 1), np.int64), np.zeros((2, columns, rows + 1), np.int64)
    for out, line, first, last in ((horizontal, y0, x0, x1), (vertical, x1, y0, y1)):
        for way, low, high in ((0, first, last), (1, last, first)):
            use = low < high
            np.add.at(out[way], (line[use], low[use]), weight[use])
            np.add.at(out[way], (line[use], high[use]), -weight[use])
    across, along = horizontal.cumsum(2)[:, :, : columns - 1], vertical.cumsum(2)[:, :, : rows - 1]
    return Loads(across[0], across[1], along[0].T.copy(), along[1].T.copy())


def placed_loads(problem: Problem, site: Ints, weight: Ints) -> Loads:
    """Loads of the pairs of a problem (with their directions and `weight`, (e,) as given) under a placement."""
    low, size = box(problem.sites)
    where = problem.sites[site] - low
    return link_loads(where[problem.source], where[problem.target], weight, size)


def relieve(
    problem: Problem,
    site: Ints,
    weight: Ints,
    *,
    share: tuple[int, int] = (1, 50),
    seed: int = 0,
    tries: int | None = None,
) -> tuple[Ints, int, int]:
    """Second phase: exchanges that lower the busiest link while the cost stays within ``1 + share`` of what it was.

    Accepts an exchange when (load of the busiest link, sum of squared loads) falls, in that order. Returns (site, load of
    the busiest link before, after). `tries` proposals, by default 300 an item; `weight` as in `placed_loads`.
    """
    from partitioner.place.anneal import State, make_mesh
    from partitioner.place.link_kernels import relieve_loop

    low, (columns, rows) = box(problem.sites)
    state = State(problem, make_mesh(problem), site, seed)
    before = placed_loads(problem, site, weight)
    use = (problem.source != problem.target) & (weight > 0)
    source, target, amount = problem.source[use], problem.target[use], weight[use]
    if not len(source) or not before.most:
        return state.place, before.most, before.most
    ends = np.concatenate((source, target))
    touching = np.argsort(ends, kind="stable") % len(source)
    first = np.zeros(problem.n + 1, np.int64)
    np.cumsum(np.bincount(ends, minlength=problem.n), out=first[1:])
    loads = np.zeros((4, columns * rows), np.int64)
    limit = state.cost + state.cost * share[0] // share[1]
    # Squares of the scaled loads must add up in 63 bits.
    scale = max(0, before.most.bit_length() - 20)
    relieve_loop(
        problem.indptr, problem.index, problem.weight, state.place, state.occupant, state.px, state.py, problem.scaled,
        np.ascontiguousarray(problem.sites - low), source, target, amount, first, touching, loads, columns,
        state.cost, limit, scale, 300 * problem.n if tries is None else tries, state.random,
    )  # fmt: skip
    after = placed_loads(problem, state.place, weight)
    if after.most >= before.most:
        return np.array(site, np.int64), before.most, before.most
    return state.place, before.most, after.most
