"""Every product gives the integers of int64 arithmetic, in every shape and at the ends of the ranges."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch  # noqa: F401  (all products can be tried)
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.fast import lane
from simulators.fast import products as fast_products
from simulators.fast.runner import FastRunner
from simulators.products import pairs, tiles
from simulators.products.choice import PRODUCTS, Product
from simulators.reference import ReferenceRunner
from tests.layers import make_island, network_of, payload_for, run_layer
from tests.networks.equality import same_result
from tests.networks.random_networks import all_probes, random_network
from tests.simulators.test_bits import same

#: One that is not exact on this processor has no bits to compare; our own and the floats are on every processor.
HERE = [pytest.param(p, id=p.name) for p in PRODUCTS if p.usable()]
#: (payloads, neurons, columns): single ones, the edges of vectors (8, 16, 32), of panels and groups, of columns at a time.
PAIRS = PRODUCTS[0]
SHAPES = [
    (1, 1, 1), (3, 2, 1), (1, 17, 7), (2, 8, 16), (7, 16, 31), (8, 15, 32), (9, 33, 33), (5, 40, 639), (8, 40, 640),
    (11, 24, 641), (1, 50, 1300), (20, 9, 2049), (64, 1, 64), (33, 100, 3),
]  # fmt: skip


def exact(x: Any, weight: Any) -> Any:
    return x.astype(np.int64) @ weight.T.astype(np.int64)


def largest(x: Any, weight: Any) -> int:
    return int((np.abs(x.astype(np.int64)) @ np.abs(weight.T.astype(np.int64))).max(initial=0))


def test_those_that_need_no_special_processor_are_exact_here() -> None:
    assert {"int16", "float32", "float64"} <= {p.name for p in PRODUCTS if p.usable()}


@pytest.mark.parametrize("product", HERE)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_and_extremes(product: Product, shape: tuple[int, int, int]) -> None:
    rows, neurons, columns = shape
    low, high = np.iinfo(product.digit).min, np.iinfo(product.digit).max
    random = np.random.default_rng(columns)

    def filled(shape: tuple[int, int], value: int | None, low: int, high: int, kind: Any) -> Any:
        return (random.integers(low, high + 1, shape) if value is None else np.full(shape, value)).astype(kind)

    for payload in (low, high, None):
        for value in (-128, 127, None):
            x = filled((rows, columns), payload, low, high, product.digit)
            weight = filled((neurons, columns), value, -128, 127, np.int8)
            wanted = exact(x, weight)
            for stored in (weight, np.asfortranarray(weight)):
                for bound in (largest(x, weight), 1 << 45):
                    found = product(x, stored, bound)
                    assert found.dtype in (np.int32, np.int64)
                    assert np.array_equal(found, wanted), (payload, value, bound)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 20), neurons=st.integers(1, 70), columns=st.integers(1, 1500), seed=st.integers(0, 999),
    weights=st.sampled_from([np.int8, np.int16]), payloads=st.sampled_from([np.int8, np.int16]), top=st.integers(1, 15),
)  # fmt: skip
def test_pairs_on_random_shapes(
    rows: int, neurons: int, columns: int, seed: int, weights: Any, payloads: Any, top: int
) -> None:
    """16-bit weights too, as long as the sums fit 32 bits; a view of a larger matrix as it comes from a block of neurons."""
    random = np.random.default_rng(seed)
    most = min(1 << top, np.iinfo(weights).max)
    x = random.integers(-100, 101, (rows, columns)).astype(payloads)
    stored = random.integers(-most, most + 1, (neurons + 5, columns)).astype(weights)
    if largest(x, stored) < 2**31:
        assert np.array_equal(PAIRS(x, stored[3 : 3 + neurons], largest(x, stored)), exact(x, stored[3 : 3 + neurons]))


@pytest.mark.parametrize("threads", [3], indirect=True)
def test_parts_of_threads_do_not_change_bits(threads: int) -> None:
    random = np.random.default_rng(1)
    x, weight = random.integers(-32768, 32768, (9, 70)), random.integers(-128, 128, (130, 70)).astype(np.int8)
    x = x.astype(np.int16)
    assert np.array_equal(PAIRS(x, weight, 1 << 40), exact(x, weight))


def test_no_lane_can_overflow() -> None:
    """The largest products of 8-bit weights, as many as a lane of the fewest lanes adds up before it is widened."""
    assert pairs.CUT // 4 * 2**15 * 2**7 < 2**31 and pairs.CUT % tiles.WIDEST == 0


@pytest.mark.parametrize("product", HERE)
@pytest.mark.parametrize(("bits", "wide"), [(8, 0), (8, 3), (12, 0), (16, 0), (16, 7)])
def test_the_whole_runner_with_each_product(
    monkeypatch: pytest.MonkeyPatch, product: Product, bits: int, wide: int
) -> None:
    monkeypatch.setattr(lane, "choose", lambda *_: product)
    for extreme in (False, True):
        island = make_island(30, 2500, bits=bits, wide=wide, bias=True, acc_shift=10, extreme=extreme)
        for tokens in (1, 9):
            payload = payload_for(island, tokens)
            same(run_layer(ReferenceRunner(), island, payload), run_layer(FastRunner(), island, payload))


@pytest.mark.parametrize("product", HERE)
@pytest.mark.parametrize(("bits", "most"), [(8, 8), (12, 4), (10, 3)])
def test_every_axon_with_an_exponent_of_its_own(
    monkeypatch: pytest.MonkeyPatch, product: Product, bits: int, most: int
) -> None:
    """Narrow payloads that have 16 bits once they are raised take the lane, to the last bit and count."""
    monkeypatch.setattr(lane, "choose", lambda *_: product)
    island = make_island(30, 2500, bits=bits, bias=True, acc_shift=10, extreme=True)
    exponents = np.random.default_rng(1).integers(0, most + 1, 2500).astype(np.uint8)
    exponents[0] = most
    island = replace(island, synapses=replace(island.synapses, axon_exp=exponents, block_sums=None))
    assert lane.Lane.of(network_of(island), island.name, lane.Room()) is not None
    for tokens in (1, 9):
        payload = payload_for(island, tokens)
        payload[0, :2] = 2 ** (bits - 1) - 1, 1 - 2 ** (bits - 1)
        same(run_layer(ReferenceRunner(), island, payload), run_layer(FastRunner(), island, payload))


@pytest.mark.parametrize("product", HERE)
def test_spiking_networks_with_each_product(monkeypatch: pytest.MonkeyPatch, product: Product) -> None:
    monkeypatch.setattr(fast_products, "choose", lambda *_: product)
    for seed in range(10_500, 10_515):
        network, inputs, steps = random_network(seed)
        probes = all_probes(network)
        expected = ReferenceRunner().run(network, inputs, steps, probes=probes)
        same_result(FastRunner("gemm").run(network, inputs, steps, probes=probes), expected, f"{seed}")


LIMITED = """
import sys
from simulators.products import tiles
from simulators.products.choice import PRODUCTS
if sys.argv[1] == "none":
    tiles._pair_instruction = lambda codegen: (4, "")
