"""Every verb on tiny models of the families that are read beside Llama, Gemma 3 and Llama 4."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import gguf_files, models
from tests.tiny import Cli

FAMILIES = ("qwen2", "qwen3", "mistral", "phi3", "smollm3", "gpt2")
TEXT = "What is a spike? A message that says: now. And what is it worth? One row of weights. " * 3


def bytes_as_tokens(kind: str) -> dict[str, Any]:
    """The keys of a tokenizer whose tokens are the 256 bytes: of GPT-2's kind, or of SentencePiece's."""
    from tokenizers import pre_tokenizers

    if kind == "llama":
        tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a"]
        types = [2, 3, 3, *[6] * 256, 1, 1]
        scores = [0.0] * 259 + [-1.0, -2.0]
        ends = {"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}
        return {"model": kind, "tokens": tokens, "token_type": types, "scores": scores, **ends}
    tokens = ["<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "in"]
    types = [3] + [1] * (len(tokens) - 1)
    return {"model": "gpt2", "pre": kind, "tokens": tokens, "token_type": types, "merges": ["i n"], "eos_token_id": 0}


#: What each family's real files have.
TOKENIZERS = {"qwen2": "qwen2", "qwen3": "qwen2", "mistral": "llama", "phi3": "llama", "smollm3": "smaug-bpe",
              "gpt2": "gpt-2"}  # fmt: skip


WINDOWED = ("qwen2", "mistral")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    return folder


@lru_cache
def checkpoint(work: Path, family: str, kind: str) -> tuple[Path, Any]:
    """A checkpoint, and transformers' model of it in float32."""
    size = 261 if TOKENIZERS[family] == "llama" else 258
    changes: dict[str, Any] = {"vocab_size": size, "eos_token_id": None, "bos_token_id": None}
    if kind == "gguf" and family in WINDOWED:  # the converter leaves their windows out
        changes["sliding_window"] = None
    path = work / f"{family}-{kind}"
    made = models.make(family, **changes)
    made.save_pretrained(path)
    # Read again: turning a model to bfloat16 and back leaves its rotary frequencies coarse.
    model = type(made).from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    if kind == "gguf":
        path = gguf_files.save(path.with_suffix(".gguf"), model, bytes_as_tokens(TOKENIZERS[family]))
    return path, model


def expected_nats(model: Any, tokens: list[int], window: int) -> float:
    """What `eval` sums: windows of tokens, each of which predicts the next."""
    ids, nats = torch.tensor(tokens), 0.0
    for start in range(0, len(tokens) - 1, window):
        stop = min(start + window, len(tokens) - 1)
        with torch.no_grad():
            logits = model(ids[None, start:stop]).logits[0].double()
        nats += float(torch.nn.functional.cross_entropy(logits, ids[start + 1 : stop + 1], reduction="sum"))
    return nats


@pytest.mark.parametrize("kind", ["folder", "gguf"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_verb(family: str, kind: str, work: Path, cli: Cli) -> None:
    from neurodeploy.pipeline.texts import open_model

    source, model = checkpoint(work, family, kind)
    text, bundle = work / "text.txt", work / f"{family}-{kind}.nd"
    cli.json("convert", source, "--out", bundle, "--preset", "quick", "--calibration-tokens", "96")
    cli.json("map", bundle, "--system", "kapoho-point")
    _, tokenizer = open_model(bundle)
    tokens = tokenizer.encode(TEXT, bos=tokenizer.adds_bos)
    assert tokenizer.decode(tokens) == TEXT
    found = cli.json("eval", bundle, "--text", text)
    assert found["float"]["nats"] == pytest.approx(expected_nats(model, tokens, found["window"]), rel=1e-5)
    assert abs(found["bits_per_byte_change"]) < 0.01 and found["top1_agreement"] > 0.9

    assert cli.json("run", bundle, "--text", text)["steps"] == len(tokens)
    made = cli.json("generate", bundle, "--prompt", "What is", "--tokens", "6")
    assert len(made["tokens"]) == 6 or made["stopped"] == "end token"
    energy = cli.json("energy", bundle, "--text", text, "--tokens", "4")
    assert energy["prefill_tokens"] > 0
    operations = {entry["op"] for entry in cli.json("explain", bundle)}
    wanted = {"layernorm", "position_embedding", "activation"} if family == "gpt2" else {"rmsnorm", "rope", "glu"}
    assert wanted <= operations
    page = work / f"{family}-{kind}.html"
    assert cli("report", bundle, "--text", text, "--out", page).status == 0
    assert page.stat().st_size > 10_000
    assert cli.json("verify", bundle)["violations"] == []
