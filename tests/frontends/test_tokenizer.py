"""Tokenizers out of Hugging Face folders and GGUF metadata, and the byte tokenizer.

SentencePiece is held against its own rule, byte-level BPE against its cuts; then real models.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from neurodeploy.errors import ModelError
from neurodeploy.frontends import packaged
from neurodeploy.frontends.tokenizer import BYTES_KIND, ByteTokenizer, open_tokenizer
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from neurodeploy.frontends.tokenizer_gguf import (
    BYTE,
    CONTROL,
    NORMAL,
    PRE_TOKENIZERS,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    from_metadata,
)
from tests import effort
from tests.refusals import refused

SIZE = 300
TEXT = "Hello, wörld 🙂\n<s> and </s>"


def library(begins: bool) -> Tokenizer:
    """Byte-level BPE: <s> is 0, </s> is 1, the 256 bytes follow, then one merge."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(["<s>", "</s>", *alphabet, "ll"])}
    inner = Tokenizer(models.BPE(vocab, [("l", "l")]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<s>", "</s>"])
    if begins:
        inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return inner


def folder(path: Path, begins: bool = False, **files: dict) -> Path:
    library(begins).save(str(path / "tokenizer.json"))
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


def test_text_goes_there_and_back(tmp_path):
    tokenizer = read_tokenizer(folder(tmp_path, config={"bos_token_id": 0, "eos_token_id": 1}), SIZE)
    ids = tokenizer.encode("Hello", bos=False)
    assert ids == library(False).encode("Hello").ids and len(ids) == 4
    assert tokenizer.encode("Hello", bos=True) == [0, *ids]
    assert tokenizer.decode([0, *ids, 1]) == "Hello"
    assert tokenizer.decode(tokenizer.encode("wörld 🙂\n", bos=False)) == "wörld 🙂\n"
    assert tokenizer.encode("", bos=False) == [] and tokenizer.decode([]) == ""
    assert tokenizer.kind == "BPE (tokenizer.json)" and tokenizer.vocab_size == SIZE


NAMED = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
BOTH = {"bos_token_id": 0, "eos_token_id": [7, 1]}


@pytest.mark.parametrize(
    ("begins", "files", "bos", "eos", "adds"),
    [
        (False, {}, None, (), False),
        (False, {"config": {"bos_token_id": 0, "eos_token_id": 1}}, 0, (1,), False),
        (False, {"config": {"bos_token_id": None, "eos_token_id": None}}, None, (), False),
        (False, {"config": {"text_config": {"bos_token_id": 0, "eos_token_id": [1, 5]}}}, 0, (1, 5), False),
        (False, {"config": {"eos_token_id": 1}, "generation_config": BOTH}, 0, (7, 1), False),
        (False, {"tokenizer_config": NAMED}, 0, (1,), False),
        (False, {"tokenizer_config": {"bos_token": "<none>", "eos_token": None}}, None, (), False),
        (False, {"config": {"bos_token_id": 0}, "tokenizer_config": {"bos_token": "</s>"}}, 0, (), False),
        (True, {"config": {"bos_token_id": 0}}, 0, (), True),
        (False, {"config": {"bos_token_id": 0}, "tokenizer_config": {"add_bos_token": True}}, 0, (), True),
        (True, {"config": {"bos_token_id": 0}, "tokenizer_config": {"add_bos_token": False}}, 0, (), False),
        (True, {}, None, (), False),
        (False, {"tokenizer_config": {"add_bos_token": True}}, None, (), False),
    ],
)
def test_where_the_ends_of_a_text_come_from(tmp_path, begins, files, bos, eos, adds):
    tokenizer = read_tokenizer(folder(tmp_path, begins, **files), SIZE)
    assert (tokenizer.bos, tokenizer.eos, tokenizer.adds_bos) == (bos, eos, adds)
    # Never twice: what the file's own template adds is left out.
    assert 0 not in tokenizer.encode("Hello", bos=False)


def test_saved_and_opened_again(tmp_path):
    first = read_tokenizer(folder(tmp_path, config={"bos_token_id": 0, "eos_token_id": [1]}), SIZE)
    first.save(tmp_path / "saved.json")
    again = open_tokenizer(tmp_path / "saved.json", SIZE, json.loads(json.dumps(first.settings())))
    assert again.encode(TEXT, True) == first.encode(TEXT, True)
    assert again.settings() == first.settings() and again.eos == (1,)


@pytest.mark.parametrize(
    "settings", [{}, {"kind": 3}, {"kind": "a", "bos": "0", "eos": [], "adds_bos": True}, {"kind": "a", "eos": [True]}]
)
def test_damaged_settings(tmp_path, settings):
    refused(ModelError, "ND1009", open_tokenizer, folder(tmp_path) / "tokenizer.json", SIZE, settings)


def test_padding_and_truncation_of_the_file_are_ignored(tmp_path):
    inner = library(False)
    inner.enable_truncation(2)
    inner.enable_padding(length=50)
    inner.save(str(tmp_path / "tokenizer.json"))
    assert read_tokenizer(tmp_path, SIZE).encode("Hey you", False) == library(False).encode("Hey you").ids


def test_a_token_beyond_the_model(tmp_path):
    inner = library(False)
    inner.add_tokens([AddedToken("<image>")])
    inner.save(str(tmp_path / "tokenizer.json"))
    tokenizer = read_tokenizer(tmp_path, 259)
    assert len(tokenizer.encode("no picture", False)) == 10
    refused(ModelError, r"ND1010 .*token 259 \('<image>'\), the model has 259", tokenizer.encode, "a <image>", False)


@pytest.mark.parametrize("files", [{"config": {"bos_token_id": SIZE}}, {"config": {"eos_token_id": [1, -1]}}])
def test_ends_outside_of_the_vocabulary(tmp_path, files):
    refused(ModelError, "ND1009", read_tokenizer, folder(tmp_path, **files), SIZE)


def test_errors_of_a_text(tmp_path):
    tokenizer = read_tokenizer(folder(tmp_path), SIZE)
    refused(ModelError, "ND1010", tokenizer.encode, "a", bos=True)
    refused(ModelError, "ND1010", tokenizer.encode, "\ud800", bos=False)
    Tokenizer(models.BPE({"a": 0}, [])).save(str(tmp_path / "tokenizer.json"))
    refused(ModelError, r"ND1010 .*gives no token", read_tokenizer(tmp_path, 1).encode, "zzz", bos=False)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("tokenizer.json", text) for text in ("", "{", "[]", "{}", '{"model": {"type": "Nothing"}}', "\x00")),
        ("tokenizer.model", ""), ("vocab.json", ""),  # another tokenizer is never taken for bytes
    ],
)  # fmt: skip
def test_a_file_that_is_not_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    refused(ModelError, f"ND1009 .*{name}", read_tokenizer, tmp_path, SIZE)


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_bytes_are_utf8(text):
    tokenizer = ByteTokenizer(256)
    ids = tokenizer.encode(text, bos=tokenizer.adds_bos)
    assert bytes(ids) == text.encode() and tokenizer.decode(ids) == text


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(), st.sampled_from([128, 256, 400]))
def test_saved_bytes_mean_the_same_to_the_library(tmp_path, text, size):
    tokenizer = ByteTokenizer(size)
    tokenizer.save(tmp_path / "tokenizer.json")
    inner = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    if size > 128 or text.isascii():
        assert inner.encode(text).ids == tokenizer.encode(text, False)
        assert inner.decode(inner.encode(text).ids) == text


