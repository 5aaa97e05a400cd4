"""`Problem`: items that exchange messages, and the sites of a mesh that they may sit on. Integers only.

An item is a core (or a chip), a site is a place on a mesh of routers (or on a grid of chips). Several sites may share one
coordinate: the cores of a router. Anchors are fixed points that items also talk to: a port of the chip, the host.

``cost = sum over pairs of weight * (east_west * |dx| + north_south * |dy|)``, anchors included: the spike-hops of a mesh
with dimension-ordered routes, weighed by what a hop costs in each direction. It is a quadratic assignment problem with
Manhattan distances (Koopmans & Beckmann 1957), which is NP-hard: hence `bounds` beside every heuristic result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints

#: (source, target, weight) of n pairs, int64 each.
Pairs = tuple[Ints, Ints, Ints]

#: Sums of costs must stay below this: room for the exact products of the annealer in 64 bits.
LARGEST_COST = 2**61


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """n items, m >= n sites, k anchors.

    indptr, index, weight : symmetric neighbours in CSR form, int64 ``(n + 1,)``, ``(e,)``, ``(e,)``; rows of items only. The
        number n + a in `index` is anchor a. Ascending within a row, no item beside itself, weights > 0.
    sites : (m, 2) int64 coordinates (x, y) as given.
    scaled : (m, 2) int64, ``sites`` times `hop_cost`: the distance of two sites is the Manhattan distance of these.
    fixed : (k, 2) int64, scaled coordinates of the anchors.
    source, target : the pairs as given, for starts that use the direction of messages.
    """

    n: int
    indptr: Ints
    index: Ints
    weight: Ints
    sites: Ints
    scaled: Ints
    fixed: Ints
    source: Ints
    target: Ints
    hop_cost: tuple[int, int]

    def cost(self, site: Ints) -> int:
        """The cost of item i on ``sites[site[i]]``, exact."""
        where = np.concatenate((self.scaled[site], self.fixed))
        row = np.repeat(np.arange(self.n), np.diff(self.indptr))
        hops = np.abs(where[row] - where[self.index]).sum(1)
        each = self.weight * hops
        to_fixed = int(each[self.index >= self.n].sum())
        return (int(each.sum()) - to_fixed) // 2 + to_fixed

    @property
    def anchors(self) -> int:
        return len(self.fixed)

    def check(self, site: Ints) -> None:
        """Raise ND9060 unless `site` gives every item a site of its own."""
        if (
            len(site) != self.n
            or len(np.unique(site)) != self.n
            or (self.n and not 0 <= site.min() <= site.max() < len(self.sites))
        ):
            raise InternalError("ND9060", "placement", "two items share a site, or an item has none")


def make_problem(
    pairs: Pairs, sites: Ints, anchors: Ints, anchor_sites: Ints | None = None, hop_cost: tuple[int, int] = (1, 1)
) -> Problem:
    """A problem from the pairs of ``len(anchors)`` items.

    pairs : (source, target, weight), int64; both directions and repeated pairs are added up, a pair of an item with itself
        costs nothing and is dropped.
    sites : (m, 2) coordinates, m >= n; equal rows are several places on one router.
    anchors : (n, k) messages between item i and anchor a; (n, 0) without anchors.
    anchor_sites : (k, 2) coordinates of the anchors, in the units of `sites`, outside of the mesh too.
    hop_cost : cost of a hop in x (east-west) and in y (north-south).

    Raises InternalError ND9061 where shapes contradict each other, weights are negative or costs leave 61 bits.
    """
    anchors = np.asarray(anchors, np.int64)
    sites = np.ascontiguousarray(sites, np.int64).reshape(-1, 2)
    source, target, weight = (np.asarray(part, np.int64).ravel() for part in pairs)
    if anchors.ndim != 2:
        raise InternalError("ND9061", "anchors", f"have {anchors.ndim} dimensions, (items, anchors) are needed")
    n, k = anchors.shape
    points = np.asarray(np.zeros((0, 2)) if anchor_sites is None else anchor_sites, np.int64).reshape(-1, 2)
    if not len(source) == len(target) == len(weight) or len(points) != k or n > len(sites):
        lengths = f"{len(source)}, {len(target)} and {len(weight)} pairs"
        shapes = f"{lengths}, {k} anchors at {len(points)} places, {n} items, {len(sites)} sites"
        raise InternalError("ND9061", "placement", shapes)
    if len(source) and not 0 <= min(source.min(), target.min()) <= max(source.max(), target.max()) < n:
        raise InternalError("ND9061", "pairs", f"name items outside of 0 to {n - 1}")
    if min((int(part.min()) for part in (weight, anchors) if part.size), default=0) < 0:
        raise InternalError("ND9061", "pairs", "have a negative weight")
    scale = np.array(hop_cost, np.int64)
    scaled, fixed = sites * scale, points * scale
    both = np.concatenate((scaled, fixed)) if k else scaled
    reach = int((both.max(0) - both.min(0)).sum()) if len(both) else 0
    total = sum(int(part.astype(object).sum()) if part.size else 0 for part in (weight, anchors))
    if total * max(reach, 1) >= LARGEST_COST:
        raise InternalError("ND9061", "pairs", f"weigh {total} in all over {reach}: more than 64 bits can add up")
    indptr, index, merged = _neighbours(n, source, target, weight, anchors)
    return Problem(n, indptr, index, merged, sites, scaled, fixed, source, target, (int(scale[0]), int(scale[1])))


def _neighbours(n: int, source: Ints, target: Ints, weight: Ints, anchors: Ints) -> tuple[Ints, Ints, Ints]:
    """The symmetric CSR rows of the items: equal pairs added up, anchors behind the items."""
    use = (source != target) & (weight > 0)
    source, target, weight = source[use], target[use], weight[use]
    row, anchor = np.nonzero(anchors)
    width = n + anchors.shape[1]
    key = np.concatenate((source * width + target, target * width + source, row * width + n + anchor))
    value = np.concatenate((weight, weight, anchors[row, anchor]))
    order = np.argsort(key, kind="stable")
    key, value = key[order], value[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))) if len(key) else np.zeros(0, np.int64)
    merged = np.add.reduceat(value, first) if len(key) else value
    rows, index = np.divmod(key[first], width)
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n), out=indptr[1:])
    return indptr, index, merged
