"""An evaluation of a spiking network that was interrupted goes on from its last state and finds the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.pipeline import keeping, stepping
from tests.pipeline.networks import STEPS, Files
from tests.pipeline.test_broken_off import failing
from tests.pipeline.test_runs import interrupting
from tests.tiny import Capture, Patch, call, snapshot

#: The last layer follows the float network two steps later: so many more are run.
LATE = 2


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: Patch) -> Path:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "interrupted"


@pytest.fixture
def ran(monkeypatch: Patch) -> list[int]:
    """Steps that are really run, by stretch."""
    real, steps = stepping.advance, []

    def advance(network: Any, runner: Any, stream: Any, state: Any = None, **options: Any) -> Any:
        steps.append(stream.steps - (state.step if state else 0))
        return real(network, runner, stream, state, **options)

    monkeypatch.setattr(stepping, "advance", advance)
    return steps


def arguments(files: Files, *options: str) -> list[str]:
    return ["eval", str(files.plain_nd), "--input", str(files.spikes), *options]


@pytest.mark.parametrize("runner", ["fast", "reference"])
def test_same_figures(
    runner: str, files: Files, cache: Path, ran: list[int],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    whole = call(arguments(files, "--runner", runner, "--json"), capsys)
    assert (whole.status, ran) == (0, [STEPS + LATE]) and not any(cache.iterdir())
    before = snapshot(files.plain_nd)
    for at, done in ((17, 17), (0, 17), (5, 22)):  # again and again, once before anything new is finished
        with monkeypatch.context() as patch:
            interrupting(at, patch, runner)
            found = call(arguments(files, "--runner", runner), capsys)
        assert (found.status, found.out) == (130, "")
        (folder,) = cache.iterdir()
        line = found.err.splitlines()[-1]
        assert line.startswith(f"error ND3009 eval: was interrupted after step {done} of {STEPS + LATE}; run the same")
        assert str(folder) in line
    ran.clear()
    again = call(arguments(files, "--runner", runner, "--json"), capsys)
    assert again == whole
    assert ran == [STEPS + LATE - 22]
    assert not any(cache.iterdir()) and snapshot(files.plain_nd) == before


def test_interrupted_while_the_float_network_runs(
    files: Files, cache: Path, ran: list[int], monkeypatch: Patch, capsys: Capture
) -> None:
    whole = call(arguments(files, "--json"), capsys)
    for _ in range(2):
        with monkeypatch.context() as patch:
            failing("simulators.float_network.run", 0, KeyboardInterrupt(), patch)
            found = call(arguments(files), capsys)
        assert found.status == 130 and f"after step {STEPS + LATE} of {STEPS + LATE}" in found.err
    ran.clear()
    assert call(arguments(files, "--json"), capsys) == whole
    assert ran == []


@pytest.mark.parametrize("what", ["input", "steps", "runner"])
def test_nothing_of_another_evaluation_is_mixed_in(
    what: str, files: Files, tmp_path: Path, cache: Path, ran: list[int],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:
        failing("simulators.float_network.run", 0, KeyboardInterrupt(), patch)
        assert call(arguments(files), capsys).status == 130
    ran.clear()
    other = tmp_path / "other.npy"
    np.save(other, np.load(files.spikes)[::-1])
    options = {"input": {"input": other}, "steps": {"steps": STEPS - 1}, "runner": {"runner": "reference"}}[what]
    pipeline.eval(**{"bundle": files.plain_nd, "input": files.spikes, **options})
    assert ran == [STEPS + LATE - (what == "steps")]


@pytest.mark.parametrize("damage", ["state", "outputs.npz", "one of them"])
def test_damaged_files_are_not_used(
    damage: str, files: Files, cache: Path, ran: list[int],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    whole = call(arguments(files, "--json"), capsys)
    with monkeypatch.context() as patch:
        failing("simulators.float_network.run", 0, KeyboardInterrupt(), patch)
        assert call(arguments(files), capsys).status == 130
    (folder,) = cache.iterdir()
    file = folder / ("outputs.npz" if damage == "one of them" else damage)
    file.unlink() if damage == "one of them" else file.write_bytes(file.read_bytes()[:-20])
    ran.clear()
    assert call(arguments(files, "--json"), capsys) == whole
    assert ran == [STEPS + LATE]


def test_a_cache_that_fills_up(files: Files, cache: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """Nothing is kept, and everything else goes its way."""
    from neurodeploy.bundle import files as bundle_files

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    whole = call(arguments(files, "--json"), capsys)
    monkeypatch.setattr(bundle_files, "replace_file", full)
    monkeypatch.setattr(stepping, "STRETCH", 1)
    monkeypatch.setattr(keeping, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(keeping, "PAUSE", 0.0)
    assert call(arguments(files, "--json"), capsys) == whole
    failing("simulators.float_network.run", 0, KeyboardInterrupt(), monkeypatch)
    found = call(arguments(files), capsys)
    assert found.status == 130 and "ND3008" in found.err
