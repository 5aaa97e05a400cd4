"""The fast runner gives what the reference gives: random programs, the shapes that these do not reach, packed targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch  # noqa: F401  (all products can be tried)
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.packed import PackedTargets
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Dense, build
from simulators.fast import links
from simulators.fast import wiring as wirings
from simulators.fast.conv import pack
from simulators.fast.kernels.targets import add_events, decode
from simulators.fast.runner import PATHS, FastRunner
from simulators.fast.wiring import SparseWiring
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.ir.test_packed import SHAPES, made
from tests.networks.cuts import random_mapping
from tests.networks.equality import in_two, same_result
from tests.networks.random_networks import all_probes, random_network
from tests.refusals import refused
from tests.synapses.convolutions import sum_pool, transposed_conv, unpool

#: Seeds of the quick run and of the long one. They differ from those with which the reference is tested.
QUICK = range(10_000, 10_240)
LONG = range(20_000, 22_400)
BATCH = 40


def check(seed: int, paths: tuple[str, ...], instant: bool, cores: bool = False) -> None:
    """The whole run with every probe; in blocks of 3 steps without probes of states, which take single steps."""
    network, inputs, steps = random_network(seed, instant=instant)
    probes = all_probes(network)
    expected = ReferenceRunner().run(network, inputs, steps, probes=probes)
    for path in paths:
        same_result(FastRunner(path).run(network, inputs, steps, probes=probes), expected, f"{seed} {path}")
        found = FastRunner(path, steps=3).run(network, inputs, steps)
        found.probes = expected.probes
        same_result(found, expected, f"{seed} {path} in blocks of 3")
    if cores:
        runner = PartitionedRunner(random_mapping(network, seed), get_system("oheo-gulch").chip)
        same_result(runner.run(network, inputs, steps, probes=probes), expected, f"{seed} on cores")


@pytest.mark.parametrize(
    ("first", "instant"), [(n, False) for n in QUICK[::BATCH]] + [(n, True) for n in QUICK[:120:BATCH]]
)
def test_random_programs(first: int, instant: bool) -> None:
    for seed in range(first, first + BATCH):
        check(seed, (PATHS[seed % len(PATHS)],), instant)


@pytest.mark.real
@pytest.mark.parametrize("instant", [False, True])
@pytest.mark.parametrize("first", LONG[::BATCH])
def test_many_random_programs(first: int, instant: bool) -> None:
    for seed in range(first, first + BATCH):
        check(seed, PATHS, instant, cores=True)


@pytest.mark.parametrize("seed", [*range(10_300, 10_330), 10_400])
def test_a_run_in_two_stretches_is_the_same_run(seed: int) -> None:
    network, inputs, steps = random_network(seed, instant=seed % 2 == 1)
    runner = FastRunner(PATHS[seed % len(PATHS)])
    same_result(in_two(runner, network, inputs, steps, steps // 2), runner.run(network, inputs, steps), str(seed))


Array = NDArray[Any]


def network(synapse: Synapse, model: str = "lif", **projection: Any) -> Network:
    """An input, one projection, one population that also feeds itself sparsely."""
    params: dict[str, Any] = {"du": 3000, "dv": 500, "vth": 60} if model == "lif" else {"vth": 100}
    size, neurons = synapse.rows, np.arange(synapse.rows)
    again = build.sparse_from_coo(size, size, neurons[::-1].copy(), neurons, np.full(size, 50))
    return Network(
        "shapes",
        {"in": Population("in", (synapse.columns,), INPUT), "out": Population("out", (size,), model, params)},
        (
            Projection("p", "in", "out", synapse, **{"graded": model != "lif", **projection}),
            Projection("again", "out", "out", again),
        ),
        ("out",),
    )


def all_paths(made: Network, inputs: Array) -> None:
    """All paths; the neurons must not be silent."""
    steps = inputs.shape[1]
    expected = ReferenceRunner().run(made, {"in": inputs}, steps)
    assert sum(int(counts.sum()) for counts in expected.activity.fired["out"].values())
    for path in PATHS:
        same_result(FastRunner(path).run(made, {"in": inputs}, steps), expected, path)


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
    all_paths(network(Dense(weight), "graded_vec" if graded else "lif"), payload)


def test_memory_orders_of_dense_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """C order, Fortran order and a slice give the same, by torch too; only Fortran order is used without a copy."""
    rng = np.random.default_rng(2)
    large = rng.integers(-128, 128, (80, 120), dtype=np.int8)
    payload = rng.random((1, 6, 60)) < 0.3
    for weight in (large[:, :60], np.asfortranarray(large[:, :60]), large[::2, ::2], large[:, 60::-1][:, :60]):
        all_paths(network(Dense(weight)), payload)
    fortran = np.asfortranarray(large)
    wiring = wirings.DenseWiring(network(Dense(fortran)).projections[0])
    assert np.shares_memory(wiring.weight, fortran)
    monkeypatch.setattr(wirings, "TILE_ROWS", 300)
    all_paths(network(Dense(rng.integers(-128, 128, (700, 60), dtype=np.int8))), payload)


@pytest.mark.parametrize("exponent", [-3, 0, 5, 20])
def test_sums_that_wrap_are_counted(exponent: int) -> None:
    rng = np.random.default_rng(3)
    weight = rng.integers(-(2**31), 2**31, (20, 30)).astype(np.int32)
    payload = rng.integers(-(2**31), 2**31, (2, 6, 30))
    made = network(Dense(weight), "graded_vec", weight_exp=exponent)
    assert ReferenceRunner().run(made, {"in": payload}, 6).activity.wrapped["p"]
    all_paths(made, payload)
    all_paths(made, np.sign(payload))


@pytest.mark.parametrize("exponent", [0, 8, 9])
def test_sums_beyond_int64(monkeypatch: pytest.MonkeyPatch, exponent: int) -> None:
    """With exponents of axons too: raised to 31 bits, and beyond 32."""
    weight = np.full((3, 8), 2**31 - 1, np.int32)
    delay = np.array([0, 1, 2, 0, 1, 2, 0, 1], np.uint8)
    exponents = np.full(8, exponent, np.uint8) if exponent else None
    made = network(Dense(weight), "graded_vec", delay=delay, axon_exp=exponents)
    calls = []
    slow = links.contribution
    monkeypatch.setattr(links, "contribution", lambda *args: calls.append(1) or slow(*args))
    all_paths(made, (-(2**31) + np.arange(40).reshape(1, 5, 8) ** 3) >> min(exponent, 8))
    assert calls


CONVOLUTIONS = {
    "stride": build.conv(np.ones((4, 5, 5, 3), int), (17, 13, 3), (2, 2)),
    "padding": build.conv(np.ones((8, 3, 3, 2), int), (9, 8, 2), (1, 1), (1, 1)),
    "stride 3 of 2 taps": build.conv(np.ones((3, 2, 2, 2), int), (11, 9, 2), (3, 3), (1, 1)),
    "dilation": build.conv(np.ones((4, 3, 3, 2), int), (12, 12, 2), (1, 2), (2, 1), (2, 3)),
    "groups": build.conv(np.ones((6, 3, 2, 2), int), (8, 8, 4), (1, 1), (1, 0), (1, 1), 2),
    "pool": sum_pool((8, 6, 5), (2, 2)),
    "unpool": unpool((4, 3, 5), (2, 2)),
    "transposed": transposed_conv(np.ones((4, 3, 3, 3), int), (6, 5, 3), (2, 2), (1, 1), output_padding=(1, 1)),
    "transposed, dilated": transposed_conv(np.ones((4, 3, 3, 3), int), (6, 5, 3), (2, 1), (1, 1), (2, 2)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    rng = np.random.default_rng(4)
    ones = CONVOLUTIONS[name]
    for kind, limit in ((np.int8, 128), (np.int16, 3000)):
        weight = rng.integers(-limit, limit, ones.weight.shape).astype(kind)
        c = replace(ones, weight=weight)
        assert (pack(c) is None) == (c.groups > 1 or c.dilation[1] > 1)
        all_paths(network(c), rng.random((2, 4, c.columns)) < 0.2)
        all_paths(network(c, "graded_vec"), rng.integers(-300, 300, (1, 3, c.columns)))
        all_paths(network(c, delay=rng.integers(0, 4, c.columns).astype(np.uint8)), rng.random((1, 6, c.columns)) < 0.2)


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_threads_change_nothing(threads: int) -> None:
    rng = np.random.default_rng(5)
    weight = rng.integers(-128, 128, (300, 200), dtype=np.int8)
    sparse = build.sparse_from_coo(300, 200, *np.nonzero(weight > 60), weight[weight > 60])
    for synapse in (Dense(weight), sparse, build.conv(weight[:8, :72].reshape(8, 3, 3, 8), (5, 5, 8))):
        all_paths(network(synapse), rng.random((3, 9, synapse.columns)) < 0.1)
        all_paths(network(synapse, "graded_vec"), rng.integers(-9, 9, (3, 9, synapse.columns)))


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
    """Targets, code and weights are used as they are stored; index pointers take 4 bytes an axon."""
    rng = np.random.default_rng(7)
    row, column = np.nonzero(rng.random((50, 40)) < 0.3)
    plain = build.sparse_from_coo(50, 40, row, column, rng.integers(-128, 128, row.size))
    wiring = SparseWiring(network(plain).projections[0])
    assert np.shares_memory(wiring.targets.target, plain.target) and np.shares_memory(wiring.weight, plain.weight)
    assert wiring.targets.indptr.dtype == np.uint32 and wiring.targets.target.dtype == np.uint16
    _, packed = made(65_537, 60, 900)
    code, wiring = packed.target, SparseWiring(Projection("p", "a", "b", packed))
    assert isinstance(code, PackedTargets)
    assert wiring.targets.low is code.low and wiring.targets.high is code.high and wiring.weight is packed.weight
    assert wiring.targets.indptr is packed.indptr and wiring.targets.target.size == 0


def test_an_unknown_path() -> None:
    refused(UserError, "ND3220", FastRunner, "quick")


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
        same_result(FastRunner(steps=steps).run(network, inputs, 6), expected, f"{rows} {steps}")
    monkeypatch.setattr(build, "PACKED_SYNAPSES", len(row) + 1)
    plain = tuple(
        replace(p, synapse=build.sparse(rows, p.synapse.indptr, p.synapse.targets(), p.synapse.weight))  # type: ignore[union-attr]
        for p in projections
    )
    for p in plain:
        p.synapse.target.flags.writeable = False  # type: ignore[union-attr]
    same_result(FastRunner().run(replace(network, projections=plain), inputs, 6), expected, "plain")
