"""Tokenizers of the families, from tokenizer.json and from GGUF keys, against transformers' own classes.

The vocabularies are small, trained here on a text with all that divides the families: cases, digits, signs, line ends,
other scripts. How a text is cut, normalised and merged is transformers' word, or tiktoken's rule where it has none.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from neurodeploy.errors import ModelError
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from neurodeploy.frontends.tokenizer_gguf import BYTE, CONTROL, NORMAL, UNKNOWN, from_metadata
from tests.frontends.test_tokenizer import keys
from tests.refusals import refused

transformers = pytest.importorskip("transformers")

CORPUS = (
    """I'll say it: don't CAN'T shouldn'T. We've 1234567 of 3.14, HTTPServer helloWorld naïve café — “quotes” …
2024-11-29    def f(x):\r\n\treturn x + 1  # a comment\n\n\n
日本語のテキストです。 Это предложение. ¿Qué tal? e\u0301 \u1e9b\u0323 ﬁ /path//to/ a/b\n/\n ==>>  !!
"""
    * 4
)
TEXTS = [
    *CORPUS.splitlines(keepends=True), "", " ", "  a", "a  b   c", "I'M WE'RE it's'd", "12345 6 78", "\n\n \n\r\n x",
    "e\u0301é", "HTTPServerOK", "foo//bar\n//", "🙂🙂 ok", "<|end|>x<|end|> y", "a<|end|>",
]  # fmt: skip
END = "<|end|>"


def byte_level(cut: Any) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a byte-level BPE whose text is cut by `cut`."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = cut
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator([CORPUS], trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet))
    model = json.loads(inner.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def split(pattern: str) -> Any:
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), whole])


def qwen2() -> Any:
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX, Qwen2Tokenizer

    vocab, merges = byte_level(split(PRETOKENIZE_REGEX))
    return Qwen2Tokenizer(vocab=vocab, merges=merges, eos_token=END, unk_token=END, pad_token=END)


def gpt2() -> Any:
    vocab, merges = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    return transformers.GPT2Tokenizer(vocab=vocab, merges=merges, eos_token=END, unk_token=END, bos_token=END)


def llama3() -> Any:
    """As transformers converts a file of tiktoken's: a word of the vocabulary is never cut. SmolLM3 has the same."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    class Converter(TikTokenConverter):
        def extract_vocab_merges_from_model(self, tiktoken_url: str) -> Any:
            vocab, merges = byte_level(split(self.pattern))
            # A word whose merges are not all there, as in a vocabulary that was made of two.
            return {**vocab, "Ġpredlo": len(vocab)}, merges

    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Converter(extra_special_tokens=[END]).converted(), eos_token=END
    )


BYTE_LEVEL = {"qwen2": qwen2, "gpt-2": gpt2, "llama-bpe": llama3, "smaug-bpe": llama3}


@lru_cache
def reference(pre: str) -> Any:
    return BYTE_LEVEL[pre]()


