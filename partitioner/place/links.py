"""Loads of the links of a mesh under dimension-ordered (XY) routes: lowered in a second phase.

A message from (x0, y0) to (x1, y1) runs along row y0 to column x1, then along that column: deadlock-free (Dally &
Seitz 1987) and what Loihi's mesh does (Davies et al. 2018). Every link has two directions with a load each; messages to
several cores are counted once for each (unicast).
"""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.links import LinkLoads, unicast
from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.problem import Problem


def box(points: Ints) -> tuple[Ints, tuple[int, int]]:
    """(least x and y, (columns, rows)) of the rectangle around some coordinates."""
    low = points.min(0)
    columns, rows = (points.max(0) - low + 1).tolist()
    return low, (columns, rows)


def placed_loads(problem: Problem, site: Ints, weight: Ints) -> LinkLoads:
    """Loads of the pairs of a problem (with their directions and `weight`, (e,) as given) under a placement."""
    low, size = box(problem.sites)
    where = problem.sites[site] - low
    return unicast(where[problem.source], where[problem.target], weight, size)


def relieve(
    problem: Problem,
    site: Ints,
    weight: Ints,
    *,
    share: tuple[int, int] = (1, 50),
    seed: int = 0,
    tries: int | None = None,
) -> Ints:
    """Second phase: exchanges that lower the busiest link while the cost stays within ``1 + share`` of what it was.

    Accepts an exchange when (load of the busiest link, sum of squared loads) falls, in that order. `tries` proposals, by
    default 300 an item; `weight` as in `placed_loads`.
    """
    from partitioner.place.anneal import State, make_mesh
    from partitioner.place.link_kernels import relieve_loop

    low, (columns, rows) = box(problem.sites)
    state = State(problem, make_mesh(problem), site, seed)
    before = int(placed_loads(problem, site, weight).most)
    use = (problem.source != problem.target) & (weight > 0)
    source, target, amount = problem.source[use], problem.target[use], weight[use]
    if not before:
        return state.place
    ends = np.concatenate((source, target))
    touching = np.argsort(ends, kind="stable") % len(source)
    first = np.zeros(problem.n + 1, np.int64)
    np.cumsum(np.bincount(ends, minlength=problem.n), out=first[1:])
    loads = np.zeros((4, columns * rows), np.int64)
    limit = state.cost + state.cost * share[0] // share[1]
    # Squares of the scaled loads must add up in 63 bits.
    scale = max(0, before.bit_length() - 20)
    relieve_loop(
        problem.indptr, problem.index, problem.weight, state.place, state.occupant, state.px, state.py, problem.scaled,
        np.ascontiguousarray(problem.sites - low), source, target, amount, first, touching, loads, columns,
        state.cost, limit, scale, 300 * problem.n if tries is None else tries, state.random,
    )  # fmt: skip
    return state.place if placed_loads(problem, state.place, weight).most < before else np.array(site, np.int64)
