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

from tests import models
from tests.pipeline.networks import PROSE, Q_PROJ, World
from tests.tiny import Cli, unchanged

#: Verbs with what they take beside a bundle of either kind.
BUNDLE_VERBS = [
    ["map"], ["explain"], ["verify"], ["generate", "--prompt", "a"], ["export", "--out", "x.nir"], ["energy"],
    ["energy", "--input", "X"], ["report", "--out", "page.html"], ["report", "--input", "X", "--out", "page.html"],
    *([verb, *given] for verb in ("run", "eval") for given in (["--text", "TEXT"], ["--input", "X"])),
]  # fmt: skip


def _shards(world: World) -> Path:
    folder = world.model()
    with models.tensors(folder) as tensors:
        names = list(tensors)
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


def _set(index: tuple[int, ...], value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: tensor.index_put(tuple(map(torch.tensor, index)), torch.tensor(value, dtype=tensor.dtype))


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


CALIBRATE = "convert MODEL --out OLDER --calibration-tokens 64 --calibration"


def _calibrated(name: str, content: bytes) -> Callable[[World], list[str]]:
    return lambda w: w.typed(CALIBRATE, w.file(name, content))


def _out(path: Callable[[World], object]) -> Callable[[World], list[str]]:
    return lambda w: w.typed("convert MODEL --preset quick --calibration-tokens 64 --out", path(w))


def _folder(world: World) -> Path:
    folder = world.here / "photos"
    folder.mkdir()
    (folder / "one.txt").write_text("keep me")
    return folder


def _link(world: World) -> Path:
    path = world.here / "link.nd"
    path.symlink_to(world.here / "nowhere")
    return path


#: name: (code, what the message must name, the model that is converted)
MODELS: dict[str, tuple[str, str, Callable[[World], object]]] = {
    "no such model": ("ND1001", "nowhere", lambda w: w.here / "nowhere"),
    "misspelt packaged model": ("ND1001", "'smollm2-135m'", lambda w: "smollm2-135"),
    "a text as model": ("ND1003", "notes.txt", lambda w: w.file("notes.txt")),
    "a pickle as model": ("ND1003", "model.pt", lambda w: w.file("model.pt", b"\x80\x04x")),
    "an HDF5 file as model": ("ND1003", "net.h5", lambda w: w.file("net.h5", b"\x89HDF\r\n\x1a\n")),
    "a lone weight file": ("ND1003", "config.json", lambda w: w.llama / "model.safetensors"),
    "a folder without configuration": ("ND1003", "config.json", lambda w: _without(w.model(), "config.json")),
    "a bundle as model": ("ND1003", "llama.nd", lambda w: w.bundle),
    "a folder without weights": ("ND1001", "model.safetensors", lambda w: _without(w.model(), "model.safetensors")),
    "pickled weights only": ("ND1003", "pytorch_model.bin", lambda w: _only(w, "pytorch_model.bin")),
    "a configuration that is no JSON": ("ND1004", "config.json", lambda w: _cut(w.model() / "config.json", 60).parent),
    "unknown architecture": ("ND1011", "'mamba'", lambda w: w.model(model_type="mamba")),
    "unsupported activation": ("ND1012", "hidden_act", lambda w: w.model(hidden_act="relu2")),
    "unknown setting": ("ND1012", "norm_trick", lambda w: w.model(norm_trick=True)),
    "absurd number of layers": ("ND1012", "num_hidden_layers", lambda w: w.model(num_hidden_layers=10**12)),
    "NaN weights": ("ND1007", Q_PROJ, lambda w: w.weights(_set((3, 5), math.nan))),
    "infinite weights": ("ND1007", "[7, 1]", lambda w: w.weights(_set((7, 1), math.inf), "lm_head.weight")),
    "huge weights": ("ND1103", "layers.0.self_attn.q_proj", lambda w: w.weights(lambda q: 1e37 * q.float())),
    "missing shard": ("ND1005", "model-00002-of-00002", lambda w: _shards(w)),
    "truncated safetensors": (
        "ND1004", "model.safetensors", lambda w: _cut(w.model() / "model.safetensors", 100_000).parent
    ),
    "empty safetensors": ("ND1004", "model.safetensors", lambda w: _only(w, "model.safetensors", b"")),
    "tensor of the wrong shape": ("ND1006", Q_PROJ, lambda w: w.weights(lambda q: torch.ones(64, 60))),
    "tensor too many": ("ND1006", "model.extra", lambda w: w.weights(lambda q: torch.ones(3), "model.extra")),
    "tensor too few": ("ND1006", Q_PROJ, lambda w: w.weights(lambda q: None)),
    "weights of type int8": ("ND1006", "I8", lambda w: w.weights(lambda q: torch.ones(64, 64, dtype=torch.int8))),
    "truncated GGUF": ("ND1004", "model.gguf", lambda w: _cut(_gguf(w), 9000)),
    "GGUF with absurd counts": (
        "ND1004", "model.gguf", lambda w: w.file("model.gguf", struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 2**60))
    ),
    "GGUF by name only": ("ND1004", "model.gguf", lambda w: w.file("model.gguf")),
    "GGUF of another architecture": ("ND1011", "'mamba'", lambda w: _gguf(w, "mamba")),
    "damaged tokenizer": (
        "ND1009", "tokenizer.json", lambda w: Path(w.model(), w.file("model/tokenizer.json", "{}")).parent
    ),
}  # fmt: skip
#: name: (code, what the message must name, what is typed)
CALLS: dict[str, tuple[str, str, str | Callable[[World], list[str]]]] = {
    # the call
    "misspelt verb": ("ND1100", "'convret'", "convret demo"),
    "misspelt option": ("ND1100", "--preset", "convert MODEL --out OLDER --presett quick"),
    "missing option": ("ND1100", "--out", "convert MODEL"),
    "missing argument": ("ND1100", "X.nd", "map"),
    "a word for a number": ("ND1100", "--calibration-tokens", "convert MODEL --out OLDER --calibration-tokens many"),
    "too few tokens to read": ("ND1100", "--max-tokens", "run LM --text t --max-tokens 1"),
    # calibration
    "no calibration text": ("ND1104", "gone.txt", "convert MODEL --out OLDER --calibration gone.txt"),
    "calibration is a folder": ("ND1104", "model", lambda w: w.typed(CALIBRATE, w.model())),
    "empty calibration": ("ND1105", "e.txt", _calibrated("e.txt", b"")),
    "blank calibration": ("ND1105", "w.txt", _calibrated("w.txt", b" \n\t\n")),
    "calibration of a byte order mark": ("ND1105", "b.txt", _calibrated("b.txt", b"\xef\xbb\xbf")),
    "calibration in Latin-1": ("ND1106", "0xe9", _calibrated("l.txt", "caf\xe9 noir".encode("latin-1"))),
    "calibration too short": ("ND1102", "5 tokens", _calibrated("s.txt", b"short")),
    # presets
    "unknown preset": ("ND1101", "graded-12", "convert MODEL --out OLDER --preset best"),
    "payload of 7 bits": ("ND1101", "payload_bits = 7", "convert MODEL --out OLDER --payload-bits 7"),
    "context without attention": ("ND1101", "context says nothing", "convert MODEL --out OLDER --context 100"),
    "weights of 9 bits": ("ND1101", "weight_bits = 9", "convert MODEL --out OLDER --weight-bits 9"),
    "weights of 1 bit": ("ND1101", "weight_bits = 1", "convert MODEL --out OLDER --weight-bits 1"),
    "unknown rounding": ("ND1101", "'gptq'", "convert MODEL --out OLDER --rounding up"),
    "unknown range": ("ND1101", "'absmax'", "convert MODEL --out OLDER --input-range all"),
    "calibration tokens below 0": (
        "ND1101", "calibration_tokens = -5", "convert MODEL --out OLDER --calibration-tokens -5"
    ),
    # places
    "out is a file": ("ND5004", "thesis.txt", _out(lambda w: w.file("thesis.txt"))),
    "out is a folder of others": ("ND5004", "photos", _out(_folder)),
    "out is a dangling link": ("ND5004", "link.nd", _out(_link)),
    "out is here": ("ND5004", ".", _out(lambda w: ".")),
    "out below a file": ("ND5004", "a.txt/new/x.nd", _out(lambda w: w.file("a.txt") + "/new/x.nd")),
    "out where nobody may write": ("ND5004", "/proc/x.nd", _out(lambda w: "/proc/x.nd")),
    "out with an endless name": ("ND5004", "aaa.nd", _out(lambda w: w.here / "new" / ("a" * 300 + ".nd"))),
    # mapping
    "unknown system": ("ND4001", "kapoho-point", "map LM --system kapoho"),
    "system too small": ("ND2001", "vpx-16", "map LM --system oheo-gulch --max-rows 1"),
    "chip too narrow": ("ND2090", "the neuron model graded_affine, which loihi1", "map LM --system loihi1-nahuku"),
    "no chips": ("ND2003", "between 1 and 8", "map LM --chips 0"),
    "too many chips": ("ND2003", "between 1 and 8", "map LM --chips 9"),
    "no rows": ("ND2003", "max_rows", "map LM --max-rows 0"),
    "explain before map": ("ND2005", "neurodeploy map", "explain UNMAPPED"),
    "energy before map": ("ND2005", "neurodeploy map", "energy UNMAPPED"),
    # texts
    "no such text": ("ND1104", "gone.txt", "eval LM --text gone.txt"),
    "text of no length": ("ND1105", "t.txt", lambda w: w.typed("eval LM --text", w.file("t.txt", b""))),
    "text of one token": ("ND1107", "1 tokens", lambda w: w.typed("eval LM --text", w.file("t.txt", b"a"))),
    "text outside the vocabulary": (
        "ND1010", "byte 195", lambda w: w.typed("eval UNMAPPED --text", w.file("t.txt", "caf\xe9"))
    ),
    "source has moved": ("ND1108", "model", _moved),
    "source has changed": ("ND1108", "config.json", _changed),
    "source is another model": (
        "ND1108", "model.safetensors",
        lambda w: w.typed("eval LM --text", w.file("t.txt"), "--source", w.weights(lambda q: 2 * q))
    ),
    # generation
    "empty prompt": ("ND1107", "prompt", "generate LM --prompt ''"),
    "prompt of broken characters": (
        "ND1010", "surrogate", lambda w: [*w.typed("generate LM --prompt"), "a\udcffb"]
    ),
    "no tokens": ("ND3005", "tokens 0", "generate LM --prompt a --tokens 0"),
    "temperature below 0": ("ND3005", "temperature -1.0", "generate LM --prompt a --temperature -1"),
    "temperature NaN": ("ND3005", "temperature nan", "generate LM --prompt a --temperature nan"),
    "seed below 0": ("ND3005", "seed -1", "generate LM --prompt a --seed -1"),
    "more tokens than positions": ("ND3006", "at most 255", "generate LM --prompt a --tokens 256"),
    "unknown runner": ("ND3001", "reference", "generate LM --prompt a --runner gpu"),
    # energy and report
    "unknown host": ("ND4003", "cpu-generic", "energy LM --host abacus"),
    "unknown powering": ("ND3104", "system", "energy LM --powered all"),
    "no prompt to price": ("ND3005", "0 prompt tokens", "energy LM --prompt-tokens 0"),
    "prompt beyond the positions": ("ND3006", "256", "energy LM --prompt-tokens 250"),
    "report to a folder": ("ND5004", "report.html", "report LM --out HERE"),
    "report below a file": ("ND5004", "a.txt", lambda w: w.typed("report LM --out", w.file("a.txt") + "/r.html")),
    "demo on an unknown system": ("ND4001", "oheo-gulch", "demo --out HERE/new --system oheo"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, world: World, cli: Cli) -> None:
    code, says, model = MODELS[name]
    typed = world.typed("convert --out OLDER --calibration-tokens 64", model(world))
    cli.refuses(typed, code, 2, says, world.here)


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str, world: World, cli: Cli) -> None:
    code, says, call = CALLS[name]
    status = 3 if code in ("ND2001", "ND2090") else 2
    cli.refuses(world.typed(call) if isinstance(call, str) else call(world), code, status, says, world.here)


@pytest.mark.parametrize("verb", BUNDLE_VERBS, ids=" ".join)
@pytest.mark.parametrize("kind", ["missing", "file", "empty folder"])
def test_not_a_bundle(verb: list[str], kind: str, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "thing.nd"
    if kind == "file":
        path.write_text("not a bundle")
    elif kind == "empty folder":
        path.mkdir()
    text = tmp_path / "text.txt"
    text.write_text(PROSE)
    options = [str(text) if option == "TEXT" else option for option in verb[1:]]
    with unchanged(tmp_path):
        found = cli(verb[0], path, *options)
    assert (found.status, found.out) == (2, "")
    assert found.err.startswith(f"error ND5001 {path}: ")
    assert "neurodeploy convert" in found.err
