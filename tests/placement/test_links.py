"""Loads of links: lowered by the second phase within its share of cost, no further than any routing would."""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.links import unicast
from partitioner.place.links import placed_loads, relieve
from partitioner.place.portfolio import place_cores

from .instances import NONE, grid, planted, problem_of


def test_the_bound_by_cuts_is_met_by_parallel_rows() -> None:
    sites = grid(4, 3)
    loads = unicast(sites[sites[:, 0] == 0], sites[sites[:, 0] == 3], np.full(3, 8), (4, 3))
    assert loads.cut == loads.most == 8


def test_relief_lowers_the_busiest_link_within_its_share() -> None:
    case, _ = planted(16, None)
    problem, weight = problem_of(case), case[0][2]
    placed = place_cores(problem, moves=100_000)
    site = relieve(problem, placed.site, weight, share=(1, 50))
    problem.check(site)
    before, after = (placed_loads(problem, where, weight) for where in (placed.site, site))
    assert after.cut <= after.most < before.most
    assert problem.cost(site) <= placed.cost * 51 // 50
    assert relieve(problem, placed.site, weight, share=(1, 50)).tolist() == site.tolist()


def test_relief_without_messages_changes_nothing() -> None:
    problem = problem_of(((NONE, NONE, NONE), grid(3, 3), 4))
    assert relieve(problem, np.arange(4), NONE).tolist() == [0, 1, 2, 3]
