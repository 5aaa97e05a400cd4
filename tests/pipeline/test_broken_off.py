"""Work that ends in the middle: Ctrl-C, a request to terminate, a full disk, no memory, a bug, a reader that leaves.

Whatever happens, no half-written bundle appears and an older one of that name is still there, byte for byte. Ctrl-C and
requests to terminate keep finished islands in one hidden folder (`test_going_on` goes on with them); nothing else keeps any.
"""

from __future__ import annotations

import errno
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.bundle import folders, open_bundle
from neurodeploy.cli import main
from neurodeploy.frontends import hdf5_guard
from neurodeploy.storage import temporary
from tests.pipeline.breaking import (
    AT_THIRD_ISLAND,
    ISLANDS,
    MODEL_PLACES,
    convert,
    failing,
    files_of_at_most,
    kept_beside,
    struck,
)
from tests.pipeline.networks import WRITING, Files, World, copied
from tests.tiny import HEEDING, Cli, Patch, scripted, unchanged

#: Kind -> where its conversion may be hit (`MODEL_PLACES`).
PLACES = {
    "model": MODEL_PLACES,
    "network": {
        "quantising": ("neurodeploy.conversion.spiking.quantize.quantize", 0, 0),
        "arrays": ("neurodeploy.bundle.writer.write_arrays", 0, 0),
        "the float network": ("neurodeploy.frontends.nir.writer.write", 0, 0),
        "golden vectors": ("neurodeploy.bundle.golden.write_golden", 0, 0),
        "digests": ("neurodeploy.bundle.writer.digest", 0, 0),
        "last rename": ("neurodeploy.bundle.folders.take_place", 0, 0),
    },
}
FAILURES: dict[str, tuple[BaseException, int, str]] = {
    "Ctrl-C": (KeyboardInterrupt(), 130, " convert: was interrupted"),
    "no memory": (MemoryError(), 3, "ND3007 memory: this machine ran out of it"),
    "a bug": (ZeroDivisionError("division by zero"), 1, "ND9000 neurodeploy: ZeroDivisionError: division by zero"),
}
#: Kind -> the call that converts to a place, and an older bundle that may lie there.
Conversions = dict[str, tuple[Callable[[Path], list[str]], Path]]


@pytest.fixture(autouse=True)
def _sound_files(monkeypatch: Patch) -> None:
    """Sound files need no process of their own to be read."""
    monkeypatch.setattr(hdf5_guard, "ISOLATE", False)


@pytest.fixture
def conversions(llama: Path, llama_bundle: Path, files: Files) -> Conversions:
    return {
        "model": (lambda out: convert(llama, out), llama_bundle),
        "network": (lambda out: ["convert", str(files.plain), "--dt", "1e-3", "--out", str(out)], files.net_nd),
    }


def take_away_kept(out: Path, islands: int) -> None:
    """Check the one folder that an interrupted conversion may leave, and remove it with the folders made for it."""
    (kept,) = kept_beside(out)
    assert sorted(entry.name for entry in kept.iterdir()) == ["islands", "progress"]  # nothing that looks like a bundle
    assert len(list((kept / "progress").glob("*.json"))) == islands
    assert {file.name.split("-")[0] for file in (kept / "progress").iterdir()} == {"island"}
    shutil.rmtree(kept)
    for folder in (out.parent, out.parent.parent):
        if not any(folder.iterdir()):
            folder.rmdir()


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("kind", "place"), [(kind, place) for kind, places in PLACES.items() for place in places])
def test_conversion(kind: str, place: str, failure: str, conversions: Conversions, tmp_path: Path, cli: Cli) -> None:
    (arguments, bundle), (target, after, finished) = conversions[kind], PLACES[kind][place]
    older, (error, status, says) = copied(bundle, tmp_path), FAILURES[failure]
    for out in (older, tmp_path / "new" / "folder" / "x.nd"):
        with unchanged(tmp_path):
            with failing(target, error, after):
                found = cli(*arguments(out))
            assert (found.status, found.out) == (status, ""), found.err
            assert says in found.err and "Traceback" not in found.err
            if failure == "Ctrl-C":
                assert found.err.startswith("error ND3009 " if finished else "error ND3008 ")
            if failure == "Ctrl-C" and finished:
                assert f"with {finished} of {ISLANDS} islands finished; run the same command again" in found.err
                assert str(kept_beside(out)[0]) in found.err
                take_away_kept(out, finished)
    open_bundle(older)


@pytest.mark.parametrize("step", [0, 1])
def test_older_bundle_comes_back_when_it_cannot_be_replaced(
    step: int, tmp_path: Path, llama: Path, llama_bundle: Path, monkeypatch: Patch, cli: Cli
) -> None:
    """Where nothing can change places, the older bundle steps aside, then the new one takes its place: either may fail."""
    older, real, calls = copied(llama_bundle, tmp_path), Path.rename, []

    def rename(self: Path, target: Any) -> Path:
        calls.append(target)
        if len(calls) == step + 1:
            raise OSError(errno.EACCES, "Permission denied")
        return real(self, target)

    with unchanged(tmp_path):
        monkeypatch.setattr(Path, "rename", rename)
        monkeypatch.setattr(folders, "exchange", lambda one, other: False)
        found = cli(*convert(llama, older))
    assert found.status == 2
    assert found.err.startswith(f"error ND5004 {older}: cannot be written: Permission denied")
    assert len(calls) == (1 if step == 0 else 3)


