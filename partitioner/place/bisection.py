"""Placement by recursive bisection with METIS (Karypis & Kumar 1998), each half repaired to its exact size.

A region of sites is halved across its longer side, its items are cut in two parts of just those sizes with little weight
between them, and so on to single sites (Breuer 1977). A null model, and a start of the portfolio for large problems.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.problem import Problem

NO_METIS = "pymetis is not installed (extra `mapping`): no start by recursive bisection"

#: The sum of the weights of a graph that METIS is given; larger ones are scaled down.
_MOST = 2**28


def metis_bisection(problem: Problem, *, gaps: bool = False) -> Ints | None:
    """The site of each item, or None where pymetis is not installed. Anchors are not looked at.

    gaps : regions are cut at the widest gap next to the middle, so that a chip or a router is not; else in the middle.
    """
    try:
        import pymetis
    except ImportError:
        return None
    inside = problem.index < problem.n
    row = np.repeat(np.arange(problem.n), np.diff(problem.indptr))[inside]
    index, weight = problem.index[inside], problem.weight[inside]
    shift = max(0, int(weight.sum()).bit_length() - _MOST.bit_length())
    weight = np.maximum(weight >> shift, 1)
    place = np.full(problem.n, -1, np.int64)
    local = np.full(problem.n, -1, np.int64)
    regions = [(np.arange(problem.n), np.arange(len(problem.sites)))]
    while regions:
        items, sites = regions.pop()
        if len(items) == 0:
            continue
        if len(sites) == 1 or len(items) == 1:
            place[items] = sites[: len(items)]
            continue
        extent = np.ptp(problem.scaled[sites], axis=0)
        axis = 0 if extent[0] >= extent[1] else 1
        order = sites[np.lexsort((sites, problem.sites[sites, 1 - axis], problem.sites[sites, axis]))]
        half = len(order) // 2
        away = np.diff(problem.sites[order, axis])
        if gaps and away.any():
            edges = np.flatnonzero(away == away.max()) + 1
            half = int(edges[np.abs(2 * edges - len(order)).argmin()])
        first = min(len(items), half)
        if len(items) < len(sites):  # empty sites are shared in proportion
            first = max(len(items) - (len(order) - half), min(first, len(items) * half // len(order)))
        local[items] = np.arange(len(items))
        own = np.flatnonzero(local[row] >= 0)
        own = own[local[index[own]] >= 0]
        u, v, w = local[row[own]], local[index[own]], weight[own]
        side = _cut(pymetis, len(items), u, v, w, first)
        local[items] = -1
        regions += [(items[side == 0], order[:half]), (items[side == 1], order[half:])]
    return place


def _cut(pymetis: object, n: int, u: Ints, v: Ints, w: Ints, first: int) -> Ints:
    """(n,) 0 for exactly `first` items, 1 for the rest."""
    if first in (0, n) or not len(u):
        return (np.arange(n) >= first).astype(np.int64)
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(u, minlength=n), out=indptr[1:])
    adjacency = pymetis.CSRAdjacency(adj_starts=indptr, adjacent=v)  # type: ignore[attr-defined]
    shares = [first / n, 1.0 - first / n]
    options = pymetis.Options(seed=1)  # type: ignore[attr-defined]
    found = pymetis.part_graph(2, adjacency=adjacency, eweights=w, tpwgts=shares, recursive=True, options=options)  # type: ignore[attr-defined]
    side = np.array(found[1], np.int64)
    while True:
        excess = int((side == 0).sum()) - first
        if excess == 0:
            return side
        crowded = 0 if excess > 0 else 1
        gain = np.zeros(n, np.int64)
        np.add.at(gain, u, np.where(side[u] == side[v], -w, w))
        gain[side != crowded] = np.iinfo(np.int64).min
        side[int(np.argmax(gain))] = 1 - crowded
