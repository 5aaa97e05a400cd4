"""An evaluation that was interrupted goes on with its finished windows, and finds what one without a break finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurodeploy import evaluation, pipeline
from neurodeploy.pipeline import kept
from tests.pipeline.test_broken_off import failing
from tests.tiny import HEEDING, Capture, Patch, call, environment, snapshot

#: The window of the Llama is 256 positions: 1100 bytes are five windows, the last of 75 predictions.
TEXT = "".join(chr(32 + (i * i + 3 * i) % 95) for i in range(1100))
WINDOWS = 5
RUN_WINDOW = "neurodeploy.evaluation._Windows.window"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: Patch) -> Path:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text").write_text(TEXT)
    return tmp_path / "cache" / "interrupted"


@pytest.fixture
def ran(monkeypatch: Patch) -> list[int]:
    """Windows that are really run, by their number of tokens."""
    real, sizes = evaluation._Windows.window, []

    def window(self: Any, inputs: Any, targets: Any) -> Any:
        found = real(self, inputs, targets)
        sizes.append(inputs.size)
        return found

    monkeypatch.setattr(evaluation._Windows, "window", window)
    return sizes


def arguments(bundle: Path, folder: Path, *options: str) -> list[str]:
    return ["eval", str(bundle), "--text", str(folder / "text"), *options]


def measured(bundle: Path, folder: Path, capsys: Capture, *options: str) -> dict[str, Any]:
    """What `eval --json` finds, without times."""
    found = call([*arguments(bundle, folder, *options), "--json"], capsys)
    assert found.status == 0, found.err
    value: dict[str, Any] = json.loads(found.out)
    for side in ("float", "chip"):
        if value[side]:
            value[side].pop("tokens_per_s")
    return value


def interrupt(after: int, call_arguments: list[str], monkeypatch: Patch, capsys: Any) -> str:
    with monkeypatch.context() as patch:
        failing(RUN_WINDOW, after, KeyboardInterrupt(), patch)
        found = call(call_arguments, capsys)
    assert (found.status, found.out) == (130, "")
    return str(found.err)


@pytest.mark.parametrize("options", [[], ["--no-float"], ["--runner", "reference"]])
def test_same_figures(
    options: list[str], tmp_path: Path, cache: Path, llama_bundle: Path, ran: list[int],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    whole = measured(llama_bundle, tmp_path, capsys, *options)
    assert len(ran) == WINDOWS and whole["saturations"] > 0 and not any(cache.iterdir())
    ran.clear()
    err = interrupt(3, arguments(llama_bundle, tmp_path, *options), monkeypatch, capsys)
    (folder,) = cache.iterdir()
    assert err.splitlines()[-1].startswith("error ND3009 eval: was interrupted after 768 of 1100 tokens; ")
    assert "run the same command again" in err and str(folder) in err
    err = interrupt(0, arguments(llama_bundle, tmp_path, *options), monkeypatch, capsys)  # at once: nothing is lost
    assert "after 768 of 1100 tokens" in err
    ran.clear()
    found = measured(llama_bundle, tmp_path, capsys, *options)
    assert found.pop("windows_resumed") == 3 and len(ran) == WINDOWS - 3
    assert found == {key: value for key, value in whole.items() if key != "windows_resumed"}
    assert not any(cache.iterdir())


@pytest.mark.parametrize("what", ["text", "runner", "no float", "conversion", "fewer tokens"])
def test_nothing_of_another_evaluation_is_mixed_in(
    what: str, tmp_path: Path, cache: Path, llama: Path, llama_bundle: Path,
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    interrupt(3, arguments(llama_bundle, tmp_path), monkeypatch, capsys)
    bundle, options = llama_bundle, {"runner": ["--runner", "reference"], "no float": ["--no-float"]}.get(what, [])
    if what == "text":
        (tmp_path / "text").write_text(TEXT[::-1])
    elif what == "fewer tokens":
        options = ["--max-tokens", "1000"]
    elif what == "conversion":
        bundle = tmp_path / "other.nd"
        pipeline.convert(llama, bundle, preset="quick", calibration_tokens=96, weight_bits=4)
    assert measured(bundle, tmp_path, capsys, *options)["windows_resumed"] == 0
    assert len(list(cache.iterdir())) == 1  # what is kept of the first waits for its own call


def test_interrupted_in_the_first_window(
    tmp_path: Path, cache: Path, llama_bundle: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    before = snapshot(llama_bundle)
    assert "error ND3008 eval: was interrupted" in interrupt(0, arguments(llama_bundle, tmp_path), monkeypatch, capsys)
    assert not any(cache.iterdir()) and snapshot(llama_bundle) == before


def test_a_failure_keeps_nothing(
    tmp_path: Path, cache: Path, llama_bundle: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    failing(RUN_WINDOW, 2, MemoryError(), monkeypatch)
    assert call(arguments(llama_bundle, tmp_path), capsys).status == 3
    assert not any(cache.iterdir())


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, cache: Path, llama_bundle: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """Everything works, only nothing is kept, and the message does not say so."""
    (tmp_path / "cache").write_text("a file in its place")
    assert "ND3008" in interrupt(3, arguments(llama_bundle, tmp_path), monkeypatch, capsys)
    assert measured(llama_bundle, tmp_path, capsys)["windows_resumed"] == 0


def test_a_cache_that_vanishes_or_fills_up(
    tmp_path: Path, cache: Path, llama_bundle: Path, ran: list[int],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    from neurodeploy.storage import stage_files

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stage_files, "replace_file", full)
    found = measured(llama_bundle, tmp_path, capsys)
    assert found["windows_resumed"] == 0 and len(ran) == WINDOWS
    assert any("nothing is kept of a run that is broken off" in note for note in found["notes"])


def test_little_is_kept(cache: Path, monkeypatch: Patch) -> None:
    """The latest `MOST` evaluations, and no more than `MOST_BYTES`."""
    import os

    def leave(number: int, size: int) -> None:
        with pytest.raises(KeyboardInterrupt), kept.kept_folder(f"{number:032}" * 2) as folder:
            assert folder is not None
            (folder / "window").write_bytes(b"x" * size)
            os.utime(folder, (number, number))
            raise KeyboardInterrupt

    for number in range(1, 13):
        leave(number, 10)
    assert len(list(cache.iterdir())) == kept.MOST
    monkeypatch.setattr(kept, "MOST_BYTES", 25)
    leave(20, 10)
    assert {int(path.name) for path in cache.iterdir()} == {11, 12, 20}  # and the new one had room for itself


#: Runs the command line and sends its own process the signal sys.argv[1] when the third window begins.
HIT_AT_THIRD_WINDOW = (
    HEEDING
    + """
