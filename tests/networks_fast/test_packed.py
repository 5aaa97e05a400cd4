"""Packed targets on the fast runner: what its kernels decode, and that they read the network's own memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.packed import PackedTargets
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.synapses import build
from simulators.fast.kernels.targets import add_events, decode
from simulators.fast.runner import FastRunner
from simulators.fast.wiring import SparseWiring
from simulators.reference import ReferenceRunner
from tests.ir.test_packed import SHAPES, made
from tests.networks_fast.compare import assert_same


@pytest.mark.parametrize(("rows", "columns", "mean"), [shape for shape in SHAPES if shape[0] < 10**9])
def test_kernels_read_every_axon(rows: int, columns: int, mean: float) -> None:
    weight = np.random.default_rng(5).integers(-128, 128, 100_000).astype(np.int8)
    for synapse in made(rows, columns, mean):
        wiring = SparseWiring(Projection("p", "a", "b", synapse))
        targets, out = np.zeros(max(1, synapse.widest()), np.int32), np.zeros(rows, np.int32)
        for j in range(columns):
            first, last = int(synapse.indptr[j]), int(synapse.indptr[j + 1])
            decode(j, wiring.targets, targets)
            add_events(0, 1, np.array([j]), np.array([3]), np.zeros(0, np.uint8), wiring.targets, weight, 0, out)
            expected = synapse.targets(j, j + 1)
            np.testing.assert_array_equal(targets[: last - first], expected)
            np.testing.assert_array_equal(out[expected], 3 * weight[first:last].astype(np.int32))
            assert np.count_nonzero(out) == np.count_nonzero(weight[first:last])
            out[:] = 0


@pytest.mark.parametrize("rows", [50_000, 70_000])
@pytest.mark.parametrize("graded", [False, True])
def test_a_large_packed_population(rows: int, graded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built by the builder above its size; delays and a recurrent projection too; two samples, several steps at a time."""
    rng = np.random.default_rng(rows)
    count = 60_000
    column, row = rng.integers(0, 300, count), rng.integers(0, rows, count)
    column, row = np.unique(np.stack([column, row]), axis=1)
    weight = rng.integers(-127, 128, len(row))
    monkeypatch.setattr(build, "PACKED_SYNAPSES", len(row))
    first = build.sparse_from_coo(rows, 300, row, column, weight)
    back = build.sparse_from_coo(rows, rows, row, np.sort(rng.integers(0, rows, len(row)) // 7 * 7), weight)
    assert isinstance(first.target, PackedTargets) and isinstance(back.target, PackedTargets)
    assert first.indptr.dtype == np.uint32
    for array in (first.target.low, first.target.high, first.weight, back.target.low, back.target.high, back.weight):
        array.flags.writeable = False  # as those of a bundle are
    populations = {
        "in": Population("in", (300,), INPUT),
        "a": Population("a", (rows,), "lif", {"du": 2000, "dv": 100, "vth": 2}),
    }
    projections = (
        Projection("first", "in", "a", first, graded=graded),
        Projection("late", "in", "a", first, graded=graded, delay=rng.integers(0, 3, 300).astype(np.uint8)),
        Projection("each", "in", "a", first, graded=graded, delay=rng.integers(0, 3, len(row)).astype(np.uint8)),
        Projection("back", "a", "a", back),
    )
    network = Network("n", populations, projections, ("a",))
    inputs = {"in": rng.integers(-50, 51, (2, 6, 300)) if graded else rng.random((2, 6, 300)) < 0.2}
    expected = ReferenceRunner().run(network, inputs, 6)
    assert expected.activity.fired["a"]["s"].any()
    for steps in (None, 1, 4):
        assert_same(expected, FastRunner(steps=steps).run(network, inputs, 6), f"{rows} {steps}")
    monkeypatch.setattr(build, "PACKED_SYNAPSES", len(row) + 1)
    plain = tuple(
        replace(p, synapse=build.sparse(rows, p.synapse.indptr, p.synapse.targets(), p.synapse.weight))  # type: ignore[union-attr]
        for p in projections
    )
    for p in plain:
        p.synapse.target.flags.writeable = False  # type: ignore[union-attr]
    assert_same(expected, FastRunner().run(replace(network, projections=plain), inputs, 6), "plain")


def test_memory_of_packed_synapses() -> None:
    """Code and weights are used as they are stored."""
    _, packed = made(65_537, 60, 900)
    code = packed.target
    assert isinstance(code, PackedTargets)
    wiring = SparseWiring(Projection("p", "a", "b", packed))
    own = wiring.targets
    assert own.low is code.low and own.high is code.high and wiring.weight is packed.weight
    assert own.indptr is packed.indptr and own.target.size == 0
