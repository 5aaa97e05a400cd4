"""Named pipes and devices where a file is asked for: an answer, not a wait for whoever might write into a pipe, and not the
endless zeros of a device."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.networks import World
from tests.tiny import Cli, Patch

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
#: Whoever waits for a pipe is told so after this many seconds; nobody here waits for anything.
PATIENCE = 240
#: What is typed (`World.typed`): +NAME is a pipe or a link to a device, FOLDER+NAME a copy of a folder with one in it.
INPUTS = {
    "gguf": "convert +f.gguf --out o.nd",
    "nir": "convert +f.nir --dt 1e-3 --out o.nd",
    "net": "convert +f.net --out o.nd",
    "config": "convert MODEL+config.json --out o.nd",
    "weights": "convert MODEL+model.safetensors --out o.nd",
    "tokenizer": "convert MODEL+tokenizer.json --out o.nd",
    "calibration": "convert MODEL --calibration +t.txt --out o.nd",
    "fit gguf": "fit +f.gguf",
    "fit json": "fit +config.json",
    "npy": "run PLAIN_ND --input +f.npy",
    "npz": "run PLAIN_ND --input +f.npz",
    "h5": "run PLAIN_ND --input +f.h5",
    "state": "run PLAIN_ND --input SPIKES --resume +s.npz",
    "labels": "eval PLAIN_ND --input SPIKES --labels +l.npy",
    "text": "run LM --text +t.txt",
    "plan": "map PLAIN_ND --plan +p.csv",
    "manifest": "explain PLAIN_ND+manifest.json",
    "program": "explain PLAIN_ND+program.json",
    "arrays": "explain PLAIN_ND+network.h5",
    "mapping": "explain PLAIN_ND+mapping.json",
    "result": "run PLAIN_ND --input SPIKES --out +o.npz",
    "checkpoint": "run PLAIN_ND --input SPIKES --checkpoint +c.npz",
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


def placed(word: str, world: World, device: bool) -> str:
    folder, strange, name = word.partition("+")
    if not strange:
        return world.typed(word)[0]
    inside = world.model() if folder == "MODEL" else Path(*world.typed(folder or "HERE"))
    path = inside / name
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero") if device else os.mkfifo(path)
    return str(inside if folder else path)


@pytest.mark.usefixtures("_patience")
@pytest.mark.parametrize("device", [False, True], ids=["pipe", "device"])
@pytest.mark.parametrize("name", INPUTS)
def test_it_is_told(name: str, device: bool, world: World, monkeypatch: Patch, cli: Cli) -> None:
    monkeypatch.chdir(world.here)
    found = cli(*(placed(word, world, device) for word in INPUTS[name].split()))
    assert found.status == 2 and found.code.startswith("ND"), found.err
    assert "ND9" not in found.err and not (world.here / "o.nd").exists()
    left = [path for path in world.here.rglob("*") if not (path.is_file() or path.is_dir())]
    assert len(left) == 1, "the pipe or the device is still there"
