"""Bounds stay below the cost of the best placement, found by trying all; some are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks.placement_bounds import (
    gilmore_lawler,
    least_assignment,
    ring_bound,
    ring_distances,
    spectral_bound,
)
from partitioner.place.problem import make_problem

from .instances import NONE, grid, nugent, problem_of
from .strategies import Arguments, problems


@settings(max_examples=60, deadline=None)
@given(problems(most=5, places=7))
def test_bounds_hold_for_the_best_placement(case: Arguments) -> None:
    problem = make_problem(**case)
    orders = itertools.permutations(range(len(problem.sites)), problem.n)
    best = min(problem.cost(np.array(site, np.int64)) for site in orders)
    for bound in (ring_bound, gilmore_lawler, spectral_bound):
        assert 0 <= bound(problem) <= best, bound.__name__


def test_gilmore_lawler_of_nugent_is_the_published_bound() -> None:
    """QAPLIB lists 493 for nug12 and 4539 for nug30 as Gilmore-Lawler bounds."""
    for name, bound in (("nug12", 493), ("nug30", 4539)):
        assert gilmore_lawler(problem_of(nugent(name))) == bound


def test_gilmore_lawler_refuses_large_problems() -> None:
    with pytest.raises(ValueError, match="101 items"):
        gilmore_lawler(problem_of(((NONE, NONE, NONE), grid(101, 1), 101)))


def test_rings() -> None:
    assert ring_distances(12, (1, 1), 1).tolist() == [1] * 4 + [2] * 8
    assert ring_distances(12, (1, 1), 4).tolist() == [0] * 3 + [1] * 9  # the first ring is the router itself
    assert ring_distances(6, (2, 5), 1).tolist() == [2, 2, 4, 4, 5, 5]


def test_a_star_that_fills_its_rings_meets_the_bound() -> None:
    """A source with 12 targets in the middle of a mesh: 4 at one hop, 8 at two. Each pair counts half from either end."""
    sites = grid(5, 5)
    away = np.abs(sites - 2).sum(1)
    near = np.flatnonzero((away > 0) & (away <= 2))
    centre = int(np.flatnonzero(away == 0)[0])
    pairs = (np.zeros(12, np.int64), np.arange(1, 13), np.ones(12, np.int64))
    problem = problem_of((pairs, sites, 13))
    assert problem.cost(np.concatenate(([centre], near))) == 20
    assert ring_bound(problem) == (20 + 12) // 2


def test_least_assignment_against_all_assignments() -> None:
    random = np.random.default_rng(0)
    for n, m in ((1, 1), (3, 3), (4, 6), (5, 5)):
        cost = random.integers(-50, 50, (n, m))
        best = min(int(cost[np.arange(n), list(c)].sum()) for c in itertools.permutations(range(m), n))
        assert least_assignment(cost) == best
