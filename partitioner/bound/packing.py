"""A lower bound on the cores of any packing: the largest of three for every resource.

Martello and Toth's L2 ("Knapsack Problems", 1990, section 8.3.2): for tiles of sizes s in cores of size c and any
k <= c / 2, tiles above c - k stand alone, tiles above c / 2 share with none of their kind, and what the tiles in
[k, c / 2] need beyond the room that the latter leave asks for further cores. A count: of the tiles of at least s, a core
takes floor(c / s). And the dual feasible functions u(k) of Fekete and Schepers ("New classes of fast lower bounds for bin
packing problems", 2001): a tile of part x = s / c counts floor((k + 1) x) / k, or x where (k + 1) x is whole.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.budget import Limits

#: Dual feasible functions that are tried.
DUAL = 20


def lower_bound(demand: Ints, limits: Limits, keys: Ints) -> int:
    """The fewest cores of any packing: L2 of each resource, the largest, added over what may not be mixed."""
    total = 0
    for key in np.unique(keys):
        own = demand[keys == key]
        bounds = [_one_resource(own[:, r], limit) for r, limit in enumerate(limits) if limit and own[:, r].any()]
        total += max(bounds, default=1)
    return total


def _one_resource(sizes: Ints, limit: int) -> int:
    ordered = np.sort(sizes)
    each, count = np.unique(ordered[ordered > 0], return_counts=True)
    least = np.cumsum(count[::-1])[::-1]
    found = max(_l2(ordered, limit), int((-(-least // (limit // each))).max()))
    for k in range(1, DUAL + 1):
        parts = (k + 1) * each
        value = np.where(parts % limit == 0, k * each, limit * (parts // limit))
        found = max(found, -(-int((value * count).sum()) // (k * limit)))
    return found


def _l2(ordered: Ints, limit: int) -> int:
    sums = np.concatenate(([0], np.cumsum(ordered)))
    small = np.unique(np.concatenate(([0], ordered[2 * ordered <= limit])))
    first_large = int(np.searchsorted(ordered, limit // 2, side="right"))  # 2 s > limit
    above = np.maximum(np.searchsorted(ordered, limit - small, side="right"), first_large)  # s > limit - k
    begin = np.searchsorted(ordered, small, side="left")
    room = (above - first_large) * limit - (sums[above] - sums[first_large])
    rest = np.maximum(0, sums[first_large] - sums[begin] - room)
    return int((len(ordered) - first_large + -(-rest // limit)).max())
