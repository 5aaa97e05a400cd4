"""Lower bounds of the cost of any placement: what no placer can beat. Exact integers, except where a float is named.

Sound for every problem of `problem.make_problem`: several items a router, hop costs, anchors, empty sites.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.problem import Problem

#: Gilmore-Lawler solves an assignment for n items: it is offered up to this many.
MOST_LAWLER = 100


def ring_distances(count: int, hop_cost: tuple[int, int], capacity: int) -> Ints:
    """The `count` least distances of other items to an item of an endless mesh of routers that hold `capacity` each.

    One item a router, one a hop: 4 at distance 1, 8 at 2, 12 at 3. With more, the first ``capacity - 1`` are at 0.
    """
    reach = 1
    while capacity * (2 * reach * (reach + 1) + 1) - 1 < count:
        reach += 1
    # With unequal hop costs the diamond is stretched: look as far as its short half-axis times the ratio.
    wide = reach * max(1, -(-max(hop_cost) // max(1, min(hop_cost))))
    x, y = np.meshgrid(np.arange(-wide, wide + 1), np.arange(-wide, wide + 1))
    ring = np.sort((np.abs(x) * hop_cost[0] + np.abs(y) * hop_cost[1]).ravel(), kind="stable")
    return np.repeat(ring, capacity)[1 : count + 1]


def capacity(problem: Problem) -> int:
    """The most sites that share one coordinate."""
    return int(np.unique(problem.sites, axis=0, return_counts=True)[1].max(initial=1)) if len(problem.sites) else 1


def anchor_bound(problem: Problem) -> int:
    """Each item on the site that suits its anchors best."""
    if not problem.anchors:
        return 0
    row = np.repeat(np.arange(problem.n), np.diff(problem.indptr))
    use = problem.index >= problem.n
    weights = np.zeros((problem.n, problem.anchors), np.int64)
    weights[row[use], problem.index[use] - problem.n] = problem.weight[use]
    routers = np.unique(problem.scaled, axis=0)
    away = np.abs(problem.fixed[:, None, :] - routers[None]).sum(2)
    return int((weights @ away).min(1).sum())


def ring_bound(problem: Problem) -> int:
    """Each item with its heaviest neighbours nearest: ``1/2 sum_i sum_k w_i(k) r(k)``, weights falling, rings rising."""
    inside = problem.index < problem.n
    row, weight = np.repeat(np.arange(problem.n), np.diff(problem.indptr))[inside], problem.weight[inside]
    if not len(row):
        return anchor_bound(problem)
    order = np.lexsort((-weight, row))
    row, weight = row[order], weight[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    ring = ring_distances(int(rank.max()) + 1, problem.hop_cost, capacity(problem))
    return -(-int((weight * ring[rank]).sum()) // 2) + anchor_bound(problem)


def gilmore_lawler(problem: Problem) -> int:
    """The bound of Gilmore (1962) and Lawler (1963) for at most `MOST_LAWLER` items.

    Item i on site s costs at least its anchors plus half the scalar product of its weights, falling, with the distances
    of s to its nearest sites, rising; the least sum of these over all assignments of items to sites is a bound.
    """
    n, m = problem.n, len(problem.sites)
    if n > MOST_LAWLER:
        raise ValueError(f"{n} items: Gilmore-Lawler is offered up to {MOST_LAWLER}")
    if n < 2:
        return anchor_bound(problem)
    row = np.repeat(np.arange(n), np.diff(problem.indptr))
    weights = np.zeros((n, n + problem.anchors), np.int64)
    weights[row, problem.index] = problem.weight
    falling = -np.sort(-weights[:, :n], axis=1)[:, : n - 1]
    away = np.abs(problem.scaled[:, None, :] - problem.scaled[None]).sum(2)
    away[np.arange(m), np.arange(m)] = -1
    nearest = np.sort(away, axis=1)[:, 1:n]
    fixed = np.abs(problem.fixed[:, None, :] - problem.scaled[None]).sum(2)
    twice = falling @ nearest.T + 2 * (weights[:, n:] @ fixed)
    return -(-least_assignment(twice) // 2)


def least_assignment(cost: Ints) -> int:
    """The least sum of one entry a row, no two in a column; (n, m) int64, n <= m. Shortest augmenting paths (Kuhn 1955;
    Jonker & Volgenant 1987), O(n^2 m)."""
    n, m = cost.shape
    large = np.iinfo(np.int64).max // 4
    row_price, column_price = np.zeros(n, np.int64), np.zeros(m, np.int64)
    owner = np.full(m, -1, np.int64)
    for start in range(n):
        slack, back = np.full(m, large, np.int64), np.full(m, -1, np.int64)
        seen = np.zeros(m, np.bool_)
        row, column = start, -1
        while True:
            if column >= 0:
                seen[column] = True
            reduced = cost[row] - row_price[row] - column_price
            closer = ~seen & (reduced < slack)
            slack[closer], back[closer] = reduced[closer], column
            following = int(np.argmin(np.where(seen, large, slack)))
            step = int(slack[following])
            row_price[owner[seen]] += step
            row_price[start] += step
            column_price[seen] -= step
            slack[~seen] -= step
            column = following
            if owner[column] < 0:
                break
            row = int(owner[column])
        while column >= 0:
            previous = int(back[column])
            owner[column] = start if previous < 0 else owner[previous]
            column = previous
    return int(cost[owner[owner >= 0], np.flatnonzero(owner >= 0)].sum())


def spectral_bound(problem: Problem) -> int:
    """Every straight line through the mesh cuts at least ``lambda_2 k (n - k) / n`` (Fiedler 1973; Mohar 1991).

    lambda_2 is the second eigenvalue of the graph's Laplacian (float64, lowered by its error), k the items on one side:
    where sites stay empty, the k that gives least. The cost is the sum over all lines of what crosses them, times the hop
    cost of that direction; anchors add their own bound. Dense: for a few thousand items.
    """
    n = problem.n
    if n < 2:
        return anchor_bound(problem)
    laplacian = _laplacian(problem)
    values = np.linalg.eigvalsh(laplacian)
    second = float(values[1] - 1e-9 * max(1.0, values[-1]) * n)
    if second <= 0.0:
        return anchor_bound(problem)
    total = 0.0
    for axis in (0, 1):
        places, count = np.unique(problem.scaled[:, axis], return_counts=True)
        left = np.cumsum(count)[:-1]
        least = [
            min(k * (n - k) for k in (min(n, int(size)), max(0, n - len(problem.sites) + int(size)))) for size in left
        ]
        total += float((np.diff(places) * np.array(least, np.float64)).sum()) * second / n
    return int(np.floor(total)) + anchor_bound(problem)


def _laplacian(problem: Problem) -> Ints:
    inside = problem.index < problem.n
    row = np.repeat(np.arange(problem.n), np.diff(problem.indptr))[inside]
    laplacian = np.zeros((problem.n, problem.n))
    laplacian[row, problem.index[inside]] = -problem.weight[inside]
    laplacian[np.arange(problem.n), np.arange(problem.n)] = -laplacian.sum(1)
    return laplacian
