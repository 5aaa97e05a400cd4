"""An evaluation that was interrupted goes on from its finished windows, or from the last state of its network, and finds
what one without a break finds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import evaluation, pipeline
from neurodeploy.bundle import files as bundle_files
from neurodeploy.pipeline import keeping, kept, stepping
from neurodeploy.storage import stage_files
from tests.pipeline.breaking import failing, interrupting, struck
from tests.pipeline.networks import STEPS, Files
from tests.tiny import Cli, unchanged


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "interrupted"


def full(path: Path, content: bytes) -> None:
    raise OSError(28, "No space left on device")


# --- windows of a text

#: The window of the Llama is 256 positions: 1100 bytes are five windows, the last of 75 predictions.
TEXT = "".join(chr(32 + (i * i + 3 * i) % 95) for i in range(1100))
WINDOWS = 5
RUN_WINDOW = "neurodeploy.evaluation._Windows.window"


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Windows that are really run, by their number of tokens."""
    real, sizes = evaluation._Windows.window, []

    def window(self: Any, inputs: Any, targets: Any) -> Any:
        found = real(self, inputs, targets)
        sizes.append(inputs.size)
        return found

    monkeypatch.setattr(evaluation._Windows, "window", window)
    return sizes


@pytest.fixture
def text_call(tmp_path: Path, llama_bundle: Path, cache: Path) -> list[object]:
    (tmp_path / "text").write_text(TEXT)
    return ["eval", llama_bundle, "--text", tmp_path / "text"]


def measured(cli: Cli, *arguments: object) -> dict[str, Any]:
    """What `eval --json` finds, without times."""
    value: dict[str, Any] = cli.json(*arguments)
    for side in ("float", "chip"):
        if value[side]:
            value[side].pop("tokens_per_s")
    return value


def interrupt(cli: Cli, after: int, *arguments: object) -> str:
    with failing(RUN_WINDOW, KeyboardInterrupt(), after):
        found = cli(*arguments)
    assert (found.status, found.out) == (130, "")
    return found.err


@pytest.mark.parametrize("options", [[], ["--no-float"], ["--runner", "reference"]])
def test_same_figures_of_a_text(
    options: list[str], text_call: list[object], cache: Path, windows: list[int], cli: Cli
) -> None:
    text_call += options
    whole = measured(cli, *text_call)
    assert len(windows) == WINDOWS and whole["saturations"] > 0 and not any(cache.iterdir())
    err = interrupt(cli, 3, *text_call)
    (folder,) = cache.iterdir()
    assert err.splitlines()[-1].startswith("error ND3009 eval: was interrupted after 768 of 1100 tokens; ")
    assert "run the same command again" in err and str(folder) in err
    assert "after 768 of 1100 tokens" in interrupt(cli, 0, *text_call)  # at once: nothing is lost
    windows.clear()
    found = measured(cli, *text_call)
    assert found.pop("windows_resumed") == 3 and len(windows) == WINDOWS - 3
    assert found == {key: value for key, value in whole.items() if key != "windows_resumed"}
    assert not any(cache.iterdir())


@pytest.mark.parametrize("what", ["text", "--runner reference", "--no-float", "conversion", "--max-tokens 1000"])
def test_no_window_of_another_evaluation_is_mixed_in(
    what: str, tmp_path: Path, text_call: list[Any], cache: Path, llama: Path, cli: Cli
) -> None:
    interrupt(cli, 3, *text_call)
    if what == "text":
        (tmp_path / "text").write_text(TEXT[::-1])
    elif what == "conversion":
        text_call[1] = tmp_path / "other.nd"
        pipeline.convert(llama, text_call[1], preset="quick", calibration_tokens=96, weight_bits=4)
    else:
        text_call += what.split()
    assert measured(cli, *text_call)["windows_resumed"] == 0
    assert len(list(cache.iterdir())) == 1  # what is kept of the first waits for its own call


def test_interrupted_in_the_first_window(text_call: list[object], cache: Path, llama_bundle: Path, cli: Cli) -> None:
    with unchanged(llama_bundle):
        assert "error ND3008 eval: was interrupted" in interrupt(cli, 0, *text_call)
    assert not any(cache.iterdir())


def test_a_failure_keeps_nothing(text_call: list[object], cache: Path, cli: Cli) -> None:
    with failing(RUN_WINDOW, MemoryError(), 2):
        assert cli(*text_call).status == 3
    assert not any(cache.iterdir())


def test_a_cache_that_cannot_be_written(tmp_path: Path, text_call: list[object], cli: Cli) -> None:
    """Everything works, only nothing is kept, and the message does not say so."""
    (tmp_path / "cache").write_text("a file in its place")
    assert "ND3008" in interrupt(cli, 3, *text_call)
    assert measured(cli, *text_call)["windows_resumed"] == 0


