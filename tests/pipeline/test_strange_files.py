"""Named pipes and devices where a file is asked for: an answer, not a wait for whoever might write into a pipe, and not the
endless zeros of a device."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipeline.networks import Files
from tests.tiny import Cli, Patch

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
#: Whoever waits for a pipe is told so after this many seconds; nobody here waits for anything.
PATIENCE = 240


class Place:
    """Where a call reads: `strange` makes a pipe or a link to a device of that name."""

    def __init__(self, here: Path, files: Files, lm: Path, llama: Path, device: bool) -> None:
        self.here, self.files, self.lm, self.llama, self.device = here, files, lm, llama, device

    def strange(self, name: str) -> str:
        path = self.here / name
        path.unlink(missing_ok=True)
        if self.device:
            path.symlink_to("/dev/zero")
        else:
            os.mkfifo(path)
        return str(path)

    def inside(self, source: Path, member: str) -> str:
        """A copy of a folder with something strange in it."""
        folder = self.here / source.name
        shutil.copytree(source, folder)
        self.strange(f"{source.name}/{member}")
        return str(folder)

    @property
    def net(self) -> str:
        return str(self.files.plain_nd)

    def run(self, *more: str) -> list[str]:
        return ["run", self.net, "--input", str(self.files.spikes), *more]


INPUTS: dict[str, Callable[[Place], list[str]]] = {
    "gguf": lambda p: ["convert", p.strange("f.gguf"), "--out", "o.nd"],
    "nir": lambda p: ["convert", p.strange("f.nir"), "--dt", "1e-3", "--out", "o.nd"],
    "net": lambda p: ["convert", p.strange("f.net"), "--out", "o.nd"],
    "config": lambda p: ["convert", p.inside(p.llama, "config.json"), "--out", "o.nd"],
    "weights": lambda p: ["convert", p.inside(p.llama, "model.safetensors"), "--out", "o.nd"],
    "tokenizer": lambda p: ["convert", p.inside(p.llama, "tokenizer.json"), "--out", "o.nd"],
    "calibration": lambda p: ["convert", str(p.llama), "--calibration", p.strange("t.txt"), "--out", "o.nd"],
    "fit gguf": lambda p: ["fit", p.strange("f.gguf")],
    "fit json": lambda p: ["fit", p.strange("config.json")],
    "npy": lambda p: ["run", p.net, "--input", p.strange("f.npy")],
    "npz": lambda p: ["run", p.net, "--input", p.strange("f.npz")],
    "h5": lambda p: ["run", p.net, "--input", p.strange("f.h5")],
    "state": lambda p: p.run("--resume", p.strange("s.npz")),
    "labels": lambda p: ["eval", p.net, "--input", str(p.files.spikes), "--labels", p.strange("l.npy")],
    "text": lambda p: ["run", str(p.lm), "--text", p.strange("t.txt")],
    "plan": lambda p: ["map", p.net, "--plan", p.strange("p.csv")],
    "manifest": lambda p: ["explain", p.inside(p.files.plain_nd, "manifest.json")],
    "program": lambda p: ["explain", p.inside(p.files.plain_nd, "program.json")],
    "arrays": lambda p: ["explain", p.inside(p.files.plain_nd, "network.h5")],
    "mapping": lambda p: ["explain", p.inside(p.files.plain_nd, "mapping.json")],
    "result": lambda p: p.run("--out", p.strange("o.npz")),
    "checkpoint": lambda p: p.run("--checkpoint", p.strange("c.npz")),
}


@pytest.fixture
def _patience() -> Iterator[None]:
    def waited(number: int, frame: object) -> None:
        raise TimeoutError(f"waits for a pipe or reads a device for {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_patience")
@pytest.mark.parametrize("device", [False, True], ids=["pipe", "device"])
@pytest.mark.parametrize("name", INPUTS)
def test_it_is_told(
    name: str,
    device: bool,
    files: Files,
    llama: Path,
    llama_bundle: Path,
    tmp_path: Path,
    monkeypatch: Patch,
    cli: Cli,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = INPUTS[name](Place(tmp_path, files, llama_bundle, llama, device))
    found = cli(*arguments)
    assert found.status == 2 and found.code.startswith("ND"), found.err
    assert "ND9" not in found.err and not (tmp_path / "o.nd").exists()
    left = [path for path in tmp_path.rglob("*") if not (path.is_file() or path.is_dir())]
    assert len(left) == 1, "the pipe or the device is still there"
