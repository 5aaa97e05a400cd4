"""Work that ends in the middle: Ctrl-C, a request to terminate, a full disk, no memory, a bug, a reader that leaves.

Whatever happens, no half-written bundle appears and an older one of that name is still there, byte for byte. Ctrl-C and
requests to terminate keep finished islands in one hidden folder (`test_going_on` goes on with them); nothing else keeps any.
"""

from __future__ import annotations

import errno
import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from neurodeploy.bundle import folders, open_bundle
from neurodeploy.frontends import hdf5_guard
from neurodeploy.storage import temporary
from tests.pipeline.networks import Files
from tests.tiny import HEEDING, Capture, Patch, call, environment, snapshot

#: Of the Llama: every one is digested when it is finished, and again with all members at the end.
ISLANDS = 9
#: Where a conversion may be hit: module and function, and how often the function works before that.
PLACES = {
    "first island": ("neurodeploy.conversion.quantize._convert_group", 0),
    "fifth island": ("neurodeploy.conversion.quantize._convert_group", 4),
    "weights of an island": ("neurodeploy.bundle.linear_files.write_nir", 2),
    "image of an island": ("neurodeploy.bundle.linear_files.write_image", 3),
    "host weights": ("neurodeploy.bundle.writer.write_host_weights", 0),
    "golden vectors": ("neurodeploy.bundle.golden.write_golden", 0),
    "digest of an island": ("neurodeploy.bundle.writer.digest", 7),
    "digests": ("neurodeploy.bundle.writer.digest", 2 * ISLANDS + 6),
    "last rename": ("neurodeploy.bundle.folders.take_place", 0),
}
#: Likewise of a spiking network.
SPIKING_PLACES = {
    "quantising": ("neurodeploy.conversion.spiking.quantize.quantize", 0),
    "arrays": ("neurodeploy.bundle.writer.write_arrays", 0),
    "the float network": ("neurodeploy.frontends.nir.writer.write", 0),
    **{name: PLACES[name] for name in ("golden vectors", "last rename")},
    "digests": ("neurodeploy.bundle.writer.digest", 0),
}
#: Islands that are finished when the conversion is hit there, of all of the Llama's.
FINISHED = {
    "fifth island": 4, "weights of an island": 2, "image of an island": 3, "host weights": 9, "golden vectors": 9,
    "digest of an island": 3, "digests": 9,
}  # fmt: skip
FAILURES: dict[str, tuple[BaseException, int, str]] = {
    "Ctrl-C": (KeyboardInterrupt(), 130, " convert: was interrupted"),
    "no memory": (MemoryError(), 3, "ND3007 memory: this machine ran out of it"),
    "a bug": (ZeroDivisionError("division by zero"), 1, "ND9000 neurodeploy: ZeroDivisionError: division by zero"),
}


def failing(target: str, after: int, error: BaseException, monkeypatch: Patch) -> None:
    """Let the function of that name work `after` times and raise `error` then, once."""
    import importlib

    holder, _, name = target.rpartition(".")
    try:
        owner: Any = importlib.import_module(holder)
    except ModuleNotFoundError:
        module, _, kind = holder.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    real = getattr(owner, name)
    calls = 0

    def wrapper(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == after + 1:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, wrapper)


def kept_beside(out: Path) -> list[Path]:
    """Folders of finished islands that an interrupted conversion to `out` has left."""
    return sorted(out.parent.glob(f".{out.name}.*.partial"))


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


def convert(model: Path, out: Path) -> list[str]:
    options = ["--dt", "1e-3"] if model.suffix == ".nir" else ["--preset", "quick", "--calibration-tokens", "64"]
    return ["convert", str(model), "--out", str(out), *options]


class Source(NamedTuple):
    """What is converted, and a bundle that is there before."""

    model: Path
    older: Path


@pytest.fixture
def sources(llama: Path, llama_bundle: Path, files: Files, monkeypatch: Patch) -> dict[str, Source]:
    monkeypatch.setattr(hdf5_guard, "ISOLATE", False)  # sound files need no process of their own to be read
    return {"model": Source(llama, llama_bundle), "network": Source(files.plain, files.net_nd)}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    ("kind", "place"), [*(("model", place) for place in PLACES), *(("network", place) for place in SPIKING_PLACES)]
)
def test_conversion(
    kind: str, place: str, failure: str, tmp_path: Path, sources: dict[str, Source], monkeypatch: Patch, capsys: Capture
) -> None:
    older, source = tmp_path / "older.nd", sources[kind]
    shutil.copytree(source.older, older)
    before = snapshot(tmp_path)
    error, status, says = FAILURES[failure]
    where, finished = (PLACES, FINISHED) if kind == "model" else (SPIKING_PLACES, dict[str, int]())
    for out in (older, tmp_path / "new" / "folder" / "x.nd"):
        with monkeypatch.context() as patch:
            failing(*where[place], error, patch)
            found = call(convert(source.model, out), capsys)
        assert (found.status, found.out) == (status, ""), found.err
        assert says in found.err and "Traceback" not in found.err
        kept = failure == "Ctrl-C" and place in finished
        assert failure != "Ctrl-C" or found.err.startswith("error ND3009 " if kept else "error ND3008 ")
        if kept:
            assert f"with {FINISHED[place]} of {ISLANDS} islands finished; run the same command again" in found.err
            assert str(kept_beside(out)[0]) in found.err
            take_away_kept(out, FINISHED[place])
        assert snapshot(tmp_path) == before
    open_bundle(older)