def test_a_folder_without_a_tokenizer(tmp_path):
    tokenizer = read_tokenizer(tmp_path, 128)
    assert tokenizer.kind == BYTES_KIND == "bytes (no tokenizer file)"
    assert (tokenizer.bos, tokenizer.eos, tokenizer.adds_bos, tokenizer.vocab_size) == (None, (), False, 128)
    assert tokenizer.encode("To be", bos=False) == list(b"To be")
    says = "ND1010 text: byte 195 at position 3 does not fit a vocabulary of 128"
    refused(ModelError, says, tokenizer.encode, "caf\u00e9", bos=False)
    for text, bos in [("a", True), ("\ud800", False)]:
        refused(ModelError, "ND1010", tokenizer.encode, text, bos)
    assert tokenizer.decode([72, 105, 0xC3, 900]) == "Hi\ufffd\ufffd"
    tokenizer.save(tmp_path / "t.json")
    again = open_tokenizer(tmp_path / "t.json", 128, tokenizer.settings())
    assert isinstance(again, ByteTokenizer) and again.encode("x", False) == [120]


HERE = Path("model.gguf")


def keys(**values: Any) -> dict[str, Any]:
    return {f"tokenizer.ggml.{name}": value for name, value in values.items()}


def changed(metadata: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**metadata, **keys(**changes)}.items() if value is not None}


