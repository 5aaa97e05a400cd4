"""Sizes that random programs do not reach: many events a step, tiles, threads' parts, wide sums, convolutions of real
shapes."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Conv, Dense, Sparse, build
from simulators.fast import links
from simulators.fast import wiring as wirings
from simulators.fast.conv import pack
from simulators.fast.runner import PATHS, FastRunner
from simulators.reference import ReferenceRunner
from tests.networks_fast.compare import assert_same
from tests.synapses.convolutions import sum_pool, transposed_conv, unpool

Array = NDArray[Any]


def network(synapse: Synapse, model: str = "lif", **projection: Any) -> Network:
    """An input, one projection, one population that also feeds itself sparsely."""
    params: dict[str, Any] = {"du": 3000, "dv": 500, "vth": 60} if model == "lif" else {"vth": 100}
    again = build.sparse_from_coo(
        synapse.rows,
        synapse.rows,
        np.arange(synapse.rows)[::-1].copy(),
        np.arange(synapse.rows),
        np.full(synapse.rows, 50),
    )
    graded = {"graded": model != "lif"}
    return Network(
        "shapes",
        {"in": Population("in", (synapse.columns,), INPUT), "out": Population("out", (synapse.rows,), model, params)},
        (Projection("p", "in", "out", synapse, **{**graded, **projection}), Projection("again", "out", "out", again)),
        ("out",),
    )


def check(made: Network, inputs: Array) -> None:
    """All paths; the neurons must not be silent."""
    steps = inputs.shape[1]
    expected = ReferenceRunner().run(made, {"in": inputs}, steps)
    assert sum(int(counts.sum()) for counts in expected.activity.fired["out"].values())
    for path in PATHS:
        assert_same(expected, FastRunner(path).run(made, {"in": inputs}, steps), path)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32])
@pytest.mark.parametrize("graded", [False, True])
def test_more_events_than_a_narrow_sum_holds(kind: type, graded: bool) -> None:
    """700 axons of -128 at once: beyond int16, and more than one tile of rows."""
    rng = np.random.default_rng(1)
    weight = rng.integers(-128, 128, (900, 700)).astype(kind)
    weight[:100] = -128
    weight[100:200] = 127
    payload = rng.integers(-9, 10, (2, 5, 700)) if graded else rng.random((2, 5, 700)) < 0.9
    payload[:, 0] = 1
    check(network(Dense(weight), "graded_vec" if graded else "lif"), payload)


def test_memory_orders_of_dense_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """C order, Fortran order and a slice give the same, by torch too; only Fortran order is used without a copy."""
    importlib.import_module("torch")
    rng = np.random.default_rng(2)
    large = rng.integers(-128, 128, (80, 120), dtype=np.int8)
    payload = rng.random((1, 6, 60)) < 0.3
    for weight in (large[:, :60], np.asfortranarray(large[:, :60]), large[::2, ::2], large[:, 60::-1][:, :60]):
        check(network(Dense(weight)), payload)
    fortran = np.asfortranarray(large)
    wiring = wirings.DenseWiring(network(Dense(fortran)).projections[0])
    assert np.shares_memory(wiring.weight, fortran)
    monkeypatch.setattr(wirings, "TILE_ROWS", 300)
    check(network(Dense(rng.integers(-128, 128, (700, 60), dtype=np.int8))), payload)


@pytest.mark.parametrize("exponent", [-3, 0, 5, 20])
def test_sums_that_wrap_are_counted(exponent: int) -> None:
    rng = np.random.default_rng(3)
    weight = rng.integers(-(2**31), 2**31, (20, 30)).astype(np.int32)
    payload = rng.integers(-(2**31), 2**31, (2, 6, 30))
    made = network(Dense(weight), "graded_vec", weight_exp=exponent)
    assert ReferenceRunner().run(made, {"in": payload}, 6).activity.wrapped["p"]
    check(made, payload)
    check(made, np.sign(payload))


@pytest.mark.parametrize("exponent", [0, 8, 9])
def test_sums_beyond_int64(monkeypatch: pytest.MonkeyPatch, exponent: int) -> None:
    """With exponents of axons too: raised to 31 bits, and beyond 32."""
    weight = np.full((3, 8), 2**31 - 1, np.int32)
    delay, exponents = (
        np.array([0, 1, 2, 0, 1, 2, 0, 1], np.uint8),
        np.full(8, exponent, np.uint8) if exponent else None,
    )
    made = network(Dense(weight), "graded_vec", delay=delay, axon_exp=exponents)
    calls = []
    slow = links.contribution
    monkeypatch.setattr(links, "contribution", lambda *args: calls.append(1) or slow(*args))
    check(made, (-(2**31) + np.arange(40).reshape(1, 5, 8) ** 3) >> min(exponent, 8))
    assert calls


CONVOLUTIONS = {
    "stride": build.conv(np.ones((4, 5, 5, 3), int), (17, 13, 3), (2, 2)),
    "padding": build.conv(np.ones((8, 3, 3, 2), int), (9, 8, 2), (1, 1), (1, 1)),
    "stride 3 of 2 taps": build.conv(np.ones((3, 2, 2, 2), int), (11, 9, 2), (3, 3), (1, 1)),
    "dilation": build.conv(np.ones((4, 3, 3, 2), int), (12, 12, 2), (1, 2), (2, 1), (2, 3)),
    "groups": build.conv(np.ones((6, 3, 2, 2), int), (8, 8, 4), (1, 1), (1, 0), (1, 1), 2),
    "pool": sum_pool((8, 6, 5), (2, 2)),
    "unpool": unpool((4, 3, 5), (2, 2)),
    "transposed": transposed_conv(np.ones((4, 3, 3, 3), int), (6, 5, 3), (2, 2), (1, 1), (1, 1), 1, (1, 1)),
    "transposed, dilated": transposed_conv(np.ones((4, 3, 3, 3), int), (6, 5, 3), (2, 1), (1, 1), (2, 2)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    rng = np.random.default_rng(4)
    ones = CONVOLUTIONS[name]
    for kind, limit in ((np.int8, 128), (np.int16, 3000)):
        weight = rng.integers(-limit, limit, ones.weight.shape).astype(kind)
        c = Conv(weight, *(getattr(ones, f) for f in (
            "input_shape", "stride", "padding", "dilation", "groups", "transposed", "output_padding"
        )))  # fmt: skip
        assert (pack(c) is None) == (c.groups > 1 or c.dilation[1] > 1)
        check(network(c), rng.random((2, 4, c.columns)) < 0.2)
        check(network(c, "graded_vec"), rng.integers(-300, 300, (1, 3, c.columns)))
        check(network(c, delay=rng.integers(0, 4, c.columns).astype(np.uint8)), rng.random((1, 6, c.columns)) < 0.2)


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurodeploy.machine import threads

    rng = np.random.default_rng(5)
    weight = rng.integers(-128, 128, (300, 200), dtype=np.int8)
    sparse = build.sparse_from_coo(300, 200, *np.nonzero(weight > 60), weight[weight > 60])
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "GRAIN", 1)
    torch.set_num_threads(2)
    try:
        for synapse in (Dense(weight), sparse, build.conv(weight[:8, :72].reshape(8, 3, 3, 8), (5, 5, 8))):
            check(network(synapse), rng.random((3, 9, synapse.columns)) < 0.1)
            check(network(synapse, "graded_vec"), rng.integers(-9, 9, (3, 9, synapse.columns)))
    finally:
        torch.set_num_threads(before)


def test_dense_traffic_takes_a_product_and_sparse_traffic_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wirings, "passes", lambda *_: (1, 0.005))  # as measured with VNNI, whatever runs this
    monkeypatch.setattr(wirings, "slowdown", lambda _: 1.0)
    rng = np.random.default_rng(6)
    made = network(Dense(rng.integers(-128, 128, (512, 512), dtype=np.int8)))
    taken: list[str] = []
    for name in ("clear", "product"):
        inner = getattr(wirings.DenseWiring, name)
        monkeypatch.setattr(wirings.DenseWiring, name, lambda *args, n=name, f=inner: taken.append(n) or f(*args))
    for density, expected in ((0.02, "clear"), (0.9, "product")):
        taken.clear()
        FastRunner().run(made, {"in": rng.random((4, 16, 512)) < density}, 16)
        assert set(taken) == {expected}


def test_memory_of_sparse_synapses() -> None:
    """Targets and weights are used as they are stored; index pointers take 4 bytes an axon."""
    rng = np.random.default_rng(7)
    row, column = np.nonzero(rng.random((50, 40)) < 0.3)
    made = build.sparse_from_coo(50, 40, row, column, rng.integers(-128, 128, row.size))
    assert isinstance(made, Sparse)
    wiring = wirings.SparseWiring(network(made).projections[0])
    assert np.shares_memory(wiring.targets.target, made.target) and np.shares_memory(wiring.weight, made.weight)
    assert wiring.targets.indptr.dtype == np.uint32 and wiring.targets.target.dtype == np.uint16


def test_an_unknown_path() -> None:
    with pytest.raises(UserError, match="ND3220"):
        FastRunner("quick")