def test_second_ctrl_c_while_cleaning_up(tmp_path: Path, monkeypatch: Patch) -> None:
    """It ends the cleaning up too. What is left has a temporary name, and the next work on this output removes it."""
    calls = []

    def rmtree(path: Path, **options: Any) -> None:
        calls.append(path)
        raise KeyboardInterrupt

    out = tmp_path / "x.nd"
    with monkeypatch.context() as patch:
        patch.setattr(temporary.shutil, "rmtree", rmtree)
        with pytest.raises(KeyboardInterrupt), folders.folder_aside(out, "islands") as work:
            (work / "islands" / "a.nir").write_bytes(b"half")
            raise KeyboardInterrupt
    assert calls == [work]
    assert list(tmp_path.iterdir()) == [work] and temporary.is_temporary(work.name)
    with pytest.raises(ZeroDivisionError), folders.folder_aside(out) as again:
        assert list(tmp_path.iterdir()) == [again]
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


SIZES = {"model": (0, 700, 2000, 9000, 16_000, 32_000), "network": (0, 700, 3000, 8000)}


@pytest.mark.parametrize(("kind", "size"), [(kind, size) for kind, sizes in SIZES.items() for size in sizes])
def test_disk_that_fills_up(kind: str, size: int, conversions: Conversions, tmp_path: Path, cli: Cli) -> None:
    """Real failed writes, at each of the kinds of members in turn."""
    arguments, bundle = conversions[kind]
    for out in (copied(bundle, tmp_path), tmp_path / "new" / "x.nd"):
        with unchanged(tmp_path), files_of_at_most(size):
            found = cli(*arguments(out))
        assert found.status == 2, found.err
        assert found.err.startswith(f"error ND5004 {out}: cannot be written: ")
        assert found.err.count("\n") == 1


@pytest.mark.parametrize("verb", [*WRITING, "map PLAIN_ND", "map LM"])
def test_disk_full_while_writing_results(verb: str, world: World, cli: Cli) -> None:
    """The older file stays, byte for byte, and the bundle with its mapping too; a mapping can be made afterwards."""
    typed = world.typed(WRITING.get(verb, f"{verb} --system kapoho-point"))
    if verb in WRITING:  # what must be made is made
        assert cli(*typed).status == 0
        for name in ("out", "out.html", "out.nir", "out.json", "out_cores.csv"):
            with (world.here / name).open("a") as file:
                file.write("older")
    with unchanged(world.here), files_of_at_most(100):
        found = cli(*typed)
    assert (found.status, found.code) == (2, "ND5004"), found.err
    assert verb in WRITING or cli(*typed).status == 0


def test_state_that_cannot_be_written_at_the_end(tmp_path: Path, files: Files, monkeypatch: Patch, cli: Cli) -> None:
    """A folder that disappears during the run: an error with a code, not a traceback."""
    folder, real = tmp_path / "gone", np.savez
    folder.mkdir()

    def savez(*arguments: Any, **arrays: Any) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        real(*arguments, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    found = cli("run", files.plain_nd, "--input", files.spikes, "--checkpoint", folder / "s")
    assert (found.status, found.code) == (2, "ND5004")


def test_debugging_shows_where(tmp_path: Path, llama: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("NEURODEPLOY_DEBUG", "1")
    with failing(MODEL_PLACES["first island"][0], ZeroDivisionError("x")), pytest.raises(ZeroDivisionError):
        main(convert(llama, tmp_path / "x.nd"))
    assert list(tmp_path.iterdir()) == []


def test_interrupt_as_json(tmp_path: Path, llama: Path, cli: Cli) -> None:
    with failing(MODEL_PLACES["first island"][0], KeyboardInterrupt()):
        found = cli(*convert(llama, tmp_path / "x.nd"), "--json")
    assert (found.status, json.loads(found.out)["error"]["code"]) == (130, "ND3008")


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_in_a_conversion(number: signal.Signals, tmp_path: Path, llama_bundle: Path) -> None:
    """A real process that converts the embedded model over an older bundle, hit when some islands are written."""
    older = copied(llama_bundle, tmp_path)
    with unchanged(tmp_path):
        arguments = ["convert", "demo", "--out", str(older), "--calibration-tokens", "2000"]
        done = struck(number, AT_THIRD_ISLAND, arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (130, ""), done.stderr
        *progress, last = done.stderr.splitlines()  # a slow machine shows progress before the error
        assert last.startswith("error ND3009 convert: was interrupted with 2 of ")
        assert str(kept_beside(older)[0]) in last
        assert all(line.startswith("convert ") for line in progress), done.stderr
        take_away_kept(older, 2)


#: Runs the command line, a state after every step, and sends its own process the signal sys.argv[1] when the state of step
#: 17 has been kept.
HIT_AFTER_A_STATE = """
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


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_in_a_run(number: signal.Signals, tmp_path: Path, files: Files, cli: Cli) -> None:
    """A real process, hit when it has kept a state: what it leaves is the state of a run that ended there."""
    state, arguments = tmp_path / "state", ["run", files.plain_nd, "--input", files.spikes, "--checkpoint"]
    done = scripted(HEEDING + HIT_AFTER_A_STATE, int(number), *arguments, state)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error ND3266 run: was interrupted after step 17 of 40;") and f"--resume {state}" in line
    assert cli(*arguments, tmp_path / "whole", "--steps", "17").status == 0
    assert (tmp_path / "whole").read_bytes() == state.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "whole"]
