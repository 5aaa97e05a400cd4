"""Counts by row range against the written-out synapses, and bounds that hold and are reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from neurodeploy.ir.network import Projection
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Conv, Dense, Direct, Sparse, build
from neurodeploy.synapses.window import boxes
from tests.networks.random_networks import random_network
from tests.synapses.convolutions import sum_pool, transposed_conv
from tests.synapses.test_build import draw


def synapses() -> Iterator[Synapse]:
    for seed in range(40):
        network, _, _ = random_network(seed)
        yield from (p.synapse for p in network.projections)
    for seed in range(20):
        for transposed in (False, True):
            kernel, arguments, shape = draw(seed, transposed)
            turned = {name: value[::-1] if isinstance(value, tuple) else value for name, value in arguments.items()}
            if transposed:
                yield transposed_conv(build.from_torch_transposed_kernel(kernel, turned["groups"]), shape, **turned)
            else:
                yield build.conv(build.from_torch_kernel(kernel), shape, **turned)


def test_counts_by_rows_equal_the_written_out_synapses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodeploy.ir.synapse.PIECE", 5)
    rng = np.random.default_rng(0)
    kinds: set[str] = set()
    for synapse in synapses():
        kinds.add(type(synapse).__name__)
        whole = synapse.coo()
        edges = np.sort(rng.integers(0, synapse.rows + 1, 2))
        for rows in ((0, synapse.rows), (int(edges[0]), int(edges[1])), (synapse.rows - 1, synapse.rows)):
            within = (rows[0] <= whole.row) & (whole.row < rows[1])
            expected = np.bincount(whole.column[within], minlength=synapse.columns)
            np.testing.assert_array_equal(synapse.axons(rows), expected > 0)
            for mine, all_ in zip(synapse.coo(rows), whole, strict=True):
                np.testing.assert_array_equal(mine, all_[within])
            if isinstance(synapse, Direct):
                assert synapse.stored_weights(rows) == synapse.fan_out(rows).sum() == 0
                continue
            np.testing.assert_array_equal(synapse.fan_out(rows), expected)
            if not isinstance(synapse, Conv):
                assert synapse.stored_weights(rows) == expected.sum()
        np.testing.assert_array_equal(synapse.fan_out(), synapse.fan_out((0, synapse.rows)))
        nonzero = np.bincount(whole.column[whole.weight != 0], minlength=synapse.columns)
        np.testing.assert_array_equal(
            synapse.nonzero_fan_out(), 0 * nonzero if isinstance(synapse, Direct) else nonzero
        )
        assert synapse.count() == (0 if isinstance(synapse, Direct) else whole.row.size)
    assert kinds == {"Dense", "Sparse", "Conv", "Direct"}


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
                for xs, ys, cs in boxes(shape, first, last)
                for x in range(*xs)
                for y in range(*ys)
                for c in range(*cs)
            ]
            assert found == list(range(first, last))
            assert len(list(boxes(shape, first, last))) <= 5


def test_a_kernel_is_stored_once() -> None:
    pool = sum_pool((8, 8, 4), (2, 2))
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


def project(synapse: Synapse, graded: bool) -> Projection:
    return Projection("p", "a", "b", synapse, graded=graded)


@pytest.mark.parametrize("graded", [False, True])
def test_no_sum_exceeds_the_bound_and_one_reaches_it(graded: bool) -> None:
    payload_max = 300
    rng = np.random.default_rng(1)
    for synapse in synapses():
        if isinstance(synapse, Direct):
            assert project(synapse, graded).largest_sum(payload_max) == payload_max
            continue
        bound = project(synapse, graded).largest_sum(payload_max)
        coo = synapse.coo()
        matrix = np.zeros((synapse.rows, synapse.columns), object)
        matrix[coo.row, coo.column] = [int(w) for w in coo.weight]
        low, high = (-payload_max, payload_max) if graded else (0, 1)
        for _ in range(3):
            x = rng.integers(low, high + 1, synapse.columns)
            assert max(abs(int(s)) for s in matrix @ x) <= bound
        worst = [
            int(np.where(row > 0, row * high, row * low).sum())
            if sign
            else -int(np.where(row > 0, row * low, row * high).sum())
            for row in matrix
            for sign in (True, False)
        ]
        assert max(worst) <= bound
        if not isinstance(synapse, Conv):
            assert max(worst) == bound


def test_bound_of_a_convolution_is_reached_inside() -> None:
    conv = build.conv(np.array([1, -2, 3]).reshape(1, 3, 1, 1), (5, 1, 1))
    assert project(conv, True).largest_sum(10) == 60
    assert project(conv, False).largest_sum(10) == 4


def _delayed(synapse: Any, delay: Any) -> list[int]:
    p = Projection("p", "a", "b", synapse, delay=None if delay is None else np.array(delay, np.uint8))
    return p.delays_of(synapse.coo()).tolist()


def test_delays_of_every_form() -> None:
    dense = Dense(np.array([[1, 2], [3, 4], [5, 6]], np.int8))
    assert _delayed(dense, None) == [0] * 6
    assert _delayed(dense, [7, 8]) == [7, 7, 7, 8, 8, 8]
    assert _delayed(dense, [[1, 2], [3, 4], [5, 6]]) == [1, 3, 5, 2, 4, 6]
    sparse = build.sparse_from_coo(3, 2, np.array([2, 0, 1]), np.array([0, 1, 1]), np.array([9, 8, 7]))
    assert _delayed(sparse, [4, 5]) == [4, 5, 5]
    assert _delayed(sparse, [1, 2, 3]) == [1, 2, 3]
    assert _delayed(sum_pool((2, 1, 1), (2, 1)), [3, 4]) == [3, 4]


def test_one_delay_a_synapse_where_both_readings_have_the_same_shape() -> None:
    sparse = build.sparse_from_coo(3, 2, np.array([2, 1]), np.array([1, 1]), np.array([9, 8]))
    assert isinstance(sparse, Sparse)
    assert _delayed(sparse, [1, 2]) == [1, 2]
