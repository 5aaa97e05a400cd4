"""Loads of links: counted route by route, bounded by cuts, lowered by the second phase within its share of cost."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.placement_bounds import cut_bound
from partitioner.place import make_problem, place_cores
from partitioner.place.links import link_loads, placed_loads, relieve

from .instances import grid, planted


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 30), st.integers(0, 2**32))
def test_loads_are_those_of_walked_routes(columns: int, rows: int, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    begin, end = (np.stack((random.integers(0, columns, count), random.integers(0, rows, count)), 1) for _ in range(2))
    weight = random.integers(0, 100, count)
    walked: Counter[tuple[str, int, int]] = Counter()
    for (x, y), (goal_x, goal_y), w in zip(begin.tolist(), end.tolist(), weight.tolist(), strict=True):
        while x != goal_x:
            walked["east" if goal_x > x else "west", y, min(x, x + (1 if goal_x > x else -1))] += w
            x += 1 if goal_x > x else -1
        while y != goal_y:
            walked["south" if goal_y > y else "north", min(y, y + (1 if goal_y > y else -1)), x] += w
            y += 1 if goal_y > y else -1
    loads = link_loads(begin, end, weight, (columns, rows))
    for way in ("east", "west", "south", "north"):
        table = getattr(loads, way)
        assert table.shape == ((rows, columns - 1) if way in ("east", "west") else (rows - 1, columns))
        for (row, column), load in np.ndenumerate(table):
            assert load == walked[way, row, column]
    assert loads.all.sum() == int((weight * np.abs(begin - end).sum(1)).sum())
    assert cut_bound(begin, end, weight, (columns, rows)) <= loads.most


def test_cut_bound_is_met_by_parallel_rows() -> None:
    sites = grid(4, 3)
    begin, end = sites[sites[:, 0] == 0], sites[sites[:, 0] == 3]
    weight = np.full(3, 8)
    assert cut_bound(begin, end, weight, (4, 3)) == link_loads(begin, end, weight, (4, 3)).most == 8


def test_relief_lowers_the_busiest_link_within_its_share() -> None:
    (pairs, sites, n), _ = planted(16, None)
    problem = make_problem(pairs, sites, np.zeros((n, 0), np.int64))
    placed = place_cores(pairs, sites, np.zeros((n, 0), np.int64), moves=100_000)
    site, before, after = relieve(problem, placed.site, pairs[2], share=(1, 50))
    problem.check(site)
    assert before == placed_loads(problem, placed.site, pairs[2]).most
    assert after == placed_loads(problem, site, pairs[2]).most < before
    assert problem.cost(site) <= placed.cost * 51 // 50
    again = relieve(problem, placed.site, pairs[2], share=(1, 50))
    assert again[0].tolist() == site.tolist()


def test_relief_without_messages_changes_nothing() -> None:
    none = np.zeros(0, np.int64)
    problem = make_problem((none, none, none), grid(3, 3), np.zeros((4, 0), np.int64))
    site, before, after = relieve(problem, np.arange(4), none)
    assert (site.tolist(), before, after) == ([0, 1, 2, 3], 0, 0)
