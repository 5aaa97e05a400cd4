"""Random placement problems for the property tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from .instances import grid

Arguments = dict[str, Any]


@st.composite
def problems(draw: st.DrawFn, most: int = 40, places: int = 126) -> Arguments:
    """Arguments of `make_problem`: pairs both ways, routers of several cores, anchors, hop costs."""
    columns, rows, capacity = draw(st.integers(1, 7)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    sites = grid(columns, rows, capacity) + np.array([draw(st.integers(-5, 5)), draw(st.integers(-5, 5))])
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    sites = random.permutation(sites)[:places]
    n = draw(st.integers(0, min(most, len(sites))))
    edges = draw(st.integers(0, 4 * n)) if n else 0
    high = draw(st.sampled_from([1, 3, 100, 10**9]))
    pairs = (
        random.integers(0, max(n, 1), edges),
        random.integers(0, max(n, 1), edges),
        random.integers(0, high + 1, edges),
    )
    k = draw(st.integers(0, 2))
    return {
        "pairs": pairs,
        "sites": sites,
        "anchors": random.integers(0, high + 1, (n, k)),
        "anchor_sites": random.integers(-8, 9, (k, 2)),
        "hop_cost": (draw(st.integers(1, 5)), draw(st.integers(1, 5))),
    }


def plain_cost(case: Arguments, site: Any) -> int:
    """The definition of the cost, pair by pair, in Python integers."""
    ew, ns = case["hop_cost"]

    def hops(a: Any, b: Any) -> int:
        return ew * abs(int(a[0]) - int(b[0])) + ns * abs(int(a[1]) - int(b[1]))

    sites, (source, target, weight) = case["sites"], case["pairs"]
    total = sum(int(w) * hops(sites[site[s]], sites[site[t]]) for s, t, w in zip(source, target, weight, strict=True))
    for i, row in enumerate(case["anchors"]):
        total += sum(int(w) * hops(sites[site[i]], point) for w, point in zip(row, case["anchor_sites"], strict=True))
    return total
