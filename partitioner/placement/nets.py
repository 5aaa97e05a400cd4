"""Placement under the multicast objective: a net costs its weight times the half perimeter of the box around its items.

``cost = sum over nets of weight * (east_west * (max x - min x) + north_south * (max y - min y))``. The half perimeter is a
lower bound of the rectilinear Steiner tree that a multicast needs, and equal to it for up to three items (Hanan
1966). `place_nets` starts from `place_cores` on the pairs (source, destination), then anneals under this objective.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints

from .anneal import LEVEL_BITS, STAGES, TABLE, State, make_mesh
from .portfolio import Placed, Trial, place_cores
from .problem import make_problem
from .randomness import late

#: (first temperature as a fraction of the mean cost change, sixteenths of the moves) of the annealings, one after another.
HEATS = (((1, 8), 8), ((1, 60), 8))

#: Exchanges proposed for each item.
MOVES_PER_ITEM = 2000


def half_perimeter(indptr: Ints, pins: Ints, weight: Ints, where: Ints) -> int:
    """The cost of nets ``pins[indptr[k]:indptr[k + 1]]`` (none empty) with items at scaled coordinates `where` (n, 2)."""
    if not len(weight):
        return 0
    points, starts = where[pins], indptr[:-1]
    spread = np.maximum.reduceat(points, starts) - np.minimum.reduceat(points, starts)
    return int((weight * spread.sum(1)).sum())


def place_nets(
    source: Ints,
    indptr: Ints,
    pins: Ints,
    weight: Ints,
    items: int,
    sites: Ints,
    *,
    hop_cost: tuple[int, int] = (1, 1),
    seed: int = 0,
    moves: int | None = None,
    deadline: float | None = None,
    start: Ints | None = None,
) -> Placed:
    """Put `items` on `sites` so that the nets from ``source[k]`` to its pins have small boxes.

    indptr, pins, weight : as in `partitioner.nets.Nets`, without the host; a net's source need not be among its pins.
    start : sites to begin from besides the placement of the pairs; the better one is annealed.
    moves : exchanges under the net objective, by default `MOVES_PER_ITEM` an item.

    The result is never worse than either start. Raises as `place_cores`.
    """
    fan = np.diff(indptr)
    origin = np.repeat(source, fan)
    pairs = (origin, np.asarray(pins, np.int64), np.repeat(weight, fan))
    anchors = np.zeros((items, 0), np.int64)
    by_pairs = place_cores(pairs, sites, anchors, hop_cost=hop_cost, seed=seed, deadline=deadline)
    problem = make_problem(pairs, sites, anchors, None, hop_cost)
    # One list of distinct items a net, its source among them; nets of one item cost nothing.
    net = np.concatenate((np.arange(len(source)), np.repeat(np.arange(len(source)), fan)))
    key = np.unique(net * max(1, items) + np.concatenate((source, pins)))
    net, member = np.divmod(key, max(1, items))
    size = np.bincount(net, minlength=len(source))
    keep = size[net] > 1
    net, member = np.unique(net[keep], return_inverse=True)[1], member[keep]
    value = np.asarray(weight, np.int64)[size > 1]
    bounds = np.concatenate(([0], np.cumsum(size[size > 1]))).astype(np.int64)

    def price(site: Ints) -> int:
        return half_perimeter(bounds, member, value, problem.scaled[site])

    candidates = [(price(by_pairs.site), by_pairs.start, by_pairs.site)]
    if start is not None:
        problem.check(start)
        candidates.append((price(start), "given", np.array(start, np.int64)))
    cost, name, site = min(candidates, key=lambda entry: entry[0])
    nulls = tuple((label, value_) for value_, label, _ in candidates)
    budget = MOVES_PER_ITEM * items if moves is None else moves
    if items < 2 or not len(value) or not budget:
        return Placed(site, cost, name, (), nulls, by_pairs.complete)

    from .net_kernels import net_stage

    order = np.argsort(member, kind="stable")
    first = np.zeros(items + 1, np.int64)
    np.cumsum(np.bincount(member, minlength=items), out=first[1:])
    incident, mesh = net[order], make_mesh(problem)
    best, log, complete, stamp = (cost, site), [], by_pairs.complete, 0
    mark = np.full(len(value), -1, np.int64)
    for number, (heat, share) in enumerate(HEATS):
        state = State(problem, mesh, best[1], seed * len(HEATS) + number)
        before = now = best[0]

        def stage(span: int, level: int, shift: int, proposals: int, state: State = state) -> tuple[int, int]:
            nonlocal stamp
            change, scale, stamp = net_stage(
                bounds, member, value, first, incident, mark, state.place, state.occupant, state.px, state.py,
                problem.scaled, mesh.cell, mesh.cell_start, mesh.cell_site, mesh.size,
                span, level, shift, TABLE, proposals, state.random, stamp,
            )  # fmt: skip
            return int(change), int(scale)

        scale = stage(1, 0, 0, 256)[1]
        shift = max(0, LEVEL_BITS - scale.bit_length())
        top, proposals = (scale << shift) * heat[0] // heat[1], budget * share // 16
        for number in range(STAGES + 1):
            if late(deadline):
                complete = False
                break
            left = (STAGES - number) ** 3
            span = 1 + (int(mesh.size.max()) - 1) * left // STAGES**3
            now += stage(span, top * left // STAGES**3, shift + 12, max(1, proposals // STAGES))[0]
            if now < best[0]:
                best = (now, state.place.copy())
        log.append(Trial(name, before, best[0], proposals))
    problem.check(best[1])
    return Placed(best[1], best[0], name, tuple(log), nulls, complete)
