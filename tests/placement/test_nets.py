"""Placement under the half perimeter of nets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from partitioner.placement.bounds import box_bound
from partitioner.placement.nets import place_nets
from partitioner.placement.randomness import shuffled

from .instances import grid


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(0, 40), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32))
def test_valid_exact_not_worse_than_the_start_and_above_the_bound(
    n: int, nets: int, fan: int, capacity: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    sites = grid(6, 5, capacity)
    source, size = random.integers(0, n, nets), random.integers(1, fan + 1, nets)
    indptr = np.concatenate(([0], np.cumsum(size)))
    pins, weight = random.integers(0, n, int(size.sum())), random.integers(1, 50, nets)
    start = random.permutation(len(sites))[:n]

    def price(site: object) -> int:
        total = 0
        for k in range(nets):
            where = sites[np.asarray(site)[np.append(pins[indptr[k] : indptr[k + 1]], source[k])]]
            spread = where.max(0) - where.min(0)
            total += int(weight[k]) * (2 * int(spread[0]) + 3 * int(spread[1]))
        return total

    placed = place_nets(
        source, indptr, pins, weight, n, sites, hop_cost=(2, 3), seed=seed % 100, start=start, moves=3000
    )
    assert len(set(placed.site.tolist())) == n
    assert placed.cost == price(placed.site) <= price(start)
    closed = np.concatenate(([0], np.cumsum(size + 1)))
    assert box_bound(closed, np.insert(pins, indptr[:-1], source), weight, (2, 3), capacity) <= placed.cost
    again = place_nets(
        source, indptr, pins, weight, n, sites, hop_cost=(2, 3), seed=seed % 100, start=start, moves=3000
    )
    assert again.site.tolist() == placed.site.tolist()


def test_a_hidden_chain_of_chips_costs_one_hop_a_net() -> None:
    order = shuffled(64, 11)
    placed = place_nets(order[:-1], np.arange(64), order[1:], np.arange(1, 64), 64, grid(8, 8))
    assert placed.cost == sum(range(1, 64))