def test_a_cache_that_vanishes_or_fills_up(
    text_call: list[object], windows: list[int], monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setattr(stage_files, "replace_file", full)
    found = measured(cli, *text_call)
    assert found["windows_resumed"] == 0 and len(windows) == WINDOWS
    assert any("nothing is kept of a run that is broken off" in note for note in found["notes"])


def test_little_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest `MOST` evaluations, and no more than `MOST_BYTES`."""

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


@pytest.mark.parametrize("number", [2, 9])
def test_signals(number: int, tmp_path: Path, text_call: list[Any], llama_bundle: Path, cli: Cli) -> None:
    """Also a process that is killed keeps its windows."""
    text_call[1] = shutil.copytree(llama_bundle, tmp_path / "x.nd")
    with unchanged(tmp_path / "x.nd"):
        done = struck(number, (RUN_WINDOW, 3), text_call)
        assert (done.returncode, done.stdout) == (-9 if number == 9 else 130, ""), done.stderr
        if number != 9:
            last = done.stderr.splitlines()[-1]
            assert last.startswith("error ND3009 eval: was interrupted after 512 of 1100 tokens; ")
        assert measured(cli, *text_call)["windows_resumed"] == 2


# --- states of a network

#: The last layer follows the float network two steps later: so many more are run.
LATE = 2


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps that are really run, by stretch."""
    real, found = stepping.advance, []

    def advance(network: Any, runner: Any, stream: Any, state: Any = None, **options: Any) -> Any:
        found.append(stream.steps - (state.step if state else 0))
        return real(network, runner, stream, state, **options)

    monkeypatch.setattr(stepping, "advance", advance)
    return found


@pytest.fixture
def stream_call(files: Files, cache: Path) -> list[object]:
    return ["eval", files.plain_nd, "--input", files.spikes]


def interrupt_the_float_network(cli: Cli, arguments: list[object]) -> str:
    with failing("simulators.float_network.run", KeyboardInterrupt()):
        found = cli(*arguments)
    assert found.status == 130
    return found.err


@pytest.mark.parametrize("runner", ["fast", "reference"])
def test_same_figures_of_a_stream(
    runner: str, stream_call: list[object], files: Files, cache: Path, steps: list[int], cli: Cli
) -> None:
    stream_call += ["--runner", runner]
    whole = cli(*stream_call, "--json")
    assert (whole.status, steps) == (0, [STEPS + LATE]) and not any(cache.iterdir())
    with unchanged(files.plain_nd):
        for at, done in ((17, 17), (0, 17), (5, 22)):  # again and again, once before anything new is finished
            with interrupting(at, runner):
                found = cli(*stream_call)
            assert (found.status, found.out) == (130, "")
            (folder,) = cache.iterdir()
            line = found.err.splitlines()[-1]
            assert line.startswith(
                f"error ND3009 eval: was interrupted after step {done} of {STEPS + LATE}; run the same"
            )
            assert str(folder) in line
        steps.clear()
        assert cli(*stream_call, "--json") == whole
    assert steps == [STEPS + LATE - 22]
    assert not any(cache.iterdir())


def test_interrupted_while_the_float_network_runs(stream_call: list[object], steps: list[int], cli: Cli) -> None:
    whole = cli(*stream_call, "--json")
    for _ in range(2):
        assert f"after step {STEPS + LATE} of {STEPS + LATE}" in interrupt_the_float_network(cli, stream_call)
    steps.clear()
    assert cli(*stream_call, "--json") == whole
    assert steps == []


@pytest.mark.parametrize("what", ["input", "steps", "runner"])
def test_no_state_of_another_evaluation_is_mixed_in(
    what: str, files: Files, tmp_path: Path, stream_call: list[object], steps: list[int], cli: Cli
) -> None:
    interrupt_the_float_network(cli, stream_call)
    steps.clear()
    other = tmp_path / "other.npy"
    np.save(other, np.load(files.spikes)[::-1])
    changed: Any = {"input": other, "steps": STEPS - 1, "runner": "reference"}[what]
    pipeline.eval(**{"bundle": files.plain_nd, "input": files.spikes, what: changed})
    assert steps == [STEPS + LATE - (what == "steps")]


@pytest.mark.parametrize("damage", ["state", "outputs.npz", "one of them"])
def test_damaged_files_are_not_used(
    damage: str, stream_call: list[object], cache: Path, steps: list[int], cli: Cli
) -> None:
    whole = cli(*stream_call, "--json")
    interrupt_the_float_network(cli, stream_call)
    (folder,) = cache.iterdir()
    file = folder / ("outputs.npz" if damage == "one of them" else damage)
    file.unlink() if damage == "one of them" else file.write_bytes(file.read_bytes()[:-20])
    steps.clear()
    assert cli(*stream_call, "--json") == whole
    assert steps == [STEPS + LATE]


def test_states_in_a_cache_that_fills_up(stream_call: list[object], monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    """Nothing is kept, and everything else goes its way."""
    whole = cli(*stream_call, "--json")
    monkeypatch.setattr(bundle_files, "replace_file", full)
    monkeypatch.setattr(stepping, "STRETCH", 1)
    monkeypatch.setattr(keeping, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(keeping, "PAUSE", 0.0)
    assert cli(*stream_call, "--json") == whole
    assert "ND3008" in interrupt_the_float_network(cli, stream_call)