import numpy as np
random = np.random.default_rng(3)
for shape in ((3, 37, 515), (1, 20, 64), (9, 16, 700)):
    for x in (None, -32768, 32767):
        a = random.integers(-32768, 32768, (shape[0], shape[2])) if x is None else np.full((shape[0], shape[2]), x)
        b = random.integers(-128, 128, shape[1:]) if x is None else np.full(shape[1:], -128)
        a, b = a.astype(np.int16), b.astype(np.int8)
        assert np.array_equal(PRODUCTS[0](a, b, 1 << 40), a.astype(np.int64) @ b.T.astype(np.int64)), (shape, x)
print(tiles.lanes())
"""


@pytest.mark.parametrize(("limit", "lanes"), [("avx2", 8), ("sse2", 4), ("none", 4)])
def test_other_processors_give_the_same_bits(limit: str, lanes: int, tmp_path: Any, monkeypatch: Any) -> None:
    """The kernel as it is compiled for AVX2, for SSE2, and for a processor without an instruction for pairs."""
    from llvmlite import binding

    if limit != "none" and not binding.get_host_cpu_features().get(limit):
        pytest.skip(f"this processor has no {limit}")
    monkeypatch.setenv("NEURODEPLOY_ISA", "" if limit == "none" else limit)
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)
    if limit == "none":  # generated otherwise than its features say: not to be kept
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", LIMITED, limit], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(lanes)), done.stderr
