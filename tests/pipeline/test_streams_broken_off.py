"""Work on spiking networks that ends in the middle: Ctrl-C, no memory, a bug, a full disk. What was there before stays."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.bundle import open_bundle
from neurodeploy.frontends import hdf5_guard
from tests.pipeline.networks import Files
from tests.pipeline.test_broken_off import FAILURES, failing, files_of_at_most
from tests.tiny import HEEDING, call, environment, snapshot

#: Where a conversion may be hit: module and function.
PLACES = {
    "quantising": "neurodeploy.conversion.spiking.quantize.quantize",
    "arrays": "neurodeploy.bundle.writer.write_arrays",
    "the float network": "neurodeploy.frontends.nir.writer.write",
    "golden vectors": "neurodeploy.bundle.golden.write_golden",
    "digests": "neurodeploy.bundle.writer.digest",
    "last rename": "neurodeploy.bundle.folders.take_place",
}


@pytest.fixture(autouse=True)
def _sound_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound files need no process of their own to be read."""
    monkeypatch.setattr(hdf5_guard, "ISOLATE", False)


def convert(files: Files, out: Path) -> list[str]:
    return ["convert", str(files.plain), "--dt", "1e-3", "--out", str(out)]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("place", PLACES)
def test_conversion(
    place: str, failure: str, tmp_path: Path, files: Files,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    older = tmp_path / "older.nd"
    shutil.copytree(files.net_nd, older)
    before = snapshot(tmp_path)
    error, status, says = FAILURES[failure]
    for out in (older, tmp_path / "new" / "folder" / "x.nd"):
        with monkeypatch.context() as patch:
            failing(PLACES[place], 0, error, patch)
            found = call(convert(files, out), capsys)
        assert (found.status, found.out) == (status, ""), found.err
        assert says in found.err and "Traceback" not in found.err
        assert snapshot(tmp_path) == before
    open_bundle(older)


@pytest.mark.parametrize("size", [0, 700, 3000, 8000])
def test_disk_that_fills_up_while_converting(
    size: int, tmp_path: Path, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older.nd"
    shutil.copytree(files.net_nd, older)
    before = snapshot(tmp_path)
    for out in (older, tmp_path / "new" / "x.nd"):
        with files_of_at_most(size):
            found = call(convert(files, out), capsys)
        assert found.status == 2 and found.err.startswith("error ND5004 "), found.err
        assert found.err.count("\n") == 1
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--input", "SPIKES", "--out", "KEPT"],
        ["run", "--input", "SPIKES", "--checkpoint", "KEPT"],
        ["report", "--input", "SPIKES", "--out", "KEPT"],
        ["export", "--out", "KEPT.nir"],
        ["map", "--system", "kapoho-point"],
    ],
    ids=["outputs", "state", "report", "export", "mapping"],
)
def test_disk_full_while_writing_results(
    arguments: list[str], tmp_path: Path, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """The older file stays, byte for byte, and the bundle with its mapping too."""
    bundle = tmp_path / "x.nd"
    shutil.copytree(files.plain_nd, bundle)
    names = {"SPIKES": str(files.spikes), "KEPT": str(tmp_path / "kept"), "KEPT.nir": str(tmp_path / "kept.nir")}
    call([arguments[0], str(bundle), *(names.get(a, a) for a in arguments[1:])], capsys)  # what must be made is made
    for name in ("kept", "kept.nir", "kept.json", "kept_cores.csv"):
        with (tmp_path / name).open("a") as file:
            file.write("older")
    before = snapshot(tmp_path)
    with files_of_at_most(100):
        found = call([arguments[0], str(bundle), *(names.get(a, a) for a in arguments[1:])], capsys)
    assert found.status == 2 and found.err.startswith("error ND5004 "), found.err
    assert snapshot(tmp_path) == before


def test_state_that_cannot_be_written_at_the_end(
    tmp_path: Path, files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that disappears during the run: an error with a code, not a traceback."""
    folder = tmp_path / "gone"
    folder.mkdir()
    real = np.savez

    def savez(*arguments: object, **arrays: object) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        real(*arguments, **arrays)  # type: ignore[arg-type]

    monkeypatch.setattr(np, "savez", savez)
    arguments = ["run", str(files.plain_nd), "--input", str(files.spikes), "--checkpoint", str(folder / "s")]
    found = call(arguments, capsys)
    assert (found.status, found.err.split()[1]) == (2, "ND5004")


#: Runs the command line, a state after every step, and sends its own process the signal sys.argv[1] when the state of step
#: 17 has been kept.
HIT_AFTER_A_STATE = (
    HEEDING
    + """
import os, sys
from neurodeploy.cli import main
from neurodeploy.pipeline import keeping, stepping
keeping.CHECKPOINT_S = keeping.PAUSE = 0.0
stepping.STRETCH = 1
write = keeping.write_state
def hit(path, state, *known):
    write(path, state, *known)
    if state.step == 17:
        keeping.write_state = write
        os.kill(os.getpid(), int(sys.argv[1]))
keeping.write_state = hit
main(sys.argv[2:])
"""
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_in_the_middle(
    number: signal.Signals, tmp_path: Path, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real process, hit when it has kept a state: what it leaves is the state of a run that ended there."""
    state = tmp_path / "state"
    arguments = ["run", str(files.plain_nd), "--input", str(files.spikes), "--checkpoint"]
    command = [sys.executable, "-c", HIT_AFTER_A_STATE, str(int(number)), *arguments, str(state)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error ND3266 run: was interrupted after step 17 of 40;") and f"--resume {state}" in line
    whole = call([*arguments, str(tmp_path / "whole"), "--steps", "17"], capsys)
    assert whole.status == 0
    assert (tmp_path / "whole").read_bytes() == state.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "whole"]
