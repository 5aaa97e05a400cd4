"""Curves visit every site once; levels and spectral orders find structure that a permutation hides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partitioner.place.bisection import metis_bisection
from partitioner.place.curves import curves, hilbert, strips
from partitioner.place.problem import make_problem
from partitioner.place.randomness import shuffled
from partitioner.place.spectral import smooth_vectors
from partitioner.place.starts import all_starts, levels

from .instances import grid, planted, problem_of
from .strategies import Arguments, problems


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(1, 5))
def test_curves_are_permutations(case: Arguments, height: int) -> None:
    for line in curves(case["sites"], (height,)).values():
        assert sorted(line.tolist()) == list(range(len(case["sites"])))


def steps(sites: object, line: object) -> list[int]:
    path = np.asarray(sites)[line]
    return np.abs(np.diff(path, axis=0)).sum(1).tolist()  # type: ignore[no-any-return]


def test_snakes_and_hilbert_never_jump_and_zigzags_only_between_strips() -> None:
    for columns, rows in ((6, 5), (5, 6), (7, 7)):
        sites = grid(columns, rows)
        for name in ("snake", "column-snake"):
            assert set(steps(sites, curves(sites)[name])) == {1}
    path = steps(grid(6, 8), strips(grid(6, 8), 4, upright=False, zigzag=True))
    assert set(path[:23] + path[24:]) == {1}
    assert set(steps(grid(8, 8), hilbert(grid(8, 8)))) == {1}


def test_row_major_and_column_major_are_what_they_say() -> None:
    sites = grid(3, 2)
    assert curves(sites)["row-major"].tolist() == [0, 1, 2, 3, 4, 5]
    assert curves(sites)["column-major"].tolist() == [0, 3, 1, 4, 2, 5]
    assert curves(sites)["snake"].tolist() == [0, 1, 2, 5, 4, 3]


def test_levels_are_longest_paths_and_none_in_a_cycle() -> None:
    def of(edges: list[tuple[int, int]], n: int) -> object:
        source, target = np.array(edges).T
        return levels(problem_of(((source, target, np.ones(len(edges), np.int64)), grid(n, 1), n)))

    found = of([(0, 1), (1, 2), (0, 2), (3, 2)], 5)
    assert found is not None and list(found) == [0, 1, 2, 0, 3]  # type: ignore[call-overload]  # 4 is isolated: behind all
    assert of([(0, 1), (1, 0), (1, 2)], 3) is None


@pytest.mark.parametrize("seed", range(3))
def test_smooth_vectors_order_a_hidden_path(seed: int) -> None:
    order = shuffled(50, seed)
    problem = problem_of(((order[:-1], order[1:], np.full(49, 7)), grid(50, 1), 50))
    rank = np.argsort(np.argsort(smooth_vectors(problem)[:, 0], kind="stable"))[order]
    assert rank.tolist() in (list(range(50)), list(range(49, -1, -1)))


def test_levels_start_recovers_the_planted_layout_from_a_hidden_order() -> None:
    problem, given_order = (problem_of(planted(16, 4, hidden)[0]) for hidden in (5, None))
    best = {name: problem.cost(site) for name, site in all_starts(problem, 0)}
    assert best["levels, column-major"] <= 1.2 * given_order.cost(np.arange(problem.n))
    assert best["column-major"] > 3 * best["levels, column-major"]


@settings(max_examples=20, deadline=None)
@given(problems())
def test_bisection_is_valid(case: Arguments) -> None:
    problem = make_problem(**case)
    site = metis_bisection(problem)
    if site is None:
        pytest.skip("pymetis is not installed")
    problem.check(site)
