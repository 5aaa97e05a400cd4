"""Counts by row range against the written-out synapses, and bounds that hold and are reached."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.synapse import ListFormat, Range, Synapse
from neurodeploy.synapses import Conv, Dense, Direct, Sparse, build
from neurodeploy.synapses.window import boxes
from tests.networks.random_networks import random_network
from tests.synapses.convolutions import sum_pool
from tests.synapses.test_build import draw, of_torch


def synapses() -> Iterator[Synapse]:
    for seed in range(40):
        network, _, _ = random_network(seed)
        yield from (p.synapse for p in network.projections)
    for seed in range(20):
        for transposed in (False, True):
            yield of_torch(*draw(seed, transposed), transposed)


FORM = ListFormat(3, 8, 5)


def touched(kind: type[Synapse], synapse: Synapse, rows: Ints, columns: Range) -> tuple[Ints, Ints]:
    """(columns, tiles): how often an axon and a tile are named, and with how many synapses."""
    seen, fan = np.zeros((2, synapse.columns, len(rows)), np.int64)
    for touch in kind._touches(synapse, rows, *columns):
        np.add.at(seen, (touch.axon, touch.tile), 1)
        np.add.at(fan, (touch.axon, touch.tile), touch.fan)
    return seen, fan


def test_the_shorter_ways_of_a_kind_lead_where_the_general_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The general answers follow from the synapses one by one."""
    monkeypatch.setattr("neurodeploy.ir.synapse.PIECE", 7)
    rng = np.random.default_rng(0)
    kinds: set[str] = set()
    for synapse in synapses():
        kinds.add(synapse.kind)
        whole, every = synapse.coo(), (0, synapse.rows)
        cuts = np.unique([*rng.integers(0, synapse.rows, 4), synapse.rows])
        tiles = np.stack([cuts[:-1], cuts[1:]], axis=1)[::2] if len(cuts) > 1 else np.array([every])
        first = int(rng.integers(0, synapse.columns))
        columns = (first, int(rng.integers(first, synapse.columns)) + 1)
        x = rng.integers(-9, 10, (2, synapse.columns))
        asked: list[tuple[str, Any]] = [("sums", (x,))]
        for rows in (None, every, *((int(start), int(stop)) for start, stop in tiles)):
            low, high = rows or every
            for mine, all_ in zip(synapse.coo(rows), whole, strict=True):
                np.testing.assert_array_equal(mine, all_[(low <= whole.row) & (whole.row < high)])
            asked += [] if synapse.wire else [("fan_out", (rows,)), ("axons", (rows,))]
            asked += [("stored_weights", (rows,))] if synapse.own_delays else []
            asked += [("cost", (rows or every, columns, FORM, False))] if synapse.kind == "sparse" else []
        asked += [] if synapse.wire else [("nonzero_fan_out", ()), ("count", ())]
        asked += [("one_sided", ())] if synapse.own_delays else []
        for name, arguments in asked:
            general = getattr(Synapse, name)(synapse, *arguments)
            np.testing.assert_equal(getattr(synapse, name)(*arguments), general, f"{synapse.kind} {name}")
        seen, fan = touched(type(synapse), synapse, tiles, columns)
        if not synapse.wire:
            np.testing.assert_array_equal((seen, fan), touched(Synapse, synapse, tiles, columns))
        for delayed in (False, True):
            units = synapse.units(delayed)
            entries = np.zeros((units.count, len(tiles)), np.int64)
            np.add.at(entries, units.of(np.arange(synapse.columns)), seen)
            np.testing.assert_array_equal(synapse.destinations(tiles, columns, delayed), (entries > 0).sum(axis=1))
            stored, axons = synapse.costs(tiles, columns, FORM, delayed)
            np.testing.assert_array_equal(axons, (entries > 0).sum(axis=0))
            each = [synapse.cost((int(start), int(stop)), columns, FORM, delayed)[0] for start, stop in tiles]
            assert stored.tolist() == each
    assert kinds == {"dense", "sparse", "conv", "direct"}


def test_no_rows_and_no_columns_touch_nothing() -> None:
    synapse = Sparse(4, 3, np.array([0, 1, 1, 2]), np.array([0, 3], np.uint16), np.ones(2, np.int8))
    assert list(synapse.touches(np.zeros((0, 2), np.int64))) == []
    assert list(synapse.touches(np.array([[0, 4]]), (2, 2))) == []
    (touch,) = synapse.touches(np.array([[0, 4]]))
    assert touch.axon.tolist() == [0, 2] and touch.fan.tolist() == [1, 1]


def test_a_direct_connection_brings_messages_and_drives_nothing() -> None:
    wire, rows = Direct(5), np.array([[0, 2], [3, 5]])
    assert wire.axons((1, 3)).tolist() == [False, True, True, False, False]
    assert wire.count() == wire.stored_weights() == wire.fan_out((1, 3)).sum() == wire.nonzero_fan_out().sum() == 0
    (touch,) = wire.touches(rows, (1, 5))
    assert (touch.axon.tolist(), touch.tile.tolist(), touch.fan.tolist()) == ([1, 3, 4], [0, 1, 1], [0, 0, 0])