@pytest.mark.parametrize("step", [0, 1])
def test_older_bundle_comes_back_when_it_cannot_be_replaced(
    step: int, tmp_path: Path, llama: Path, llama_bundle: Path,
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    """Where nothing can change places, the older bundle steps aside, then the new one takes its place: either may fail."""
    older = tmp_path / "older.nd"
    shutil.copytree(llama_bundle, older)
    before = snapshot(tmp_path)
    real, calls = Path.rename, []

    def rename(self: Path, target: Any) -> Path:
        calls.append(target)
        if len(calls) == step + 1:
            raise OSError(errno.EACCES, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    found = call(convert(llama, older), capsys)
    assert found.status == 2
    assert found.err.startswith(f"error ND5004 {older}: cannot be written: Permission denied")
    assert len(calls) == (1 if step == 0 else 3)
    assert snapshot(tmp_path) == before


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


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes of a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("kind", "size"),
    [*(("model", n) for n in (0, 700, 2000, 9000, 16_000, 32_000)), *(("network", n) for n in (0, 700, 3000, 8000))],
)
def test_disk_that_fills_up(kind: str, size: int, tmp_path: Path, sources: dict[str, Source], capsys: Capture) -> None:
    """Real failed writes, at each of the kinds of members in turn."""
    older = tmp_path / "older.nd"
    shutil.copytree(sources[kind].older, older)
    before = snapshot(tmp_path)
    for out in (older, tmp_path / "new" / "x.nd"):
        with files_of_at_most(size):
            found = call(convert(sources[kind].model, out), capsys)
        assert found.status == 2, found.err
        named = f"{out}: " if kind == "model" else ""  # of a network a file beside it, under its passing name
        assert found.err.startswith(f"error ND5004 {named}") and "cannot be written: " in found.err
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
def test_disk_full_while_writing_results(arguments: list[str], tmp_path: Path, files: Files, capsys: Capture) -> None:
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
    if arguments[0] == "map":
        assert call(["map", str(bundle), "--system", "kapoho-point"], capsys).status == 0


def test_state_that_cannot_be_written_at_the_end(
    tmp_path: Path, files: Files, monkeypatch: Patch, capsys: Capture
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


def test_debugging_shows_where(tmp_path: Path, llama: Path, monkeypatch: Patch, capsys: Capture) -> None:
    from neurodeploy.cli import main

    failing(*PLACES["first island"], ZeroDivisionError("division by zero"), monkeypatch)
    monkeypatch.setenv("NEURODEPLOY_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(convert(llama, tmp_path / "x.nd"))
    assert list(tmp_path.iterdir()) == []


def test_interrupt_as_json(tmp_path: Path, llama: Path, monkeypatch: Patch, capsys: Capture) -> None:
    failing(*PLACES["first island"], KeyboardInterrupt(), monkeypatch)
    found = call([*convert(llama, tmp_path / "x.nd"), "--json"], capsys)
    assert (found.status, json.loads(found.out)["error"]["code"]) == (130, "ND3008")


#: Runs the command line and, when the third island is being written, sends its own process the signal sys.argv[1]: a
#: poll from outside would race with a fast conversion.
HIT_AT_THIRD_ISLAND = (
    HEEDING
    + """
import os, sys
from neurodeploy.bundle import linear_files
from neurodeploy.cli import main
write, written = linear_files.write_nir, []
def hit(*arguments, **options):
    found = write(*arguments, **options)
    written.append(found)
    if len(written) == 3:
        os.kill(os.getpid(), int(sys.argv[1]))
    return found
linear_files.write_nir = hit
main(sys.argv[2:])
"""
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_in_the_middle(number: signal.Signals, tmp_path: Path, llama_bundle: Path) -> None:
    """A real process that converts the embedded model over an older bundle, hit when some islands are written."""
    older = tmp_path / "older.nd"
    shutil.copytree(llama_bundle, older)
    before = snapshot(tmp_path)
    arguments = ["convert", "demo", "--out", str(older), "--calibration-tokens", "2000"]
    command = [sys.executable, "-c", HIT_AT_THIRD_ISLAND, str(int(number)), *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    *progress, last = done.stderr.splitlines()  # a slow machine shows progress before the error
    assert last.startswith("error ND3009 convert: was interrupted with 2 of ") and str(kept_beside(older)[0]) in last
    assert all(line.startswith("convert ") for line in progress), done.stderr
    take_away_kept(older, 2)
    assert snapshot(tmp_path) == before


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
def test_signal_in_the_middle_of_a_run(number: signal.Signals, tmp_path: Path, files: Files, capsys: Capture) -> None:
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
