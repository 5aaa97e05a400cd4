"""An evaluation that was interrupted, of a text or of a stream, goes on with what is finished, and finds what one without a
break finds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import evaluation, pipeline
from neurodeploy.bundle import files as bundle_files
from neurodeploy.pipeline import keeping, kept, stepping
from neurodeploy.storage import stage_files
from tests.pipeline.breaking import failing, interrupting, struck
from tests.pipeline.networks import STEPS, Files, copied
from tests.tiny import Cli, Patch, unchanged

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

    def __init__(self, kind: str, bundle: Path, given: list[object], cli: Cli) -> None:
        self.kind, self.bundle, self.given, self.cli = kind, bundle, given, cli
        self.resumed: int | None = None

    def arguments(self, *options: str) -> list[object]:
        return ["eval", self.bundle, *self.given, *options]

    def measured(self, *options: str) -> dict[str, Any]:
        """What `eval --json` finds, without times; `resumed` are the windows of an earlier call."""
        value: dict[str, Any] = self.cli.json(*self.arguments(*options))
        for side in (value.get("float"), value.get("chip")):
            if side:
                side.pop("tokens_per_s")
        self.resumed = value.pop("windows_resumed", None)
        return value

    def interrupted(self, after: int | None, *options: str) -> str:
        """Ctrl-C after so many windows, or steps of this call, or (None) when the float network runs; the message."""
        runner = "reference" if "reference" in options else "fast"
        if after is None:
            breaking = failing(RUN_FLOAT, KeyboardInterrupt())
        elif self.kind == "model":
            breaking = failing(RUN_WINDOW, KeyboardInterrupt(), after)
        else:
            breaking = interrupting(after, runner)
        with breaking:
            found = self.cli(*self.arguments(*options))
        assert (found.status, found.out) == (130, "")
        return found.err.splitlines()[-1]


WorkOn = Callable[[str], Work]


@pytest.fixture
def work_on(tmp_path: Path, cache: Path, llama_bundle: Path, files: Files, cli: Cli) -> WorkOn:
    (tmp_path / "text").write_text(TEXT)
    given: dict[str, tuple[Path, list[object]]] = {
        "model": (llama_bundle, ["--text", tmp_path / "text"]),
        "network": (files.plain_nd, ["--input", files.spikes]),
    }
    return lambda kind: Work(kind, *given[kind], cli)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("model", []), ("model", ["--no-float"]), ("model", ["--runner", "reference"]), ("network", []),
        ("network", ["--runner", "reference"]),
    ],
)  # fmt: skip
def test_same_figures(kind: str, options: list[str], cache: Path, ran: list[int], work_on: WorkOn) -> None:
    work = work_on(kind)
    whole = work.measured(*options)
    assert sum(ran) == SIZES[kind] and not any(cache.iterdir())
    assert kind == "network" or whole["saturations"] > 0
    with unchanged(work.bundle):
        for after, done in HITS[kind]:
            line = work.interrupted(after, *options)
            (folder,) = cache.iterdir()
            assert line.startswith(f"error ND3009 eval: was interrupted after {done}; run the same command again")
            assert str(folder) in line
        ran.clear()
        assert work.measured(*options) == whole
    assert sum(ran) == SIZES[kind] - FINISHED[kind] and work.resumed == (3 if kind == "model" else None)
    assert not any(cache.iterdir())


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        *(("model", what) for what in ("text", "runner", "no float", "conversion", "fewer tokens")),
        *(("network", what) for what in ("input", "steps", "runner")),
    ],
)
def test_nothing_of_another_evaluation_is_mixed_in(
    kind: str, what: str, tmp_path: Path, cache: Path, ran: list[int], llama: Path, files: Files,
    work_on: WorkOn,
) -> None:  # fmt: skip
    work = work_on(kind)
    work.interrupted(3 if kind == "model" else None)
    ran.clear()
    options = {
        "runner": ["--runner", "reference"], "no float": ["--no-float"], "fewer tokens": ["--max-tokens", "1000"],
        "steps": ["--steps", str(STEPS - 1)],
    }.get(what, [])  # fmt: skip
    if what == "text":
        (tmp_path / "text").write_text(TEXT[::-1])
    elif what == "input":
        np.save(tmp_path / "other.npy", np.load(files.spikes)[::-1])
        work.given = ["--input", tmp_path / "other.npy"]
    elif what == "conversion":
        work.bundle = tmp_path / "other.nd"
        pipeline.convert(llama, work.bundle, preset="quick", calibration_tokens=96, weight_bits=4)
    work.measured(*options)
    assert sum(ran) == SIZES[kind] - {"fewer tokens": 100, "steps": 1}.get(what, 0) and not work.resumed
    assert len(list(cache.iterdir())) == 1  # what is kept of the first waits for its own call


def test_interrupted_while_the_float_network_runs(ran: list[int], work_on: WorkOn) -> None:
    work = work_on("network")
    whole = work.measured()
    for _ in range(2):
        assert f"after step {LATE} of {LATE}" in work.interrupted(None)
    ran.clear()
    assert work.measured() == whole and ran == []


@pytest.mark.parametrize("damage", ["state", "outputs.npz", "one of them"])
def test_damaged_files_are_not_used(damage: str, cache: Path, ran: list[int], work_on: WorkOn) -> None:
    work = work_on("network")
    whole = work.measured()
    work.interrupted(None)
    (folder,) = cache.iterdir()
    file = folder / ("outputs.npz" if damage == "one of them" else damage)
    file.unlink() if damage == "one of them" else file.write_bytes(file.read_bytes()[:-20])
    ran.clear()
    assert work.measured() == whole and ran == [LATE]


def test_interrupted_in_the_first_window(cache: Path, work_on: WorkOn) -> None:
    work = work_on("model")
    with unchanged(work.bundle):
        assert "error ND3008 eval: was interrupted" in work.interrupted(0)
    assert not any(cache.iterdir())


def test_a_failure_keeps_nothing(cache: Path, work_on: WorkOn, cli: Cli) -> None:
    with failing(RUN_WINDOW, MemoryError(), 2):
        assert cli(*work_on("model").arguments()).status == 3
    assert not any(cache.iterdir())


def test_a_cache_that_cannot_be_written(tmp_path: Path, work_on: WorkOn) -> None:
    """Everything works, only nothing is kept, and the message does not say so."""
    work = work_on("model")
    (tmp_path / "cache").write_text("a file in its place")
    assert "ND3008" in work.interrupted(3)
    work.measured()
    assert work.resumed == 0


@pytest.mark.parametrize("kind", SIZES)
def test_a_cache_that_fills_up(kind: str, ran: list[int], work_on: WorkOn, monkeypatch: Patch) -> None:
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
    assert "ND3008" in (work.interrupted(3 if kind == "model" else None))


def test_little_is_kept(cache: Path, monkeypatch: Patch) -> None:
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
def test_signals(number: int, tmp_path: Path, work_on: WorkOn) -> None:
    """Also a process that is killed keeps its windows."""
    work = work_on("model")
    work.bundle = copied(work.bundle, tmp_path)
    with unchanged(work.bundle):
        done = struck(number, (RUN_WINDOW, 3), work.arguments())
        assert (done.returncode, done.stdout) == (-9 if number == 9 else 130, ""), done.stderr
        if number != 9:
            last = done.stderr.splitlines()[-1]
            assert last.startswith("error ND3009 eval: was interrupted after 512 of 1100 tokens; ")
        work.measured()
    assert work.resumed == 2