def byte_level_keys(tokenizer: Any, pre: str) -> dict[str, Any]:
    """The keys that the converter writes."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    names = {index: token for token, index in tokenizer.get_vocab().items()}
    tokens = [names[index] for index in range(len(names))]
    added = set(tokenizer.get_added_vocab())
    types = np.array([CONTROL if token in added else NORMAL for token in tokens], np.int32)
    merges = [" ".join(pair) for pair in model["merges"]]
    eos = tokenizer.eos_token_id
    return keys(model="gpt2", pre=pre, tokens=tokens, token_type=types, merges=merges, eos_token_id=eos)


def opened(source: str, expected: Any, metadata: dict[str, Any], folder: Path) -> Any:
    size = len(metadata["tokenizer.ggml.tokens"])
    if source == "gguf":
        return from_metadata(metadata, size, folder)
    expected.save_pretrained(folder)
    return read_tokenizer(folder, size)


@pytest.mark.parametrize("pre", BYTE_LEVEL)
@pytest.mark.parametrize("source", ["folder", "gguf"])
def test_byte_level(pre: str, source: str, tmp_path: Path) -> None:
    expected = reference(pre)
    found = opened(source, expected, byte_level_keys(expected, pre), tmp_path)
    assert found.eos == (expected.convert_tokens_to_ids(END),)
    for text in TEXTS:
        ids = expected.encode(text, add_special_tokens=False)
        assert found.encode(text, False) == ids, text
        assert found.decode(ids) == expected.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("pre", BYTE_LEVEL)
@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("aAbIl'sST19 .-/\n\r\t—日é\u0301🙂"), max_size=24))
def test_byte_level_of_any_text(pre: str, text: str) -> None:
    expected = reference(pre)
    found = from_metadata(byte_level_keys(expected, pre), len(expected.get_vocab()), Path("model.gguf"))
    assert found.encode(text, False) == expected.encode(text, add_special_tokens=False)


def test_the_cuts_of_the_families_differ() -> None:
    """What tells them apart is in the texts above, so that a mistaken name would be seen."""
    cuts = {
        pre: [reference(pre).tokenize(text) for text in ("1234567", "naïve HTTPServer", "e\u0301", "\n\n x", "(café)")]
        for pre in ("qwen2", "gpt-2", "llama-bpe")
    }
    assert len({str(cut) for cut in cuts.values()}) == 3


def test_tekken_by_hand(tmp_path: Path) -> None:
    """Mistral Nemo: words end where a capital begins, digits stand alone, a contraction is a piece of its own."""
    words = ["'ll", "ll", "12", "//", "don", "hello", "World", "helloWorld", "don'll"]
    tokens = [chr(code) for code in range(33, 127)] + ["Ġ", *words]
    more = {"token_type": np.ones(len(tokens), np.int32), "merges": ["/ /", "1 2", "l l"], "bos_token_id": 0}
    found = from_metadata(keys(model="gpt2", pre="tekken", tokens=tokens, **more), 1000, tmp_path)
    assert found.adds_bos
    for text, pieces in [("helloWorld", "hello World"), ("12", "1 2"), ("don'll", "don 'll"), ("//", "//")]:
        assert [tokens[i] for i in found.encode(text, False)] == pieces.split(" "), text


# ------------------------------------------------------------------------------------------------ SentencePiece


@lru_cache
def sentencepiece() -> tuple[list[str], list[float], list[int], Any]:
    """Pieces, scores, types, and transformers' tokenizer of them: Mistral's and Phi-3's kind."""
    from transformers.convert_slow_tokenizer import generate_merges

    words = sorted({f"▁{word}" for word in CORPUS.split()} | set(CORPUS.split()))
    pieces = dict.fromkeys(word[:length] for word in words for length in range(2, min(len(word), 7) + 1))
    characters = dict.fromkeys(CORPUS.replace(" ", "▁").replace("\n", "").replace("\r", "").replace("\t", ""))
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces, *characters, END]
    first, last = 259, 259 + len(pieces) + len(characters)
    scores = [0.0] * first + [float(first - i) for i in range(first, last)] + [-1000.0]
    types = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * (last - first), CONTROL]
    vocab = {token: index for index, token in enumerate(tokens)}
    normal = {token: score for token, score, kind in zip(tokens, scores, types, strict=True) if kind == NORMAL}
    merges = generate_merges(vocab, normal)
    made = transformers.LlamaTokenizer(vocab={t: i for t, i in vocab.items() if t != END}, merges=merges)
    made.add_special_tokens({"additional_special_tokens": [END]})
    return tokens, scores, types, made


def sentencepiece_keys(architecture: str) -> dict[str, Any]:
    tokens, scores, types, _ = sentencepiece()
    arrays = {"scores": np.array(scores, np.float32), "token_type": np.array(types, np.int32)}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}
    return {"general.architecture": architecture, **keys(model="llama", pre="default", tokens=tokens, **arrays, **ends)}


#: A text that begins with a space is cut in two ways by different versions of transformers.
PLAIN = [text for text in TEXTS if text and not text[0].isspace() and END not in text]


@pytest.mark.parametrize("source", ["folder", "gguf"])
def test_sentencepiece(source: str, tmp_path: Path) -> None:
    expected = sentencepiece()[3]
    found = opened(source, expected, sentencepiece_keys("llama"), tmp_path)
    if source == "gguf":
        assert (found.bos, found.eos, found.adds_bos) == (1, (2,), True)
    for text in PLAIN:
        ids = expected.encode(text, add_special_tokens=False)
        assert found.encode(text, False) == ids, text
        assert found.decode(ids) == text


def test_phi3_takes_the_space_after_its_added_tokens(tmp_path: Path) -> None:
    """As ``rstrip`` in its tokenizer.json; other files of the kind keep it."""
    tokens = sentencepiece()[0]
    pieces = {}
    for architecture in ("phi3", "llama"):
        found = from_metadata(sentencepiece_keys(architecture), len(tokens), tmp_path)
        pieces[architecture] = [tokens[i] for i in found.encode(f"{END}\n I", False)]
        assert found.encode("<s> I", False)[0] == 1
        assert "▁▁I" in "".join(tokens[i] for i in found.encode("<s> I", False))
    assert pieces["phi3"] == [END, "▁I"]
    assert pieces["llama"][:2] == [END, "▁"] and "<0x0A>" in pieces["llama"]


@pytest.mark.parametrize("name", ["qwen35", "deepseek-v3", None])
def test_other_cuts_are_refused_by_name(name: str | None, tmp_path: Path) -> None:
    metadata = byte_level_keys(reference("qwen2"), name)
    refused(ModelError, f"ND1009 .*{name!r}; gpt-2, .* are read", from_metadata, metadata, 1000, tmp_path)