import os, sys
from neurodeploy import evaluation
from neurodeploy.cli import main
real, begun = evaluation._Windows.window, []
def hit(*arguments):
    begun.append(1)
    if len(begun) == 3:
        os.kill(os.getpid(), int(sys.argv[1]))
    return real(*arguments)
evaluation._Windows.window = hit
main(sys.argv[2:])
"""
)


@pytest.mark.parametrize("number", [2, 9])
def test_signals(number: int, tmp_path: Path, cache: Path, llama_bundle: Path, capsys: Capture) -> None:
    """Also a process that is killed keeps its windows."""
    shutil.copytree(llama_bundle, tmp_path / "x.nd")
    before = snapshot(tmp_path / "x.nd")
    command = [sys.executable, "-c", HIT_AT_THIRD_WINDOW, str(number), *arguments(tmp_path / "x.nd", tmp_path)]
    one = {"OMP_NUM_THREADS": "1"}  # as in this process: another number of threads is other work
    done = subprocess.run(command, env=environment() | one, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (-9 if number == 9 else 130, ""), done.stderr
    if number != 9:
        assert done.stderr.splitlines()[-1].startswith("error ND3009 eval: was interrupted after 512 of 1100 tokens; ")
    assert measured(tmp_path / "x.nd", tmp_path, capsys)["windows_resumed"] == 2
    assert snapshot(tmp_path / "x.nd") == before
