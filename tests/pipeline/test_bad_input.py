"""Bad input as a user meets it on the command line: a coded error with a fix, the right exit status, nothing half-written.

Every case of the table runs twice, for people and with ``--json``, in a folder that must be the same before and after,
an older bundle of the name that is to be written included.
"""

from __future__ import annotations

import json
import math
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pipeline.networks import PROSE, World
from tests.tiny import Capture, call, refused, snapshot

USER, NO_FIT, UNAVAILABLE = 2, 3, 4
Q_PROJ = "model.layers.0.self_attn.q_proj.weight"
#: Verbs with what they take beside a bundle of either kind.
BUNDLE_VERBS = [
    ["map"], ["explain"], ["verify"], ["generate", "--prompt", "a"], ["export", "--out", "x.nir"], ["energy"],
    ["energy", "--input", "X"], ["report", "--out", "page.html"], ["report", "--input", "X", "--out", "page.html"],
    *([verb, *given] for verb in ("run", "eval") for given in (["--text", "TEXT"], ["--input", "X"])),
]  # fmt: skip


def _shards(world: World) -> Path:
    folder = world.model()
    from safetensors.torch import load_file

    names = list(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    table = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    return folder


def _cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def _gguf(world: World, architecture: str = "llama") -> Path:
    import gguf

    path = world.here / "model.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_tensor("token_embd.weight", np.ones((64, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def _only(world: World, name: str, content: bytes = b"x") -> Path:
    """A model whose weights are in another file."""
    folder = _without(world.model(), "model.safetensors")
    (folder / name).write_bytes(content)
    return folder


def _set(name: str, index: tuple[int, ...], value: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name][index] = value

    return change


def _scale(factor: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[Q_PROJ] = tensors[Q_PROJ].float() * factor

    return change


def _moved(world: World) -> list[str]:
    """A bundle whose source has gone."""
    from neurodeploy import pipeline

    model = world.model()
    bundle = world.here / "moved.nd"
    pipeline.convert(model, bundle, preset="quick", calibration_tokens=64)
    shutil.rmtree(model)
    return ["eval", str(bundle), "--text", world.file("text.txt")]


def _changed(world: World) -> list[str]:
    """The same with a source whose configuration was edited."""
    arguments = _moved(world)
    world.model(rms_norm_eps=0.1)
    return arguments


def _calibrated(name: str, content: bytes) -> Callable[[World], list[str]]:
    return lambda w: w.convert(w.llama, "--calibration", w.file(name, content))


def _option(*options: str) -> Callable[[World], list[str]]:
    return lambda w: w.convert(w.llama, *options)


def _out(path: Callable[[World], object]) -> Callable[[World], list[str]]:
    return lambda w: ["convert", str(w.llama), "--out", str(path(w)), "--preset", "quick", "--calibration-tokens", "64"]


def _folder(world: World) -> Path:
    folder = world.here / "photos"
    folder.mkdir()
    (folder / "one.txt").write_text("keep me")
    return folder


def _link(world: World) -> Path:
    path = world.here / "link.nd"
    path.symlink_to(world.here / "nowhere")
    return path


#: name: (code, exit status, what the message must name, arguments)
CASES: dict[str, tuple[str, int, str, Callable[[World], list[str]]]] = {
    # the call
    "misspelt verb": ("ND1100", USER, "'convret'", lambda w: ["convret", "demo"]),
    "misspelt option": ("ND1100", USER, "--preset", lambda w: w.convert(w.llama, "--presett", "quick")),
    "missing option": ("ND1100", USER, "--out", lambda w: ["convert", str(w.llama)]),
    "missing argument": ("ND1100", USER, "X.nd", lambda w: ["map"]),
    "a word for a number": ("ND1100", USER, "--calibration-tokens", _option("--calibration-tokens", "many")),
    "too few tokens to read": (
        "ND1100", USER, "--max-tokens", lambda w: w.on("run", "--text", "t", "--max-tokens", "1")
    ),
    # models
    "no such model": ("ND1001", USER, "nowhere", lambda w: w.convert(w.here / "nowhere")),
    "misspelt packaged model": ("ND1001", USER, "'smollm2-135m'", lambda w: w.convert("smollm2-135")),
    "a text as model": ("ND1003", USER, "notes.txt", lambda w: w.convert(w.file("notes.txt"))),
    "a pickle as model": ("ND1003", USER, "model.pt", lambda w: w.convert(w.file("model.pt", b"\x80\x04x"))),
    "an HDF5 file as model": ("ND1003", USER, "net.h5", lambda w: w.convert(w.file("net.h5", b"\x89HDF\r\n\x1a\n"))),
    "a lone weight file": ("ND1003", USER, "config.json", lambda w: w.convert(w.llama / "model.safetensors")),
    "a folder without configuration": (
        "ND1003", USER, "config.json", lambda w: w.convert(_without(w.model(), "config.json"))
    ),
    "a bundle as model": ("ND1003", USER, "llama.nd", lambda w: w.convert(w.bundle)),
    "a folder without weights": (
        "ND1001", USER, "model.safetensors", lambda w: w.convert(_without(w.model(), "model.safetensors"))
    ),
    "pickled weights only": ("ND1003", USER, "pytorch_model.bin", lambda w: w.convert(_only(w, "pytorch_model.bin"))),
    "a configuration that is no JSON": (
        "ND1004", USER, "config.json", lambda w: w.convert(_cut(w.model() / "config.json", 60).parent)
    ),
    "unknown architecture": ("ND1011", USER, "'mamba'", lambda w: w.convert(w.model(model_type="mamba"))),
    "unsupported activation": ("ND1012", USER, "hidden_act", lambda w: w.convert(w.model(hidden_act="relu2"))),
    "unknown setting": ("ND1012", USER, "norm_trick", lambda w: w.convert(w.model(norm_trick=True))),
    "absurd number of layers": (
        "ND1012", USER, "num_hidden_layers", lambda w: w.convert(w.model(num_hidden_layers=10**12))
    ),
    "NaN weights": ("ND1007", USER, Q_PROJ, lambda w: w.convert(w.weights(_set(Q_PROJ, (3, 5), math.nan)))),
    "infinite weights": (
        "ND1007", USER, "[7, 1]", lambda w: w.convert(w.weights(_set("lm_head.weight", (7, 1), math.inf)))
    ),
    "huge weights": ("ND1103", USER, "layers.0.self_attn.q_proj", lambda w: w.convert(w.weights(_scale(1e37)))),
    "missing shard": ("ND1005", USER, "model-00002-of-00002", lambda w: w.convert(_shards(w))),
    "truncated safetensors": (
        "ND1004", USER, "model.safetensors",
        lambda w: w.convert(_cut(w.model() / "model.safetensors", 100_000).parent)
    ),
    "empty safetensors": (
        "ND1004", USER, "model.safetensors", lambda w: w.convert(_only(w, "model.safetensors", b""))
    ),
    "tensor of the wrong shape": (
        "ND1006", USER, Q_PROJ, lambda w: w.convert(w.weights(lambda t: t.update({Q_PROJ: torch.ones(64, 60)})))
    ),
    "tensor too many": (
        "ND1006", USER, "model.extra", lambda w: w.convert(w.weights(lambda t: t.update({"model.extra": torch.ones(3)})))
    ),
    "tensor too few": ("ND1006", USER, Q_PROJ, lambda w: w.convert(w.weights(lambda t: t.pop(Q_PROJ)))),
    "weights of type int8": (
        "ND1006", USER, "I8",
        lambda w: w.convert(w.weights(lambda t: t.update({Q_PROJ: torch.ones(64, 64, dtype=torch.int8)})))
    ),
    "truncated GGUF": ("ND1004", USER, "model.gguf", lambda w: w.convert(_cut(_gguf(w), 9000))),
    "GGUF with absurd counts": (
        "ND1004", USER, "model.gguf",
        lambda w: w.convert(w.file("model.gguf", struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 2**60)))
    ),
    "GGUF by name only": ("ND1004", USER, "model.gguf", lambda w: w.convert(w.file("model.gguf"))),
    "GGUF of another architecture": ("ND1011", USER, "'mamba'", lambda w: w.convert(_gguf(w, "mamba"))),
    "damaged tokenizer": (
        "ND1009", USER, "tokenizer.json",
        lambda w: w.convert(Path(w.model(), w.file("model/tokenizer.json", "{}")).parent)
    ),
    # calibration
    "no calibration text": ("ND1104", USER, "gone.txt", lambda w: w.convert(w.llama, "--calibration", "gone.txt")),
    "calibration is a folder": ("ND1104", USER, "model", lambda w: w.convert(w.llama, "--calibration", str(w.model()))),
    "empty calibration": ("ND1105", USER, "e.txt", _calibrated("e.txt", b"")),
    "blank calibration": ("ND1105", USER, "w.txt", _calibrated("w.txt", b" \n\t\n")),
    "calibration of a byte order mark": ("ND1105", USER, "b.txt", _calibrated("b.txt", b"\xef\xbb\xbf")),
    "calibration in Latin-1": ("ND1106", USER, "0xe9", _calibrated("l.txt", "caf\xe9 noir".encode("latin-1"))),
    "calibration too short": ("ND1102", USER, "5 tokens", _calibrated("s.txt", b"short")),
    # presets
    "unknown preset": ("ND1101", USER, "graded-12", _option("--preset", "best")),
    "payload of 9 bits": ("ND1101", USER, "payload_bits = 9", _option("--payload-bits", "9")),
    "weights of 9 bits": ("ND1101", USER, "weight_bits = 9", _option("--weight-bits", "9")),
    "weights of 1 bit": ("ND1101", USER, "weight_bits = 1", _option("--weight-bits", "1")),
    "unknown rounding": ("ND1101", USER, "'gptq'", _option("--rounding", "up")),
    "unknown range": ("ND1101", USER, "'absmax'", _option("--input-range", "all")),
    "calibration tokens below 0": ("ND1101", USER, "calibration_tokens = -5", _option("--calibration-tokens", "-5")),
    # places
    "out is a file": ("ND5004", USER, "thesis.txt", _out(lambda w: w.file("thesis.txt"))),
    "out is a folder of others": ("ND5004", USER, "photos", _out(_folder)),
    "out is a dangling link": ("ND5004", USER, "link.nd", _out(_link)),
    "out is here": ("ND5004", USER, ".", _out(lambda w: ".")),
    "out below a file": ("ND5004", USER, "a.txt/new/x.nd", _out(lambda w: w.file("a.txt") + "/new/x.nd")),
    "out where nobody may write": ("ND5004", USER, "/proc/x.nd", _out(lambda w: "/proc/x.nd")),
    "out with an endless name": ("ND5004", USER, "aaa.nd", _out(lambda w: w.here / "new" / ("a" * 300 + ".nd"))),
    # mapping
    "unknown system": ("ND4001", USER, "kapoho-point", lambda w: w.on("map", "--system", "kapoho")),
    "system too small": (
        "ND2001", NO_FIT, "alia-point", lambda w: w.on("map", "--system", "oheo-gulch", "--max-rows", "1")
    ),
    "chip too narrow": (
        "ND2090", NO_FIT, "the neuron model graded_affine, which loihi1", lambda w: w.on("map", "--system", "loihi1-nahuku")
    ),
    "no chips": ("ND2003", USER, "between 1 and 8", lambda w: w.on("map", "--chips", "0")),
    "too many chips": ("ND2003", USER, "between 1 and 8", lambda w: w.on("map", "--chips", "9")),
    "no rows": ("ND2003", USER, "max_rows", lambda w: w.on("map", "--max-rows", "0")),
    "explain before map": ("ND2005", USER, "neurodeploy map", lambda w: ["explain", str(w.unmapped)]),
    "energy before map": ("ND2005", USER, "neurodeploy map", lambda w: ["energy", str(w.unmapped)]),
    # texts
    "no such text": ("ND1104", USER, "gone.txt", lambda w: w.on("eval", "--text", "gone.txt")),
    "text of no length": ("ND1105", USER, "t.txt", lambda w: w.on("eval", "--text", w.file("t.txt", b""))),
    "text of one token": ("ND1107", USER, "1 tokens", lambda w: w.on("eval", "--text", w.file("t.txt", b"a"))),
    "text outside the vocabulary": (
        "ND1010", USER, "byte 195", lambda w: ["eval", str(w.unmapped), "--text", w.file("t.txt", "caf\xe9")]
    ),
    "source has moved": ("ND1108", USER, "model", _moved),
    "source has changed": ("ND1108", USER, "config.json", _changed),
    "source is another model": (
        "ND1108", USER, "model.safetensors",
        lambda w: w.on("eval", "--text", w.file("t.txt"), "--source", str(w.weights(_scale(2.0))))
    ),
    # generation
    "empty prompt": ("ND1107", USER, "prompt", lambda w: w.on("generate", "--prompt", "")),
    "prompt of broken characters": ("ND1010", USER, "surrogate", lambda w: w.on("generate", "--prompt", "a\udcffb")),
    "no tokens": ("ND3005", USER, "tokens 0", lambda w: w.on("generate", "--prompt", "a", "--tokens", "0")),
    "temperature below 0": (
        "ND3005", USER, "temperature -1.0", lambda w: w.on("generate", "--prompt", "a", "--temperature", "-1")
    ),
    "temperature NaN": (
        "ND3005", USER, "temperature nan", lambda w: w.on("generate", "--prompt", "a", "--temperature", "nan")
    ),
    "seed below 0": ("ND3005", USER, "seed -1", lambda w: w.on("generate", "--prompt", "a", "--seed", "-1")),
    "more tokens than positions": (
        "ND3006", USER, "at most 255", lambda w: w.on("generate", "--prompt", "a", "--tokens", "256")
    ),
    "unknown runner": ("ND3001", USER, "reference", lambda w: w.on("generate", "--prompt", "a", "--runner", "gpu")),
    # energy and report
    "unknown host": ("ND4003", USER, "cpu-generic", lambda w: w.on("energy", "--host", "abacus")),
    "unknown powering": ("ND3104", USER, "system", lambda w: w.on("energy", "--powered", "all")),
    "no prompt to price": ("ND3005", USER, "0 prompt tokens", lambda w: w.on("energy", "--prompt-tokens", "0")),
    "prompt beyond the positions": ("ND3006", USER, "256", lambda w: w.on("energy", "--prompt-tokens", "250")),
    "report to a folder": ("ND5004", USER, "report.html", lambda w: w.on("report", "--out", str(w.here))),
    "report below a file": (
        "ND5004", USER, "a.txt", lambda w: w.on("report", "--out", w.file("a.txt") + "/r.html")
    ),
    "demo on an unknown system": (
        "ND4001", USER, "oheo-gulch", lambda w: ["demo", "--out", str(w.here / "new"), "--system", "oheo"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, world: World, capsys: Capture) -> None:
    code, status, says, build = CASES[name]
    arguments = build(world)
    refused(arguments, code, status, says, world.here, capsys)


@pytest.mark.parametrize("verb", BUNDLE_VERBS, ids=" ".join)
@pytest.mark.parametrize("kind", ["missing", "file", "empty folder"])
def test_not_a_bundle(verb: list[str], kind: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "thing.nd"
    if kind == "file":
        path.write_text("not a bundle")
    elif kind == "empty folder":
        path.mkdir()
    text = tmp_path / "text.txt"
    text.write_text(PROSE)
    options = [str(text) if option == "TEXT" else option for option in verb[1:]]
    before = snapshot(tmp_path)
    found = call([verb[0], str(path), *options], capsys)
    assert (found.status, found.out) == (2, "")
    assert found.err.startswith(f"error ND5001 {path}: ")
    assert "neurodeploy convert" in found.err
    assert snapshot(tmp_path) == before
