from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.flow.routes import HOST
from neurodeploy.ir.fixedpoint import Ints
from partitioner.chips import hypergraph
from partitioner.chips.divide import Division, Task, divide, filled
from partitioner.chips.hypergraph import Hyper, make_hyper, of_nets
from partitioner.chips.refine import refine, repair
from partitioner.chips.runs import best_runs, listeners, receivers
from tests.nets import make_nets

FREE = -1


def hyper(cores: int, pairs: list[tuple[int, int, int]], edges: list[tuple[list[int], int]] | None = None) -> Hyper:
    edges = edges or []
    u, v, weight = np.array(pairs, np.int64).reshape(-1, 3).T
    number = np.repeat(np.arange(len(edges)), [len(pins) for pins, _ in edges])
    pins = np.array([pin for own, _ in edges for pin in own], np.int64)
    return make_hyper(
        cores, np.minimum(u, v), np.maximum(u, v), weight, number, pins, np.array([w for _, w in edges], np.int64)
    )


def task(
    graph: Hyper,
    capacity: list[int],
    groups: list[list[int]] | None = None,
    fixed: dict[int, int] | None = None,
    together: tuple[tuple[int, int, int], ...] = (),
) -> Task:
    where = np.full(graph.cores, FREE, np.int64)
    for core, chip in (fixed or {}).items():
        where[core] = chip
    return Task(
        graph, tuple(np.array(g, np.int64) for g in groups or []), np.array(capacity, np.int64), where, together
    )


def parts(division: Division) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(division.chip == k).tolist()) for k in set(division.chip.tolist())}


def brute_runs(graph: Hyper, capacity: list[int]) -> int:
    """The least cut of all runs, by trying them all."""
    best = None
    for ends in product(range(graph.cores + 1), repeat=len(capacity) - 1):
        bounds = [0, *ends, graph.cores]
        sizes = np.diff(bounds)
        if (sizes >= 0).all() and (sizes <= capacity).all():
            cut = graph.cut(np.repeat(np.arange(len(capacity)), sizes))
            best = cut if best is None else min(best, cut)
    assert best is not None
    return best


@st.composite
def graphs(draw: st.DrawFn) -> Hyper:
    cores = draw(st.integers(2, 8))
    core = st.integers(0, cores - 1)
    pairs = [(a, b, w) for a, b, w in draw(st.lists(st.tuples(core, core, st.integers(1, 9)), max_size=12)) if a != b]
    edges = draw(st.lists(st.tuples(st.lists(core, min_size=1, max_size=5), st.integers(1, 9)), max_size=4))
    return hyper(cores, pairs, edges)


