"""Files of strangers and bad luck: bombs, pipes and interrupts."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neurodeploy import hybrid
from neurodeploy.conversion import quantize
from neurodeploy.frontends import hdf5_guard
from tests.pipeline.networks import DT, Files, layers
from tests.tiny import HEEDING, call, environment

Capture = pytest.CaptureFixture[str]


def convert(files: Files, out: Path) -> list[str]:
    return ["convert", str(files.plain), "--dt", str(DT), "--out", str(out)]


def process(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment(), capture_output=True, text=True)


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}
#: What is changed in a sound tokenizer.json.
BOMBS: dict[str, dict[str, Any]] = {
    "replacements of replacements": {"normalizer": {"type": "Sequence", "normalizers": [REPLACE] * 5}},
    "an id of 2^31": {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Z": 1 << 31}, "merges": []}},
}

#: Of addresses: whoever asks for more has no answer, instead of the memory of the machine.
MOST_KIB = 8 << 20


#: What every verb does with the tokenizer of a bundle, here in the folder sys.argv[1]; prints the code of its error.
USE = """
import sys
from pathlib import Path
from neurodeploy.errors import ModelError
from neurodeploy.frontends.tokenizer import open_tokenizer
try:
    settings = {"kind": "BPE", "bos": None, "eos": [], "adds_bos": False}
    tokenizer = open_tokenizer(Path(sys.argv[1], "tokenizer.json"), 300, settings)
    tokenizer.encode("aa bb", bos=False)
    tokenizer.save(Path(sys.argv[1], "written.json"))
except ModelError as error:
    print(error.code)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_no_tokenizer_aborts_the_program(name: str, tmp_path: Path) -> None:
    sound = {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, " ": 2}, "merges": []}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(sound | BOMBS[name]))
    command = shlex.join([sys.executable, "-c", USE, str(tmp_path)])
    done = process(["sh", "-c", f"ulimit -v {MOST_KIB}; exec {command}"])
    assert (done.returncode, done.stdout) == (0, "ND1009\n")


def test_text_beside_the_graph_is_not_read(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """80 MB in 80 kB: its reader stood with a full pipe until its time was over."""
    monkeypatch.setattr(hdf5_guard, "WALL_SECONDS", 30)  # nothing is waited for where this passes
    shutil.copy(files.plain, tmp_path / "x.nir")
    with h5py.File(tmp_path / "x.nir", "a") as file:
        text = np.full(40_000, b"x" * 2000, "S2000")
        file.create_dataset("notes/t", data=text, compression="gzip", chunks=(4000,))
    given = ["convert", str(tmp_path / "x.nir"), "--dt", str(DT), "--out", str(tmp_path / "x.nd")]
    assert call(given, capsys).status == 0


#: Runs the command line and sends its own process a signal where the golden vectors of a bundle are written.
HIT = (
    HEEDING
    + """
import os, shutil, time
from neurodeploy.bundle import golden
from neurodeploy.cli import main
def hit(*_):
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(600)
golden.write_golden = hit
AGAIN
main(sys.argv[2:])
"""
)


def hit(number: int, arguments: list[str], again: str = "") -> int:
    return process([sys.executable, "-c", HIT.replace("AGAIN", again), str(number), *arguments]).returncode


def test_a_terminal_that_is_closed_leaves_nothing(files: Files, tmp_path: Path) -> None:
    assert hit(signal.SIGHUP, convert(files, tmp_path / "x.nd")) == 130
    assert list(tmp_path.iterdir()) == []


#: Clearing away is hit too, and would begin again.
CLEARING = """
calls = []
def rmtree(*_, **__):
    calls.append(1)
    if len(calls) > 1:
        open("again", "w").close()
    os.kill(os.getpid(), signal.SIGINT)
shutil.rmtree = rmtree
"""


def test_a_second_ctrl_c_ends_at_once(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hit(signal.SIGINT, convert(files, tmp_path / "x.nd"), CLEARING) == 130
    assert not (tmp_path / "again").exists()


def named(folder: Path, name: str) -> Path:
    """A network whose neurons have the name."""
    graph = layers()
    nodes = {name if key == "hidden" else key: node for key, node in graph.nodes.items()}
    nir.write(folder / "x.nir", nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False))))
    return folder / "x.nir"


