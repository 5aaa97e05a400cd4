"""The comparison with other simulators: our side does the work that the file says, and what is missing is told."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> object:
    """Load a script of the benchmarks as a module, without leaving a trace in `sys`."""
    monkeypatch.syspath_prepend(str(BENCHMARKS / "rivals"))

    def loaded(name: str, path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return loaded


@pytest.mark.parametrize("runner", ["reference", "fast"])
def test_our_side_runs_the_network_of_the_file(load: object, runner: str) -> None:
    shared = load("shared", BENCHMARKS / "rivals" / "shared.py")
    ours = load("ours", BENCHMARKS / "rivals" / "ours.py")
    rng = np.random.default_rng(5)
    weights = (2 * rng.integers(-63, 64, (3, 24, 24))).astype(np.int8)
    work = shared.Problem(weights, rng.random((80, 24)) < 0.2, shared.DECAY_12BIT, 150)
    wanted = []
    x = work.spikes.astype(np.int64)
    for weight in weights:
        x = np.vstack([np.zeros((1, 24), np.int64), x[:-1]])  # a synapse takes one step
        v, out = np.zeros(24, np.int64), []
        for row in x:
            kept = v * (4096 - work.decay_12bit)
            v = np.sign(kept) * (np.abs(kept) >> 12) + ((weight.astype(np.int64) @ row) << 6)
            out.append(v > work.threshold << 6)
            v[out[-1]] = 0
        x = np.array(out).astype(np.int64)
        wanted.append(int(x.sum()))
    assert min(wanted) > 50
    assert ours.measure(work, runner).layer_spikes == wanted


def test_the_work_is_the_same_file_for_all(load: object, tmp_path: Path) -> None:
    shared = load("shared", BENCHMARKS / "rivals" / "shared.py")
    shared.make(str(tmp_path / "work.npz"), 20)
    work = shared.load(str(tmp_path / "work.npz"), 50)
    assert work.steps == 50 and np.array_equal(work.spikes[20:40], work.spikes[:20])
    assert work.weights.shape == (shared.LAYERS, shared.SIZE, shared.SIZE) and not (work.weights % 2).any()


def test_a_simulator_that_is_not_installed_is_told(
    load: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = load("spiking_against_rivals", BENCHMARKS / "spiking_against_rivals.py")
    monkeypatch.delenv("NEURODEPLOY_RIVAL_NEST", raising=False)
    rows = driver.compare(["nest"], tmp_path, 1, str(tmp_path / "work.npz"))
    assert "not installed: nest-simulator" in rows[0].reason and rows[0].reason in driver.table(rows)