# ------------------------------------------------------------------------------------------------ SentencePiece

CONTROLS = ["<unk>", "<bos>", "<eos>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
PIECES = ["ab", "▁a", "bc", "abc", "▁ab", "aa", "aab", "▁▁", "ca", "bca", "cab", "aaaa", "▁abc", "bb", "cc", "▁b", "c▁"]
CHARACTERS = ["a", "b", "c", "▁"]
FROZEN = ["\n", "\n\n", "aXb"]


def spm(**changes: Any) -> dict[str, Any]:
    """Scores fall along PIECES; single characters come last, as in a trained vocabulary."""
    tokens = [*CONTROLS, *BYTES, *FROZEN, *PIECES, *CHARACTERS, "[PAD]"]
    types = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[USER_DEFINED] * len(FROZEN)]
    types += [NORMAL] * (len(PIECES) + len(CHARACTERS)) + [UNUSED]
    scores = [0.0] * (259 + len(FROZEN)) + [-float(i) for i in range(len(PIECES) + len(CHARACTERS))] + [-1000.0]
    arrays = {"token_type": np.array(types, np.int32), "scores": np.array(scores, np.float32)}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0, "add_space_prefix": False}
    found = keys(model="llama", tokens=tokens, **arrays, **ends)
    return changed(found, **changes)


