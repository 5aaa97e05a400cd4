"""Placement of a few items with dense tables and NumPy alone: no compiler is loaded for a small network.

Every exchange of an item with any site is priced at once from the table ``T[i, s]``, the cost of item i on site s while the
others stay. `descend` makes the best one until none helps. `tabu` then goes on with the best exchange that does not undo a
recent one, uphill too (robust tabu search, Taillard 1991). Used for all problems up to `SMALL` items, on every
machine alike.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.curves import curves
from partitioner.place.problem import Problem
from partitioner.place.randomness import hashes, late

#: Up to this many items; `anneal` takes over above.
SMALL = 24

#: Exchanges of the tabu search by default: ``STEPS * n``, fewer on more than `FEW_SITES` sites, where each costs more.
STEPS, FEW_SITES = 24, 128


def default_steps(problem: Problem) -> int:
    """Exchanges that are worth trying; none where one item has nothing to exchange with."""
    return STEPS * problem.n * FEW_SITES // max(FEW_SITES, len(problem.sites)) if problem.n > 1 else 0


class Tables:
    """Dense weights and distances of a small problem."""

    def __init__(self, problem: Problem) -> None:
        n = problem.n
        row = np.repeat(np.arange(n), np.diff(problem.indptr))
        self.problem = problem
        weights = np.zeros((n, n + problem.anchors), np.int64)
        weights[row, problem.index] = problem.weight
        self.between = weights[:, :n]
        self.fixed_cost = weights[:, n:] @ self._distance(problem.fixed)

    def _distance(self, points: Ints) -> Ints:
        scaled = self.problem.scaled
        away: Ints = np.abs(points[:, :1] - scaled[:, 0]) + np.abs(points[:, 1:] - scaled[:, 1])
        return away

    def deltas(self, site: Ints) -> Ints:
        """(n, m): the cost change if item i goes to site s and whoever is there takes its place."""
        items = np.arange(len(site))
        away = self._distance(self.problem.scaled[site])
        table = self.between @ away + self.fixed_cost
        delta = table - table[items, site][:, None]
        swap = delta[:, site]
        delta[:, site] = swap + swap.T + 2 * self.between * away[:, site]
        return delta

    def descend(self, site: Ints) -> Ints:
        """The local optimum that best improvements lead to from `site`."""
        site = site.copy()
        while True:
            delta = self.deltas(site)
            i, s = divmod(int(np.argmin(delta)), delta.shape[1])
            if delta[i, s] >= 0:
                return site
            _exchange(site, i, s)

    def tabu(self, site: Ints, cost: int, steps: int, seed: int, deadline: float | None) -> tuple[Ints, int, bool]:
        """(best placement, its cost, whether all `steps` were made) of a search from `site`, which costs `cost`.

        Exchanges that would bring an item back to a site it left less than about n steps ago are forbidden, unless they lead
        below the best cost; the tenure is drawn for each exchange.
        """
        n = len(site)
        site, best, best_cost = site.copy(), site.copy(), cost
        until = np.zeros((n, len(self.problem.sites)), np.int64)
        tenure = (hashes(2 * steps, seed) % np.uint64(n)).astype(np.int64) + n // 2 + 2
        _, router = np.unique(self.problem.sites, axis=0, return_inverse=True)
        router = router.ravel()
        never = np.iinfo(np.int64).max
        for step in range(steps):
            if late(deadline):
                return best, best_cost, False
            delta = self.deltas(site)
            delta[router[site][:, None] == router[None, :]] = never  # a place on the same router changes nothing
            barred = (until > step) & (cost + delta >= best_cost)
            i, s = divmod(int(np.argmin(np.where(barred, never, delta))), delta.shape[1])
            if barred[i, s] or delta[i, s] == never:
                continue
            cost += int(delta[i, s])
            until[i, site[i]] = step + tenure[2 * step]
            j = _exchange(site, i, s)
            if j >= 0:
                until[j, s] = step + tenure[2 * step + 1]
            if cost < best_cost:
                best, best_cost = site.copy(), cost
        return best, best_cost, True


def _exchange(site: Ints, i: int, s: int) -> int:
    """Item i goes to site s, in place; returns the item that went where i was, -1 if s was empty."""
    there = np.flatnonzero(site == s)
    before = site[i]
    site[i] = s
    if not len(there):
        return -1
    site[there[0]] = before
    return int(there[0])


def small_starts(problem: Problem, tables: Tables, order: Ints) -> list[tuple[str, Ints]]:
    """The order given along every curve, and the items, best connected first, each on the best free site."""
    found = [(name, line[: problem.n].copy()) for name, line in curves(problem.sites).items() if "block" not in name]
    site = np.full(problem.n, -1, np.int64)
    free = np.ones(len(problem.sites), np.bool_)
    middle = np.abs(2 * problem.scaled - problem.scaled.max(0) - problem.scaled.min(0)).sum(1)
    placed = np.zeros(problem.n, np.bool_)
    pull = tables.between.sum(1) + np.diff(problem.indptr)
    for _ in range(problem.n):
        i = int(order[np.argmax(np.where(placed[order], -1, pull[order]))])
        cost = tables.fixed_cost[i] + tables.between[i, placed] @ tables._distance(problem.scaled[site[placed]])
        best = np.lexsort((np.arange(len(free)), middle, np.where(free, cost, np.iinfo(np.int64).max)))[0]
        site[i], free[best], placed[i] = best, False, True
        pull = pull + tables.between[i] * 2**20
    return [("greedy", site), *found]
