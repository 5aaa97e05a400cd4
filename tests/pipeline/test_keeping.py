"""Outputs of a run that ends in the middle: on the disk before the state that follows them, and continued from there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.errors import UserError
from neurodeploy.pipeline import keeping, stepping
from tests.pipeline.networks import STEPS, Files
from tests.refusals import refused
from tests.tiny import Patch, unchanged


class Crash(BaseException):
    """What nobody catches: a power cut, seen from inside."""


@pytest.fixture(autouse=True)
def _a_state_after_every_step(monkeypatch: Patch) -> None:
    monkeypatch.setattr(stepping, "STRETCH", 1)
    monkeypatch.setattr(keeping, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(keeping, "PAUSE", 0.0)


def crashing(name: str, at: int, monkeypatch: Patch) -> None:
    """Before call number `at` of the function of that name in `keeping`."""
    real, calls = getattr(keeping, name), []

    def call(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == at:
            raise Crash
        real(*arguments)

    monkeypatch.setattr(keeping, name, call)


def run(files: Files, folder: Path, name: str, **options: Any) -> dict[str, Any]:
    """A run of the plain network with outputs, a probe and states."""
    options = {"probes": ["hidden.v"], "out": folder / f"{name}.npz", "checkpoint": folder / f"{name}.state"} | options
    return pipeline.run(files.plain_nd, input=files.spikes, **options)


@pytest.mark.parametrize("name", ["write_aside", "write_state"])
@pytest.mark.parametrize("at", [2, 17, STEPS])
def test_a_crash_at_any_write_loses_nothing(
    name: str, at: int, files: Files, tmp_path: Path, monkeypatch: Patch
) -> None:
    run(files, tmp_path, "whole")
    with monkeypatch.context() as patch:
        crashing(name, at, patch)
        with pytest.raises(Crash):
            run(files, tmp_path, "part")
    with np.load(tmp_path / "part.npz") as part, np.load(tmp_path / "whole.npz") as whole:
        steps = part["out.last"].shape[1]
        assert steps == (at if name == "write_state" else at - 1)  # as far as the state, or a step further
        for key in ("out.last", "probe.hidden.v"):
            np.testing.assert_array_equal(part[key], whole[key][:, :steps])
    found = run(files, tmp_path, "part", resume=tmp_path / "part.state")
    assert found["first_step"] == at and f"{tmp_path / 'part.npz'} holds the steps from 1 on" in found["notes"]
    for ending in ("npz", "state"):
        assert (tmp_path / f"part.{ending}").read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()


def half(files: Files, folder: Path) -> None:
    run(files, folder, "part", steps=STEPS // 2)


def test_outputs_without_a_state_are_written_at_the_end(files: Files, tmp_path: Path, monkeypatch: Patch) -> None:
    crashing("write_aside", 1, monkeypatch)
    with pytest.raises(Crash):
        run(files, tmp_path, "part", checkpoint=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["another run", "damaged", "no archive", "gone", "fewer steps"])
def test_other_outputs_are_not_continued(what: str, files: Files, tmp_path: Path) -> None:
    half(files, tmp_path)
    out = tmp_path / "part.npz"
    if what == "another run":
        np.save(tmp_path / "other.npy", np.load(files.spikes)[:, ::-1])
        pipeline.run(files.plain_nd, input=tmp_path / "other.npy", out=out, probes=["hidden.v"])
    elif what == "damaged":
        out.write_bytes(out.read_bytes()[:-30])
    elif what == "no archive":
        np.save(tmp_path / "x.npy", np.arange(3))
        shutil.move(tmp_path / "x.npy", out)
    elif what == "gone":
        out.unlink()
    else:
        pipeline.run(files.plain_nd, input=files.spikes, out=out, probes=["hidden.v"], steps=3)
    found = run(files, tmp_path, "part", resume=tmp_path / "part.state")
    assert not any("holds the steps" in note for note in found["notes"])
    with np.load(out) as part:
        assert (int(part["first_step"]), part["out.last"].shape[1]) == (STEPS // 2 + 1, STEPS - STEPS // 2)


def test_outputs_of_other_probes_are_not_lost(files: Files, tmp_path: Path) -> None:
    half(files, tmp_path)
    says, state = "ND3259.*steps 1 to 20 with other probes", tmp_path / "part.state"
    with unchanged(tmp_path):
        refused(UserError, says, run, files, tmp_path, "part", resume=state, probes=[])


def test_three_runs_in_a_row_make_one_file(files: Files, tmp_path: Path) -> None:
    run(files, tmp_path, "whole")
    run(files, tmp_path, "part", steps=5)
    run(files, tmp_path, "part", steps=23, resume=tmp_path / "part.state")
    run(files, tmp_path, "part", resume=tmp_path / "part.state")
    assert (tmp_path / "part.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_checkpoints_while_running(files: Files, tmp_path: Path, monkeypatch: Patch) -> None:
    """One a stretch where the clock says so, and only the last one stays."""
    steps: list[int] = []
    real = keeping.write_state
    monkeypatch.setattr(
        keeping, "write_state", lambda path, state, *known: (steps.append(state.step), real(path, state, *known))
    )
    pipeline.run(files.plain_nd, input=files.spikes, checkpoint=tmp_path / "state", steps=9)
    assert steps == list(range(1, 10))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
