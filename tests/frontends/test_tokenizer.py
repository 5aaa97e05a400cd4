"""Tokenizers out of Hugging Face folders, and the byte tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from neurodeploy.errors import ModelError
from neurodeploy.frontends.tokenizer import BYTES_KIND, ByteTokenizer, open_tokenizer
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
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