def joined(text: str, tokens: list[str]) -> list[int]:
    """SentencePiece's rule, as slow as it reads: join the best pair, the leftmost of equals, until none is left."""
    score = {piece: -i for i, piece in enumerate(PIECES + CHARACTERS)}
    parts = list(text.replace(" ", "▁"))
    while True:
        pairs = [(-score[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in score]
        if not pairs:
            break
        _, at = min(pairs)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    ids = []
    for part in parts:
        ids += [tokens.index(part)] if part in score else [3 + byte for byte in part.encode()]
    return ids


@settings(max_examples=300, deadline=None)
@given(st.text("abc  zé", max_size=30))
def test_sentencepiece_joins_by_score(text):
    metadata = spm()
    tokenizer = from_metadata(metadata, 1000, HERE)
    assert tokenizer.encode(text, False) == joined(text, metadata["tokenizer.ggml.tokens"])
    assert tokenizer.decode(tokenizer.encode(text, False)) == text


def test_control_and_user_defined_pieces_are_found_first():
    metadata = spm()
    tokens = metadata["tokenizer.ggml.tokens"]
    tokenizer = from_metadata(metadata, 1000, HERE)
    ids = tokenizer.encode("ab\n\n\naXb<eos>c", True)
    assert [tokens[i] for i in ids] == ["<bos>", "ab", "\n\n", "\n", "aXb", "<eos>", "c"]
    assert tokenizer.decode(ids) == "ab\n\n\naXbc"
    assert "[PAD]" not in [tokens[i] for i in tokenizer.encode("[PAD]", False)]


def test_space_before_the_text():
    tokenizer = from_metadata(spm(add_space_prefix=None), 1000, HERE)
    assert tokenizer.encode("abc", False) == from_metadata(spm(), 1000, HERE).encode(" abc", False)
    assert tokenizer.decode(tokenizer.encode("abc", False)) == "abc"


@pytest.mark.parametrize(("said", "adds"), [(None, True), (True, True), (False, False)])
def test_start_of_a_text(said, adds, tmp_path):
    tokenizer = from_metadata(spm(add_bos_token=said, eot_token_id=2, eom_token_id=0), 1000, HERE)
    assert (tokenizer.adds_bos, tokenizer.bos, tokenizer.eos) == (adds, 1, (2, 0))
    assert tokenizer.kind == "SentencePiece BPE (GGUF)"
    tokenizer.save(tmp_path / "tokenizer.json")
    others = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("ab").ids
    assert others == tokenizer.encode("ab", bos=adds)


# ------------------------------------------------------------------------------------------------ byte-level BPE

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def bpe(pre: str | None = "gpt-2", **changes: Any) -> dict[str, Any]:
    """All merges of two equal or neighbouring characters, so that only the cuts keep pieces apart."""
    merges = ["1 2", "2 3", "12 3", "123 4", "Ġ a", "a b", "Ġa b", "l l", "' ll", "I 'll", "- ab", "Ċ Ċ", "Ġ Ġ"]
    tokens = ["<|end|>", *ALPHABET, *(merge.replace(" ", "") for merge in merges)]
    types = np.array([CONTROL] + [NORMAL] * (len(tokens) - 1), np.int32)
    found = keys(model="gpt2", pre=pre, tokens=tokens, token_type=types, merges=merges, eos_token_id=0)
    return changed(found, **changes)


def pieces(metadata: dict[str, Any], text: str) -> str:
    tokenizer = from_metadata(metadata, 1000, HERE)
    tokens = metadata["tokenizer.ggml.tokens"]
    ids = tokenizer.encode(text, False)
    assert tokenizer.decode(ids) == text
    return " ".join(tokens[i] for i in ids)


CUTS = {
    # digits, a run of spaces before a word, a contraction, a sign before a word, a run of line ends
    "gpt-2": {"1234": "1234", "  ab": "Ġ Ġab", "I'll": "I 'll", "-ab": "- ab", "'LL": "' L L", "\n\nab": "Ċ Ċ ab"},
    "smollm": {"1234": "1 2 3 4", "  ab": "Ġ Ġab", "I'll": "I 'll", "-ab": "- ab", "  1": "ĠĠ 1"},
    "llama-bpe": {"1234": "123 4", "  ab": "Ġ Ġab", "I'll": "I 'll", "-ab": "-ab", "\n\nab": "ĊĊ ab"},
    "qwen2": {"1234": "1 2 3 4", "  ab": "Ġ Ġab", "I'll": "I 'll", "-ab": "-ab", "\n\nab": "ĊĊ ab"},
    "llama4": {"1234": "123 4", "  ab": "Ġ Ġab", "I'll": "I'll", "-ab": "-ab", "\n\nab": "ĊĊ ab"},
    "default": {"1234": "123 4", "  ab": "Ġ Ġab", "-ab": "- ab", "I'll": "I ' ll"},
}


@pytest.mark.parametrize(("pre", "text"), [(pre, text) for pre, texts in CUTS.items() for text in texts])
def test_cuts(pre, text):
    assert pieces(bpe(pre), text) == CUTS[pre][text]


@pytest.mark.parametrize("pre", sorted(PRE_TOKENIZERS))
@settings(max_examples=30, deadline=None)
@given(text=st.text(max_size=40))
def test_every_cut_keeps_the_text(pre, text):
    import unicodedata

    tokenizer = from_metadata(bpe(pre), 1000, HERE)
    kept = unicodedata.normalize("NFC", text) if PRE_TOKENIZERS[pre].nfc else text
    assert tokenizer.decode(tokenizer.encode(text, False)) == kept


def test_whole_words_come_before_merges_where_the_family_says_so():
    changed = bpe("llama-bpe")["tokenizer.ggml.tokens"] + ["zab"]
    types = np.array([CONTROL] + [NORMAL] * (len(changed) - 1), np.int32)
    for pre, want in [("llama-bpe", "zab"), ("qwen2", "z ab")]:
        assert pieces(bpe(pre, tokens=changed, token_type=types), "zab") == want


def test_default_start_of_a_text_is_that_of_the_pre_tokenizer():
    assert from_metadata(bpe("llama-bpe", bos_token_id=0), 1000, HERE).adds_bos
    assert not from_metadata(bpe("llama-bpe", bos_token_id=0, add_bos_token=False), 1000, HERE).adds_bos
    assert not from_metadata(bpe("gpt-2", bos_token_id=0), 1000, HERE).adds_bos
    assert not from_metadata(bpe("llama-bpe"), 1000, HERE).adds_bos
    assert from_metadata(bpe(), 1000, HERE).kind == "byte-level BPE (GGUF, gpt-2)"


@pytest.mark.parametrize(
    ("metadata", "code", "text"),
    [
        (keys(model=None, tokens=["a"]), "ND1009", "has no tokenizer.ggml.model"),
        (keys(model="bert"), "ND1009", "'bert'; gpt2, llama are read"),
        (keys(model=["gpt2"]), "ND1009", "are read"),
        (bpe("tekken-9"), "ND1009", "pre-tokenizer 'tekken-9'"),
        (bpe(None), "ND1009", "pre-tokenizer None"),
        (bpe(merges=None), "ND1004", "merges"),
        (bpe(merges=["ab"]), "ND1004", "'ab' is not a pair"),
        (bpe(merges=["a €"]), "ND1004", "library"),
        (bpe(tokens=None), "ND1009", "tokens"),
        (bpe(token_type=np.zeros(3, np.int32)), "ND1004", "token_type"),
        (bpe(tokens=["a", "b", "a"], token_type=np.ones(3, np.int32)), "ND1009", "'a' twice"),
        (bpe(eos_token_id="end"), "ND1004", "eos_token_id"),
        (bpe(eos_token_id=5000), "ND1009", "5000 is not in the model's vocabulary"),
        (spm(scores=None), "ND1004", "scores"),
        # A piece of a megabyte would be cut a million times, half a megabyte copied each time.
        (
            spm(tokens=[*spm()["tokenizer.ggml.tokens"][:-1], "a" * 1_000_000]),
            "ND1009",
            "pieces of up to 1000000 characters",
        ),
        (spm(scores=np.zeros(3, np.float32)), "ND1004", "scores"),
        (keys(model="llama", tokens=["a"], scores=np.zeros(1, np.float32)), "ND1009", "<0x00>"),
    ],
)
def test_metadata_that_is_not_read(metadata, code, text):
    refused(ModelError, f"{code} .*{text}", from_metadata, metadata, 1000, HERE)


@pytest.mark.parametrize("metadata", [{}, {"tokenizer.ggml.model": "none"}, {"tokenizer.ggml.model": "no_vocab"}])
def test_without_a_tokenizer_a_token_is_a_byte(metadata):
    assert from_metadata(metadata, 256, HERE).encode("aé", bos=False) == list("aé".encode())


# ------------------------------------------------------------------------------------------------ real models

#: Ids by SentencePiece itself (Gemma; its model rebuilt from the same pieces and scores) and by the tokenizer of
#: transformers with the digits cut as its family does (SmolLM2).
REAL = {
    "gemma3-270m": (
        262_144,
        {
            "Hello  world\n\nx": [9259, 138, 12392, 108, 236781],
            "don't I'll we've": [13246, 236789, 236745, 564, 236789, 859, 692, 236789, 560],
            "naïve café — “quotes” …": [1789, 238527, 560, 33443, 2192, 999, 52231, 236919, 7881],
            "   a  b    c": [139, 236746, 138, 236763, 140, 236755],
            "日本語のテキストです。": [94951, 236945, 95830, 3652, 236924],
        },
    ),
    "smollm2-135m": (
        49_152,
        {
            "don't I'll we've": [12420, 982, 339, 3060, 392, 3543],
            "naïve café — “quotes” …": [3546, 46494, 37366, 1841, 619, 385, 2346, 573, 5548],
            "   a  b    c": [256, 253, 216, 278, 333, 265],
            "3.14159 1,000": [35, 30, 33, 36, 33, 37, 41, 216, 33, 28, 32, 32, 32],
        },
    ),
}


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(REAL))
def test_packaged_models(name):
    size, texts = REAL[name]
    with effort.at_most(2500):
        tokenizer = read_tokenizer(packaged.resolve(name), size)
    for text, ids in texts.items():
        assert tokenizer.encode(text, False) == ids and tokenizer.decode(ids) == text