def test_no_synapse_is_named_twice() -> None:
    for synapse in synapses():
        coo = synapse.coo()
        pairs = coo.column * synapse.rows + coo.row
        assert bool((np.diff(pairs) > 0).all())
        if not isinstance(synapse, Direct):
            np.testing.assert_array_equal(synapse.weight.reshape(-1)[coo.position], coo.weight)


def test_boxes_are_the_neurons() -> None:
    shape = (4, 3, 2)
    for first in range(25):
        for last in range(first, 25):
            found = [
                (x * 3 + y) * 2 + c
                for box in boxes(shape, first, last)
                for x, y, c in product(*(range(*side) for side in box))
            ]
            assert found == list(range(first, last))
            assert len(list(boxes(shape, first, last))) <= 5


def test_a_kernel_is_stored_once_and_channels_share_an_entry_unless_delayed() -> None:
    pool = sum_pool((8, 8, 4), (2, 2))
    assert (pool.units(False).size, pool.units(True).size, Direct(3).units(False).size) == (4, 1, 1)
    assert (pool.count(), pool.stored_weights()) == (8 * 8 * 4, 4 * 2 * 2)
    assert pool.stored_weights((0, 3)) == 3 * 2 * 2
    assert pool.stored_weights((0, 1000)) == pool.stored_weights((2, 6)) == 4 * 2 * 2
    assert build.dense(np.ones((5, 3), int)).stored_weights((1, 3)) == 2 * 3


def test_large_convolutions_are_counted_without_a_matrix() -> None:
    """2.4 G synapses: a matrix would not fit."""
    large = build.conv(np.ones((64, 3, 3, 64), np.int8), (256, 256, 64), padding=(1, 1))
    counts = large.fan_out()
    assert int(counts.sum()) == large.count() == 64 * 64 * (3 * 256 - 2) ** 2
    half = large.rows // 2 + 17
    np.testing.assert_array_equal(counts, large.fan_out((0, half)) + large.fan_out((half, large.rows)))


def bound_of(synapse: Synapse, graded: bool, payload_max: int) -> int:
    return Projection("p", "a", "b", synapse, graded=graded).largest_sum(payload_max)


@pytest.mark.parametrize("graded", [False, True])
def test_no_sum_exceeds_the_bound_and_one_reaches_it(graded: bool) -> None:
    payload_max = 300
    low, high = (-payload_max, payload_max) if graded else (0, 1)
    rng = np.random.default_rng(1)
    for synapse in synapses():
        bound = bound_of(synapse, graded, payload_max)
        if isinstance(synapse, Direct):
            assert bound == payload_max
            continue
        coo = synapse.coo()
        matrix = np.zeros((synapse.rows, synapse.columns), object)
        matrix[coo.row, coo.column] = [int(w) for w in coo.weight]
        for _ in range(3):
            x = rng.integers(low, high + 1, synapse.columns)
            assert max(abs(int(s)) for s in matrix @ x) <= bound
        most = np.where(matrix > 0, matrix * high, matrix * low).sum(axis=1)
        least = np.where(matrix > 0, matrix * low, matrix * high).sum(axis=1)
        worst = max(*most, *-least)
        assert worst <= bound
        if not isinstance(synapse, Conv):
            assert worst == bound


def test_bound_of_a_convolution_is_reached_inside() -> None:
    conv = build.conv(np.array([1, -2, 3]).reshape(1, 3, 1, 1), (5, 1, 1))
    assert bound_of(conv, True, 10) == 60
    assert bound_of(conv, False, 10) == 4


DENSE = Dense(np.array([[1, 2], [3, 4], [5, 6]], np.int8))
SPARSE = build.sparse_from_coo(3, 2, np.array([2, 0, 1]), np.array([0, 1, 1]), np.array([9, 8, 7]))


@pytest.mark.parametrize(
    ("synapse", "delay", "expected"),
    [
        (DENSE, None, [0] * 6),
        (DENSE, [7, 8], [7, 7, 7, 8, 8, 8]),
        (DENSE, [[1, 2], [3, 4], [5, 6]], [1, 3, 5, 2, 4, 6]),
        (SPARSE, [4, 5], [4, 5, 5]),
        (SPARSE, [1, 2, 3], [1, 2, 3]),
        (sum_pool((2, 1, 1), (2, 1)), [3, 4], [3, 4]),
        # One a synapse where both readings have the same shape.
        (build.sparse_from_coo(3, 2, np.array([2, 1]), np.array([1, 1]), np.array([9, 8])), [1, 2], [1, 2]),
    ],
)
def test_delays_of_every_form(synapse: Any, delay: Any, expected: list[int]) -> None:
    p = Projection("p", "a", "b", synapse, delay=None if delay is None else np.array(delay, np.uint8))
    assert p.delays_of(synapse.coo()).tolist() == expected
