"""The cost of a placement, and what a problem refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import InternalError
from partitioner.place.problem import make_problem

from .instances import NONE, NUGENT, grid, nugent, problem_of
from .strategies import Arguments, plain_cost, problems


@pytest.mark.parametrize("name", sorted(NUGENT))
def test_published_optimal_permutations_cost_what_is_published(name: str) -> None:
    _, optimum, facility_at = NUGENT[name]
    site = np.argsort(np.array(facility_at) - 1)
    assert problem_of(nugent(name)).cost(site) == optimum


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 99))
def test_cost_is_the_plain_sum(case: Arguments, seed: int) -> None:
    site = np.random.default_rng(seed).permutation(len(case["sites"]))[: len(case["anchors"])]
    assert make_problem(**case).cost(site) == plain_cost(case, site)


def test_rows_are_symmetric_sorted_and_merged() -> None:
    pairs = (np.array([0, 1, 0, 2, 2]), np.array([1, 0, 1, 2, 0]), np.array([3, 4, 0, 9, 5]))
    problem = make_problem(pairs, grid(2, 2), np.array([[0], [6], [0]]), np.array([[9, 9]]))
    assert problem.indptr.tolist() == [0, 2, 4, 5]
    assert problem.index.tolist() == [1, 2, 0, 3, 0]  # anchor 0 is number 3
    assert problem.weight.tolist() == [7, 5, 7, 6, 5]


@pytest.mark.parametrize(
    ("pairs", "sites", "anchors", "points"),
    [
        ((np.array([0]), np.array([3]), np.array([1])), 4, (3, 0), 0),  # an item that does not exist
        ((np.array([0]), np.array([1]), np.array([-1])), 4, (3, 0), 0),  # a negative weight
        ((np.array([0]), np.array([1, 2]), np.array([1])), 4, (3, 0), 0),  # lengths differ
        ((NONE, NONE, NONE), 2, (3, 0), 0),  # fewer sites than items
        ((NONE, NONE, NONE), 4, (3, 1), 0),  # an anchor without a place
        ((np.array([0]), np.array([1]), np.array([2**61])), 4, (3, 0), 0),  # more than 64 bits
    ],
)
def test_contradictions_are_refused(
    pairs: tuple[object, ...], sites: int, anchors: tuple[int, int], points: int
) -> None:
    with pytest.raises(InternalError, match="ND9061"):
        make_problem(pairs, grid(sites, 1), np.ones(anchors, np.int64), np.zeros((points, 2)))  # type: ignore[arg-type]


def test_a_placement_with_a_site_used_twice_is_refused() -> None:
    problem = problem_of(((NONE, NONE, NONE), grid(2, 1), 2))
    with pytest.raises(InternalError, match="ND9060"):
        problem.check(np.array([1, 1]))
