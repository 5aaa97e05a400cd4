"""The choice of a product: by speed among the exact ones, kept by processor, and no file or folder can break it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: F401  (all products can be tried)

from neurodeploy.errors import UserError
from neurodeploy.ir.network import Projection
from neurodeploy.machine import instructions
from neurodeploy.synapses import Dense
from simulators.fast import costs as fast_costs
from simulators.fast import wiring as fast_wiring
from simulators.fast.runner import FastRunner
from simulators.fast.traffic import Traffic
from simulators.fast.wiring import DenseWiring
from simulators.products import choice, kept, libraries
from simulators.products.choice import PRODUCTS, Product
from tests.networks.random_networks import random_network
from tests.refusals import refused
from tests.tiny import Cli


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder, and a process that has not measured yet."""
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    choice._speeds.cache_clear()
    yield tmp_path / "cache"
    choice._speeds.cache_clear()
    fast_costs._slowdowns.cache_clear()


def timed(**ns: float) -> dict[str, dict[str, float]]:
    return {f"{size}-{bits}": dict(ns) for size in choice.SAMPLES for bits in (8, 16)}


def test_the_fastest_is_chosen_by_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    found = timed(int16=0.02, float32=0.05) | {"many-8": {"int16": 0.02, "float32": 0.01}}
    monkeypatch.setattr(choice, "speeds", lambda: found)
    assert choice.choose(64, 8).name == "float32"
    assert choice.choose(64, 16).name == choice.choose(1, 8).name == "int16"
    assert choice.nanoseconds(64, 8) == 0.01
    monkeypatch.setattr(choice, "speeds", lambda: timed(int16=0.02, float32=0.01))
    assert choice.choose(64, 16).name == "float32" and choice.choose(64, 16, 12.0 / 500).name == "int16"


def test_an_exact_but_slow_product_of_the_library_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor without VNNI on which `torch._int_mm` is right, at a hundredth of the speed."""
    monkeypatch.setattr(choice, "speeds", lambda: timed(int16=0.015, int_mm=0.9, float32=0.04, float64=0.07))
    assert {choice.choose(rows, bits).name for rows in (1, 512) for bits in (8, 16)} == {"int16"}


def saturating(x: Any, weight: Any, out: Any) -> None:
    """Sums of pairs that saturate at 16 bits, as unsigned by signed bytes are added without VNNI."""
    terms = x.astype(np.int64)[:, None, :] * weight.astype(np.int64)[None]
    terms = np.concatenate([terms, np.zeros((*terms.shape[:2], terms.shape[2] % 2), np.int64)], axis=2)
    out[:] = np.clip(terms[..., ::2] + terms[..., 1::2], -(2**15), 2**15 - 1).sum(axis=2)


def test_a_product_that_rounds_or_saturates_is_never_measured(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    wrong = Product("int_mm", np.int8, saturating)
    assert not wrong.usable()
    monkeypatch.setattr(choice, "PRODUCTS", (wrong, PRODUCTS[0]))
    kept.keep(kept.processor(), timed(int_mm=1e-6, int16=1.0))  # a file that praises it
    assert {choice.choose(rows, bits).name for rows in (1, 64) for bits in (8, 16)} == {"int16"}


def test_speeds_are_measured_once_for_a_processor(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    first = choice.speeds()
    assert all((0 < ns < 1e6) or ns == choice.NEVER for times in first.values() for ns in times.values())
    assert json.loads((folder / "products.json").read_text())[kept.processor()] == first
    choice._speeds.cache_clear()
    monkeypatch.setattr(choice, "_measure", lambda *_: pytest.fail("measured again"))
    assert choice.speeds() == first
    choice._speeds.cache_clear()
    monkeypatch.setattr(kept, "processor", lambda: "another")
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        choice.speeds()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, "\x00\xff", '{"K": 3}', '{"K": {}}', '{"K": {"few-8": []}}',
     *('{"K": {"few-8": {"int16": NS}}}'.replace("NS", ns) for ns in ('"fast"', "NaN", "-1.0", "0.0", "1e999"))],
)  # fmt: skip
def test_a_damaged_file_is_measured_anew(text: str, folder: Path) -> None:
    folder.mkdir()
    path = folder / "products.json"
    path.write_text(text.replace('"K"', json.dumps(kept.processor())), encoding="latin-1")
    found = choice.speeds()
    exact = {name for name, ns in found["many-16"].items() if ns < choice.NEVER}
    assert exact == {p.name for p in PRODUCTS if p.usable()}
    assert json.loads(path.read_text())[kept.processor()] == found


@pytest.mark.parametrize("kind", ["file", "folder", "fifo"])
def test_a_folder_that_cannot_be_used_costs_nothing(kind: str, folder: Path) -> None:
    if kind == "file":
        folder.write_text("not a folder")
    elif kind == "folder":
        (folder / "products.json").mkdir(parents=True)
    else:
        folder.mkdir()
        os.mkfifo(folder / "products.json")
    assert choice.speeds() and choice.choose(1, 16).usable()


def test_the_file_stays_small(folder: Path) -> None:
    for n in range(2 * kept.KEPT):
        kept.keep(f"processor {n}", timed(int16=1.0))
    found = json.loads((folder / "products.json").read_text())
    assert list(found) == [f"processor {n}" for n in range(kept.KEPT, 2 * kept.KEPT)]


def test_a_limit_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setenv("NEURODEPLOY_ISA", "avx3")
    says = r"ND1100 NEURODEPLOY_ISA: 'avx3' is not a limit"
    refused(UserError, f"{says}; set one of avx2, sse2", choice.speeds)
    found = cli("fit", "gpt2")
    assert found.status == 2 and found.err.startswith(f"error {says}")


def test_without_torch_none_is_loaded_and_the_floats_are_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "torch_loaded", lambda: False)
    assert not PRODUCTS[1].usable()
    random = np.random.default_rng(0)
    x = random.integers(-32768, 32768, (5, 300)).astype(np.int16)
    weight = random.integers(-128, 128, (40, 300)).astype(np.int8)
    assert np.array_equal(PRODUCTS[3](x, weight, 2**40), x.astype(np.int64) @ weight.T.astype(np.int64))
    assert {choice.choose(rows, bits).name for rows in (1, 64) for bits in (8, 16)} <= {"int16", "float32", "float64"}


LIMITED = """
import numba, torch, neurodeploy  # in the worst order
from simulators.products import choice, kept
report = choice.report()
assert report["instructions"] == "avx2", report
assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "DEFAULT"), torch.backends.cpu.get_cpu_capability()
key = kept.processor()
assert "avx512" not in key and "vnni" not in key, key
speeds = choice.speeds()
for kind, times in speeds.items():
    rows, bits = (1 if kind.startswith("few") else 64), int(kind.split("-")[1])
    assert times[choice.choose(rows, bits).name] <= min(times["float64"], times["float32"]), speeds
