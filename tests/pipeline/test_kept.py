"""An evaluation that was interrupted, of a text or of a stream, goes on with what is finished, and finds what one without a
break finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import evaluation, pipeline
from neurodeploy.bundle import files as bundle_files
from neurodeploy.pipeline import keeping, kept, stepping
from neurodeploy.storage import stage_files
from tests.pipeline.networks import STEPS, Files
from tests.pipeline.test_broken_off import failing
from tests.pipeline.test_runs import interrupting
from tests.tiny import HEEDING, Answer, Capture, Patch, call, environment, snapshot

#: The window of the Llama is 256 positions: 1100 bytes are five windows, the last of 75 predictions.
TEXT = "".join(chr(32 + (i * i + 3 * i) % 95) for i in range(1100))
RUN_WINDOW, RUN_FLOAT = "neurodeploy.evaluation._Windows.window", "simulators.float_network.run"
#: Steps that are run: the last layer follows the float network two steps later.
LATE = STEPS + 2
#: By kind: tokens or steps of the whole work, and interrupts one after the other, each with what is finished then. Each has
#: one before anything new is finished.
SIZES = {"model": len(TEXT) - 1, "network": LATE}
HITS = {
    "model": [(3, f"768 of {len(TEXT)} tokens"), (0, f"768 of {len(TEXT)} tokens")],
    "network": [(17, f"step 17 of {LATE}"), (0, f"step 17 of {LATE}"), (5, f"step 22 of {LATE}")],
}
FINISHED = {"model": 768, "network": 22}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: Patch) -> Path:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "interrupted"


@pytest.fixture
def ran(monkeypatch: Patch) -> list[int]:
    """What is really run, in tokens or steps."""
    window, advance, sizes = evaluation._Windows.window, stepping.advance, list[int]()

    def one_window(self: Any, inputs: Any, targets: Any) -> Any:
        found = window(self, inputs, targets)
        sizes.append(inputs.size)
        return found

    def one_advance(network: Any, runner: Any, stream: Any, state: Any = None, **options: Any) -> Any:
        sizes.append(stream.steps - (state.step if state else 0))
        return advance(network, runner, stream, state, **options)

    monkeypatch.setattr(evaluation._Windows, "window", one_window)
    monkeypatch.setattr(stepping, "advance", one_advance)
    return sizes


class Work:
    """`eval` of one kind."""

    def __init__(self, kind: str, bundle: Path, given: list[str], patch: Patch, capsys: Capture) -> None:
        self.kind, self.bundle, self.given, self.patch, self.capsys = kind, bundle, given, patch, capsys
        self.resumed: int | None = None

    def call(self, *options: str) -> Answer:
        return call(["eval", str(self.bundle), *self.given, *options], self.capsys)

    def measured(self, *options: str) -> dict[str, Any]:
        """What `eval --json` finds, without times; `resumed` are the windows of an earlier call."""
        found = self.call(*options, "--json")
        assert found.status == 0, found.err
        value: dict[str, Any] = json.loads(found.out)
        for side in (value.get("float"), value.get("chip")):
            if side:
                side.pop("tokens_per_s")
        self.resumed = value.pop("windows_resumed", None)
        return value

    def interrupted(self, after: int, *options: str) -> str:
        """Ctrl-C after so many windows, or steps of this call; the message."""
        with self.patch.context() as patch:
            if self.kind == "model":
                failing(RUN_WINDOW, after, KeyboardInterrupt(), patch)
            else:
                interrupting(after, patch, "reference" if "reference" in options else "fast")
            return self._broken_off(*options)

    def interrupted_late(self) -> str:
        """Of a network, when the chip is done and the float network runs."""
        with self.patch.context() as patch:
            failing(RUN_FLOAT, 0, KeyboardInterrupt(), patch)
            return self._broken_off()

    def _broken_off(self, *options: str) -> str:
        found = self.call(*options)
        assert (found.status, found.out) == (130, "")
        return found.err.splitlines()[-1]


@pytest.fixture
def work_on(
    tmp_path: Path, cache: Path, llama_bundle: Path, files: Files, monkeypatch: Patch, capsys: Capture
) -> Callable[[str], Work]:
    (tmp_path / "text").write_text(TEXT)
    given = {
        "model": (llama_bundle, ["--text", str(tmp_path / "text")]),
        "network": (files.plain_nd, ["--input", str(files.spikes)]),
    }
    return lambda kind: Work(kind, *given[kind], monkeypatch, capsys)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("model", []), ("model", ["--no-float"]), ("model", ["--runner", "reference"]), ("network", []),
        ("network", ["--runner", "reference"]),
    ],
)  # fmt: skip
def test_same_figures(
    kind: str, options: list[str], cache: Path, ran: list[int], work_on: Callable[[str], Work]
) -> None:
    work = work_on(kind)
    whole = work.measured(*options)
    assert sum(ran) == SIZES[kind] and not any(cache.iterdir())
    assert kind == "network" or whole["saturations"] > 0
    before = snapshot(work.bundle)
    for after, done in HITS[kind]:
        line = work.interrupted(after, *options)
        (folder,) = cache.iterdir()
        assert line.startswith(f"error ND3009 eval: was interrupted after {done}; run the same command again")
        assert str(folder) in line
    ran.clear()
    assert work.measured(*options) == whole
    assert sum(ran) == SIZES[kind] - FINISHED[kind] and work.resumed == (3 if kind == "model" else None)
    assert not any(cache.iterdir()) and snapshot(work.bundle) == before


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        *(("model", what) for what in ("text", "runner", "no float", "conversion", "fewer tokens")),
        *(("network", what) for what in ("input", "steps", "runner")),
    ],
)
def test_nothing_of_another_evaluation_is_mixed_in(
    kind: str, what: str, tmp_path: Path, cache: Path, ran: list[int], llama: Path, files: Files,
    work_on: Callable[[str], Work],
) -> None:  # fmt: skip
    work = work_on(kind)
    if kind == "model":
        work.interrupted(3)
    else:
        work.interrupted_late()
    ran.clear()
    options = {
        "runner": ["--runner", "reference"], "no float": ["--no-float"], "fewer tokens": ["--max-tokens", "1000"],
        "steps": ["--steps", str(STEPS - 1)],
    }.get(what, [])  # fmt: skip
    if what == "text":
        (tmp_path / "text").write_text(TEXT[::-1])
    elif what == "input":
        np.save(tmp_path / "other.npy", np.load(files.spikes)[::-1])
        work.given = ["--input", str(tmp_path / "other.npy")]
    elif what == "conversion":
        work.bundle = tmp_path / "other.nd"
        pipeline.convert(llama, work.bundle, preset="quick", calibration_tokens=96, weight_bits=4)
    work.measured(*options)
    assert sum(ran) == SIZES[kind] - {"fewer tokens": 100, "steps": 1}.get(what, 0) and not work.resumed
    assert len(list(cache.iterdir())) == 1  # what is kept of the first waits for its own call


def test_interrupted_while_the_float_network_runs(ran: list[int], work_on: Callable[[str], Work]) -> None:
    work = work_on("network")
    whole = work.measured()
    for _ in range(2):
        assert f"after step {LATE} of {LATE}" in work.interrupted_late()
    ran.clear()
    assert work.measured() == whole and ran == []


@pytest.mark.parametrize("damage", ["state", "outputs.npz", "one of them"])
def test_damaged_files_are_not_used(damage: str, cache: Path, ran: list[int], work_on: Callable[[str], Work]) -> None:
    work = work_on("network")
    whole = work.measured()
    work.interrupted_late()
    (folder,) = cache.iterdir()
    file = folder / ("outputs.npz" if damage == "one of them" else damage)
    file.unlink() if damage == "one of them" else file.write_bytes(file.read_bytes()[:-20])
    ran.clear()
    assert work.measured() == whole and ran == [LATE]


def test_interrupted_in_the_first_window(cache: Path, work_on: Callable[[str], Work]) -> None:
    work = work_on("model")
    before = snapshot(work.bundle)
    assert "error ND3008 eval: was interrupted" in work.interrupted(0)
    assert not any(cache.iterdir()) and snapshot(work.bundle) == before


def test_a_failure_keeps_nothing(cache: Path, work_on: Callable[[str], Work], monkeypatch: Patch) -> None:
    failing(RUN_WINDOW, 2, MemoryError(), monkeypatch)
    assert work_on("model").call().status == 3
    assert not any(cache.iterdir())


def test_a_cache_that_cannot_be_written(tmp_path: Path, work_on: Callable[[str], Work]) -> None:
    """Everything works, only nothing is kept, and the message does not say so."""
    work = work_on("model")
    (tmp_path / "cache").write_text("a file in its place")
    assert "ND3008" in work.interrupted(3)
    work.measured()
    assert work.resumed == 0


@pytest.mark.parametrize("kind", SIZES)
def test_a_cache_that_fills_up(kind: str, ran: list[int], work_on: Callable[[str], Work], monkeypatch: Patch) -> None:
    """Nothing is kept, and everything else goes its way."""

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    work = work_on(kind)
    whole = work.measured()
    for module in (stage_files, bundle_files):
        monkeypatch.setattr(module, "replace_file", full)
    monkeypatch.setattr(stepping, "STRETCH", 1)
    monkeypatch.setattr(keeping, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(keeping, "PAUSE", 0.0)
    ran.clear()
    found = work.measured()
    assert sum(ran) == SIZES[kind] and not work.resumed
    notes = [note for note in found["notes"] if "nothing is kept of a run that is broken off" in note]
    assert bool(notes) == (kind == "model")
    assert {**found, "notes": []} == {**whole, "notes": []}
    assert "ND3008" in (work.interrupted(3) if kind == "model" else work.interrupted_late())


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
def test_signals(number: int, tmp_path: Path, work_on: Callable[[str], Work]) -> None:
    """Also a process that is killed keeps its windows."""
    work = work_on("model")
    shutil.copytree(work.bundle, tmp_path / "x.nd")
    work.bundle = tmp_path / "x.nd"
    before = snapshot(work.bundle)
    command = [sys.executable, "-c", HIT_AT_THIRD_WINDOW, str(number), "eval", str(work.bundle), *work.given]
    one = {"OMP_NUM_THREADS": "1"}  # as in this process: another number of threads is other work
    done = subprocess.run(command, env=environment() | one, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (-9 if number == 9 else 130, ""), done.stderr
    if number != 9:
        assert done.stderr.splitlines()[-1].startswith("error ND3009 eval: was interrupted after 512 of 1100 tokens; ")
    work.measured()
    assert work.resumed == 2 and snapshot(work.bundle) == before
