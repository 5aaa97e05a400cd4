from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from partitioner.bound.packing import lower_bound
from partitioner.cost.budget import core_limits
from partitioner.pack.cores import Packing, pack, spread
from targets.loihi2 import LOIHI2
from tests.partitioner_stages.helpers import first_fit_chips

LIMITS = (20, 30, None, 25, None)
DEMANDS = st.lists(st.tuples(*[st.integers(0, 12)] * 5).map(lambda d: (d[0] + 1, *d[1:])), min_size=1, max_size=40)


def packed(demand: Ints, limits: tuple[int | None, ...], keys: Ints | None = None) -> Packing:
    found = pack(demand, limits, np.zeros(len(demand), np.int64) if keys is None else keys, 4)[0]
    return min(found, key=lambda packing: packing.cores)


def used(packing: Packing, demand: Ints) -> Ints:
    total = np.zeros((packing.cores, 5), np.int64)
    np.add.at(total, packing.core, demand)
    return total


@settings(max_examples=150, deadline=None)
@given(DEMANDS, st.data())
def test_no_budget_is_exceeded_and_first_fit_is_never_beaten_by_it(
    demands: list[tuple[int, ...]], data: st.DataObject
) -> None:
    demand = np.array(demands, np.int64)
    keys = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(demands), max_size=len(demands))))
    packing = packed(demand, LIMITS, keys)
    assert (used(packing, demand) <= [2**62 if limit is None else limit for limit in LIMITS]).all()
    assert set(packing.core.tolist()) == set(range(packing.cores))
    for core in range(packing.cores):
        assert len(set(keys[packing.core == core].tolist())) == 1
    assert packing.cores >= lower_bound(demand, LIMITS, keys)
    if not keys.any():
        assert packing.cores <= first_fit_chips(demands, LIMITS, 4)[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 10), min_size=1, max_size=5))
def test_the_bound_holds_for_the_best_packing_of_all(sizes: list[int]) -> None:
    demand = np.array([(size, 0, 0, 0, 0) for size in sizes], np.int64)
    limits = (10, None, None, None, None)
    best = min(
        len(set(choice))
        for choice in product(range(len(sizes)), repeat=len(sizes))
        if all(sum(s for s, c in zip(sizes, choice, strict=True) if c == k) <= 10 for k in set(choice))
    )
    bound = lower_bound(demand, limits, np.zeros(len(sizes), np.int64))
    assert -(-sum(sizes) // 10) <= bound <= best
    assert packed(demand, limits).cores >= best


@pytest.mark.parametrize(
    ("sizes", "bound"),
    [([6, 6, 6], 3), ([4] * 10, 5), ([6, 6, 4, 4], 2), ([7, 4, 4, 4], 3), ([34] * 7, 7), ([5, 5, 1], 2)],
)
def test_the_bound_counts_what_cannot_share(sizes: list[int], bound: int) -> None:
    limit = 50 if 34 in sizes else 10
    demand = np.array([(size, 0, 0, 0, 0) for size in sizes], np.int64)
    assert lower_bound(demand, (limit, None, None, None, None), np.zeros(len(sizes), np.int64)) == bound


def test_small_tiles_fill_the_rest_of_large_ones() -> None:
    demand = np.array([(8, 1, 1, 1, 1)] * 2 + [(2, 1, 1, 1, 1)] * 4, np.int64)
    packing = packed(demand, (10, 1000, None, None, None))
    assert packing.cores == 3
    assert len(set(packing.core[:2].tolist())) == 2


def test_cores_are_emptied_into_each_other() -> None:
    """First fit decreasing takes 3 cores of 12 for 6 5 | 4 4 | 3 2; 6 4 2 and 5 4 3 are two."""
    demand = np.array([(size, 0, 0, 0, 0) for size in (6, 5, 4, 4, 3, 2)], np.int64)
    assert packed(demand, (12, None, None, None, None)).cores == 2


def test_tiles_that_cannot_share_keep_their_order() -> None:
    demand = np.array([(6, 1, 1, 1, 1)] * 50, np.int64)
    found, notes = pack(demand, (10, None, None, None, None), np.zeros(50, np.int64), 4)
    assert [packing.core.tolist() for packing in found] == [list(range(50))]
    assert notes == ()


def test_a_tile_that_exceeds_a_core_is_our_bug() -> None:
    with pytest.raises(InternalError, match="ND9006"):
        pack(np.array([(11, 0, 0, 0, 0)], np.int64), (10, None, None, None, None), np.zeros(1, np.int64), 4)


def test_spread_halves_the_fullest_cores() -> None:
    demand = np.array([(5, 0, 0, 0, 0), (3, 0, 0, 0, 0), (2, 0, 0, 0, 0), (4, 0, 0, 0, 0), (4, 0, 0, 0, 0)], np.int64)
    packing = packed(demand, (10, None, None, None, None))
    assert packing.cores == 2
    wide = spread(packing, demand, (10, None, None, None, None), 1)
    assert wide.cores == 3
    assert used(wide, demand)[:, 0].max() < 10
    assert spread(packing, demand, (10, None, None, None, None), 9).cores == 5


def test_caps_lower_limits_that_are_known() -> None:
    limits = core_limits(LOIHI2, 100, {"in_axons": 50, "synapse_bytes": 80})
    assert limits[:3] == (100, 131072 * 80 // 100, 2048)
    assert core_limits(LOIHI2, None, {"out_axons": 50})[3] is None


def test_many_tiles_come_within_a_hundredth_of_the_bound() -> None:
    draw = np.random.default_rng(0).integers(1, 13, 20_000)
    demand = np.zeros((20_000, 5), np.int64)
    demand[:, 0] = np.where(np.arange(20_000) % 10 == 0, draw, 11)
    keys = np.zeros(20_000, np.int64)
    packing = packed(demand, (12, None, None, None, None), keys)
    assert packing.cores <= 1.01 * lower_bound(demand, (12, None, None, None, None), keys)


def test_groups_need_not_share_cores_and_loose_tiles_fill_their_rests() -> None:
    """Two groups of 6 + 6 and four loose tiles of 4, cores of 10: four cores however they are mixed."""
    demand = np.array([(size, 0, 0, 0, 0) for size in (6, 6, 6, 6, 4, 4, 4, 4)], np.int64)
    groups = np.array([1, 1, 2, 2, 0, 0, 0, 0])
    found, _ = pack(demand, (10, None, None, None, None), np.zeros(8, np.int64), 4, groups=groups)
    apart = [p for p in found if not set(p.core[:2].tolist()) & set(p.core[2:4].tolist())]
    assert min(packing.cores for packing in apart) == 4
    for packing in found:
        assert (used(packing, demand)[:, 0] <= 10).all()