@settings(max_examples=120, deadline=None)
@given(graphs(), st.integers(2, 3), st.integers(0, 2))
def test_runs_are_the_best_of_all_runs(graph: Hyper, count: int, waste: int) -> None:
    capacity = [-(-graph.cores // count) + waste] * count
    job = task(graph, capacity)
    runs = best_runs(graph, np.arange(graph.cores), job.capacity, job.fixed)
    assert (np.bincount(runs, minlength=count) <= capacity).all()
    assert (np.diff(runs) >= 0).all()
    assert graph.cut(runs) == brute_runs(graph, capacity)
    assert divide(job, 0)[0].cut <= graph.cut(runs) <= filled(job).cut


@settings(max_examples=40, deadline=None)
@given(graphs(), st.data())
def test_every_core_has_a_chip_with_room_and_pins_hold(graph: Hyper, data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 4))
    count = -(-graph.cores // size) + 1
    pinned = data.draw(st.dictionaries(st.integers(0, graph.cores - 1), st.just(1), max_size=size))
    groups = data.draw(
        st.lists(st.lists(st.integers(0, graph.cores - 1), min_size=1, max_size=3, unique=True), max_size=2)
    )
    job = task(graph, [size] * count, [sorted(group) for group in groups], pinned)
    for division in (divide(job, 0)[0], filled(job)):
        assert (np.bincount(division.chip, minlength=count) <= size).all()
        assert all(division.chip[core] == chip for core, chip in pinned.items())
        assert division.cut == graph.cut(division.chip)


def test_the_cut_counts_pairs_and_the_chips_that_a_broadcast_needs() -> None:
    graph = hyper(6, [(0, 1, 5), (2, 3, 7)], [([0, 2, 3, 5], 10)])
    assert graph.cut(np.array([0, 0, 0, 0, 0, 0])) == 0
    assert graph.cut(np.array([0, 1, 2, 2, 1, 1])) == 5 + 2 * 10
    assert graph.floor(2) == 10


def test_nets_become_pairs_and_broadcasts() -> None:
    """Host -> 0, 1, 2; 0 -> 1 and 2; 1 -> host; 1 -> 0."""
    source, target = np.array([HOST, HOST, HOST, 0, 0, 1, 1]), np.array([0, 1, 2, 1, 2, HOST, 0])
    nets = make_nets(3, source, target, np.array([0, 0, 0, 1, 1, 2, 3]), np.array([4, 4, 4, 3, 3, 9, 2]))
    graph = of_nets(nets)
    assert list(zip(graph.u.tolist(), graph.v.tolist(), graph.weight.tolist(), strict=True)) == [(0, 1, 5), (0, 2, 3)]
    assert graph.pins.tolist() == [0, 1, 2]
    assert graph.wide.tolist() == [4]


def test_chips_end_where_layers_end() -> None:
    """Three layers of four cores, chips of five: filling order cuts every layer, runs cut none."""
    layers = hyper(12, [], [([4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3], 10) for k in range(3)])
    job = task(layers, [5, 5, 5])
    assert filled(job).cut == 20
    assert divide(job, 0)[0].cut == 0


@pytest.mark.parametrize("library", [True, False])
def test_cores_that_come_in_no_order_are_put_in_layers(library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if library and hypergraph.library() is None:
        pytest.skip("mtkahypar is not installed")
    if not library:
        monkeypatch.setattr(hypergraph, "library", lambda: None)
    order = np.random.default_rng(3).permutation(60)
    line = [(int(order[k]), int(order[k + 1]), 1) for k in range(59)]
    division, notes = divide(task(hyper(60, line), [10] * 6), 0)
    assert division.cut == 5
    assert (hypergraph.NO_LIBRARY in notes) == (not library)


def test_a_hypergraph_cut_is_taken_where_it_is_better() -> None:
    """A grid of 8 x 8 on four chips of 16: runs of rows cut 24, squares cut 16."""
    if hypergraph.library() is None:
        pytest.skip("mtkahypar is not installed")
    grid = [(8 * y + x, 8 * y + x + 1, 1) for y in range(8) for x in range(7)]
    grid += [(8 * y + x, 8 * y + x + 8, 1) for y in range(7) for x in range(8)]
    division, _ = divide(task(hyper(64, grid), [16] * 4), 0)
    assert division.cut == 16


def test_groups_stay_whole_before_messages_are_saved() -> None:
    """The messages want 1 with 2; the groups are {0, 1} and {2, 3}."""
    graph = hyper(4, [(1, 2, 1000)])
    assert parts(divide(task(graph, [2, 2], [[0, 1], [2, 3]]), 0)[0]) == {frozenset({0, 1}), frozenset({2, 3})}
    assert divide(task(graph, [2, 2]), 0)[0].cut == 0


def test_what_follows_a_group_fills_the_chip_before() -> None:
    """Chips of four: 0 1 2, the group 3 4, then 5 6 7. No run keeps the group whole on two chips."""
    division, _ = divide(task(hyper(8, []), [4, 4], [[3, 4]]), 0)
    assert division.torn == 0


def test_groups_are_torn_rather_than_cost_a_chip() -> None:
    division, _ = divide(task(hyper(9, []), [5, 5], [[0, 1, 2], [3, 4, 5], [6, 7, 8]]), 0)
    assert division.torn == 1
    assert len(set(division.chip.tolist())) == 2


def test_a_group_larger_than_a_chip_takes_as_few_as_it_can() -> None:
    """Seven cores on chips of four behind a single core: 1 + 3 | 4 | .. would take three chips, 4 + 3 two."""
    division, _ = divide(task(hyper(8, []), [4, 4, 4], [[1, 2, 3, 4, 5, 6, 7]]), 0)
    assert division.torn == 0
    assert len(set(division.chip[1:].tolist())) == 2


def test_groups_with_affinity_share_a_chip() -> None:
    groups = [[2 * k, 2 * k + 1] for k in range(4)]
    division, _ = divide(task(hyper(8, []), [4, 4], groups, together=((0, 3, 5), (1, 2, 5))), 0)
    assert division.torn == 0
    assert division.cut == 0
    assert division.chip[0] == division.chip[6]
    assert division.chip[2] == division.chip[4]


def test_a_division_that_overflows_is_repaired() -> None:
    graph = hyper(6, [(0, 1, 9), (2, 3, 9), (4, 5, 9), (3, 4, 1)])
    chip: Ints = repair(graph, np.array([0, 0, 0, 0, 0, 1]), np.array([4, 4]), np.full(6, FREE))
    assert graph.cut(chip) == 1
    assert np.bincount(chip).tolist() == [4, 2]


@settings(max_examples=80, deadline=None)
@given(graphs(), st.data())
def test_moves_and_swaps_never_cut_more(graph: Hyper, data: st.DataObject) -> None:
    chip = np.array(data.draw(st.lists(st.integers(0, 2), min_size=graph.cores, max_size=graph.cores)))
    capacity = np.maximum(np.bincount(chip, minlength=3), data.draw(st.integers(0, 4)))
    fixed = np.where(np.arange(graph.cores) == 0, chip, FREE)
    better = refine(graph, chip, capacity, fixed)
    assert graph.cut(better) <= graph.cut(chip)
    assert (np.bincount(better, minlength=3) <= capacity).all()
    assert better[0] == chip[0]


def test_two_cores_swap_where_chips_are_full() -> None:
    graph = hyper(4, [(0, 2, 5), (1, 3, 5)])
    assert graph.cut(refine(graph, np.array([0, 0, 1, 1]), np.array([2, 2]), np.full(4, FREE))) == 0


def test_reducers_stand_amid_their_senders() -> None:
    """Two rows of three tiles, then the two reducers: a run holds a row with its reducer."""
    sums = [(0, 6, 5), (1, 6, 5), (2, 6, 5), (3, 7, 5), (4, 7, 5), (5, 7, 5)]
    assert receivers(hyper(8, sums)).tolist() == [0, 1, 6, 2, 3, 4, 7, 5]
    assert divide(task(hyper(8, sums), [4, 4]), 0)[0].cut == 0


def test_cores_of_one_broadcast_stand_together() -> None:
    """Even and odd cores listen to one broadcast each."""
    graph = hyper(6, [], [([0, 2, 4], 7), ([1, 3, 5], 7)])
    assert listeners(graph).tolist() == [0, 2, 4, 1, 3, 5]
    assert divide(task(graph, [3, 3]), 0)[0].cut == 0


def test_a_hypergraph_that_is_not_cut_from_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    if hypergraph.library() is None:
        pytest.skip("mtkahypar is not installed")
    line = task(hyper(12, [(k, k + 1, 1) for k in range(11)]), [4, 4, 4])
    assert divide(line, 0)[1] == ()
    monkeypatch.setattr("partitioner.chips.divide.FEW_PINS", 0)
    assert "not cut from nothing" in divide(line, 0)[1][0]
    assert divide(line, 0, thorough=True)[1] == ()