print("done")
"""


def test_a_limited_processor_uses_no_more_and_takes_no_slower_product(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*instructions.LIMITS["avx2"].libraries, "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NEURODEPLOY_ISA", "avx2")
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr


def test_events_are_measured_too_and_a_small_network_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    fast_costs._slowdowns.cache_clear()
    assert 0 < fast_costs.slowdown(False) < 1e4 and 0 < fast_costs.slowdown(True) < 1e4
    events = json.loads((folder / "products.json").read_text())[kept.processor()]["events"]
    assert set(events) == {"spikes", "graded"}
    monkeypatch.setattr(kept, "measured", lambda *_: pytest.fail("measured"))
    network, inputs, steps = random_network(10_600)
    FastRunner().run(network, inputs, steps)


@pytest.mark.parametrize(
    ("product_ns", "events", "by_product"), [(0.005, 1.0, True), (0.9, 1.0, False), (0.005, 30.0, True)]
)
def test_the_choice_between_events_and_a_product_follows_what_was_measured(
    product_ns: float, events: float, by_product: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the neurons send: with VNNI a product is faster; where it takes 0.9 ns (no VNNI), events are."""
    monkeypatch.setattr(choice, "speeds", lambda: timed(int16=product_ns))
    monkeypatch.setattr(fast_wiring, "slowdown", lambda graded: events)
    traffic = Traffic(1, 64, 512, True, 1000)
    traffic.payload[:, :, ::2] = 1
    traffic.list(0, 64)
    weight = np.random.default_rng(0).integers(-100, 101, (2048, 512)).astype(np.int8)
    wiring = DenseWiring(Projection("p", "a", "b", Dense(weight), graded=True))
    by_events, by_product_ns = wiring.cost(traffic, 1 << 20, False)
    assert (by_product_ns < by_events) is by_product