@pytest.mark.parametrize("name", ["=cmd|' .exe'!A0", "\uff1d1+1"])
def test_no_cell_of_a_plan_or_a_report_is_a_formula(name: str, files: Files, tmp_path: Path, capsys: Capture) -> None:
    net, plan = str(tmp_path / "x.nd"), tmp_path / "plan.csv"
    assert call(["convert", str(named(tmp_path, name)), "--dt", str(DT), "--out", net], capsys).status == 0
    assert call(["map", net, "--system", "oheo-gulch", "--write-plan", str(plan)], capsys).status == 0
    assert call(["report", net, "--input", str(files.spikes), "--out", str(tmp_path / "r.html")], capsys).status == 0
    tables = [plan, *tmp_path.glob("r_*.csv")]
    cells = {cell for path in tables for row in csv.reader(path.read_text("utf-8").splitlines()) for cell in row}
    assert len(tables) > 2 and f"'{name}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "\uff1d"))]


def test_a_new_file_has_the_rights_that_the_umask_leaves(files: Files, tmp_path: Path, capsys: Capture) -> None:
    before = os.umask(0o027)
    try:
        given = ["run", str(files.plain_nd), "--input", str(files.spikes), "--out", str(tmp_path / "o.npz")]
        assert call(given, capsys).status == 0
    finally:
        os.umask(before)
    assert (tmp_path / "o.npz").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("option", ["--out", "--checkpoint"])
def test_a_pipe_is_not_replaced(option: str, files: Files, tmp_path: Path, capsys: Capture) -> None:
    os.mkfifo(tmp_path / "pipe")
    given = ["run", str(files.plain_nd), "--input", str(files.spikes), option, str(tmp_path / "pipe")]
    assert call(given, capsys).status == 2 and (tmp_path / "pipe").is_fifo()


def interrupting(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch, at: int = 10**9) -> list[int]:
    """Count the calls of a function in what is returned; interrupt the one of that number."""
    real, calls = getattr(owner, name), [0]

    def call(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == at:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, call)
    return calls


def twice(given: list[str], owner: Any, name: str, at: int, capsys: Capture) -> tuple[int, int]:
    """Calls of a function in a run that is interrupted at one of them, and in the same command again."""
    counts = []
    for place, status in ((at, 130), (10**9, 0)):
        with pytest.MonkeyPatch.context() as patch:
            calls = interrupting(owner, name, patch, place)
            assert call(given, capsys).status == status
        counts.append(calls[0])
    return counts[0], counts[1]


def test_a_conversion_goes_on_with_its_finished_islands(llama: Path, tmp_path: Path, capsys: Capture) -> None:
    given = ["convert", str(llama), "--out", str(tmp_path / "x.nd"), "--preset", "quick", "--calibration-tokens", "64"]
    assert twice(given, quantize, "_convert_group", 5, capsys) == (5, 9 - 4)


def test_an_evaluation_goes_on_with_its_finished_windows(llama_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "text").write_text("What is a spike? " * 50)  # four windows of 256 tokens
    given = ["eval", str(llama_bundle), "--text", str(tmp_path / "text"), "--no-float"]
    assert twice(given, hybrid.Hybrid, "logits_chunks", 3, capsys) == (3, 4 - 2)


def test_outputs_are_written_before_the_state_that_follows_them(files: Files, tmp_path: Path, capsys: Capture) -> None:
    out, state = tmp_path / "o.npz", tmp_path / "state"
    given = ["run", str(files.plain_nd), "--input", str(files.spikes), "--out", str(out), "--checkpoint", str(state)]
    assert call(given, capsys).status == 0
    assert out.stat().st_mtime_ns <= state.stat().st_mtime_ns
