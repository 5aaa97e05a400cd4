"""Tokenizers out of GGUF metadata: byte-level BPE (``gpt2``) and SentencePiece BPE (``llama``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.files import first_repeated
from neurodeploy.frontends.tokenizer import ByteTokenizer, LibraryTokenizer, Tokenizer
from neurodeploy.frontends.tokenizer_library import Library

#: A part of a tokenizer.json, or all of it: the library is not called here, see `tokenizer_library`.
Parts = dict[str, Any]
#: ``tokenizer.ggml.token_type`` (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

#: Characters that are copied to find how pieces are joined: Gemma's 262 144 pieces take 11 million.
MOST_CUTS = 1 << 31
#: What llama.cpp's converter writes for a model without a vocabulary.
NO_TOKENIZER = ("none", "no_vocab")
AGAIN = "convert the model again with a newer llama.cpp"
INSTEAD = "give the Hugging Face folder with its tokenizer.json"

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _TAIL
_QWEN2 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _TAIL
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_LEAD = r"[^\r\n\p{L}\p{N}]?"
_GPT4O = (
    f"{_LEAD}{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|{_LEAD}{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _TAIL
)
_TEKKEN = f"{_LEAD}{_UPPER}*{_LOWER}+|{_LEAD}{_UPPER}+{_LOWER}*" + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _TAIL


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """How a text is cut before the merges: by each pattern in turn, matches and rests both kept."""

    patterns: tuple[str, ...]
    ignore_merges: bool = False
    adds_bos: bool = False
    nfc: bool = False


_DIGITS_GPT2 = PreTokenizer((r"\p{N}", _GPT2))
_LLAMA3_BPE = PreTokenizer((_LLAMA3,), ignore_merges=True, adds_bos=True)
#: ``tokenizer.ggml.pre`` -> its cut. Source: llama.cpp, src/llama-vocab.cpp (patterns and flags); from the models' own
#: tokenizer.json are NFC for Qwen, and whole words before merges for "smaug-bpe": Llama 3's vocabulary without a start of
#: the text, which is how the converter calls SmolLM3's.
PRE_TOKENIZERS: Mapping[str, PreTokenizer] = {
    "gpt-2": PreTokenizer((_GPT2,)),
    "phi-2": PreTokenizer((_GPT2,)),
    "olmo": PreTokenizer((_GPT2,)),
    "smollm": _DIGITS_GPT2,
    "starcoder": _DIGITS_GPT2,
    "refact": _DIGITS_GPT2,
    "llama-bpe": _LLAMA3_BPE,
    "llama3": _LLAMA3_BPE,
    "llama-v3": _LLAMA3_BPE,
    "falcon3": _LLAMA3_BPE,
    "smaug-bpe": PreTokenizer((_LLAMA3,), ignore_merges=True),
    "dbrx": PreTokenizer((_LLAMA3,)),
    "tekken": PreTokenizer((_TEKKEN,), ignore_merges=True, adds_bos=True),
    "qwen2": PreTokenizer((_QWEN2,), nfc=True),
    "deepseek-r1-qwen": PreTokenizer((_QWEN2,), nfc=True),
    "gpt-4o": PreTokenizer((_GPT4O,)),
    "llama4": PreTokenizer((_GPT4O,)),
    "default": PreTokenizer((r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
}


#: The added tokens of Phi-3 that leave the space after them alone; all others take it. A .gguf file does not say so:
#: llama.cpp has it in its code (src/llama-vocab.cpp), tokenizer.json as ``rstrip``.
PHI3_KEEPS = frozenset({"<unk>", "<s>", "<|endoftext|>"})


def from_metadata(metadata: Mapping[str, Any], vocab_size: int, path: Path) -> Tokenizer:
    """The tokenizer that the keys ``tokenizer.ggml.*`` describe; without one a token is a byte, as in a bare folder.

    Raises ND1004 (contradictory), ND1009 (not read).
    """
    model = metadata.get("tokenizer.ggml.model")
    if (not model or model in NO_TOKENIZER) and "tokenizer.ggml.tokens" not in metadata:
        return ByteTokenizer(vocab_size)
    if not isinstance(model, str) or model not in BUILDERS:
        problem = (
            f"has the tokenizer {model!r}; {', '.join(BUILDERS)} are read" if model else "has no tokenizer.ggml.model"
        )
        raise ModelError("ND1009", path, problem, INSTEAD)
    tokens, types = _vocabulary(metadata, path)
    parts, kind, adds_bos = BUILDERS[model](metadata, tokens, types, path)
    bos = _token_id(metadata, "bos", path)
    ends = [_token_id(metadata, role, path) for role in ("eos", "eot", "eom")]
    adds = bool(metadata.get("tokenizer.ggml.add_bos_token", adds_bos)) and bos is not None
    if adds and bos is not None and bos < len(tokens):
        # So that the saved tokenizer.json tells others, too, that a text begins with it.
        text, name = {"Sequence": {"id": "A", "type_id": 0}}, tokens[bos]
        special = {name: {"id": name, "ids": [bos], "tokens": [name]}}
        single = [{"SpecialToken": {"id": name, "type_id": 0}}, text]
        pair = [text, {"Sequence": {"id": "B", "type_id": 1}}]
        begins = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
        parts["post_processor"] = begins
    library = Library(json.dumps(parts).encode("ascii"), path, "ND1004")
    return LibraryTokenizer(library, kind, vocab_size, bos, dict.fromkeys(t for t in ends if t is not None), adds)


def _vocabulary(metadata: Mapping[str, Any], path: Path) -> tuple[list[str], Any]:
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens:
        raise ModelError("ND1009", path, "has no tokenizer.ggml.tokens", AGAIN)
    types = metadata.get("tokenizer.ggml.token_type", np.full(len(tokens), NORMAL, np.int32))
    if not isinstance(types, np.ndarray) or len(types) != len(tokens):
        raise ModelError("ND1004", path, f"token_type does not match the {len(tokens)} tokens", AGAIN)
    if len(set(tokens)) != len(tokens):
        raise ModelError("ND1009", path, f"has the token {first_repeated(tokens)!r:.80} twice", INSTEAD)
    return tokens, types


def _token_id(metadata: Mapping[str, Any], role: str, path: Path) -> int | None:
    value = metadata.get(f"tokenizer.ggml.{role}_token_id")
    if value is None:
        return None
    if type(value) is not int:
        raise ModelError("ND1004", path, f"{role}_token_id is {value!r:.40}, a whole number is needed", AGAIN)
    return value


def _byte_level(metadata: Mapping[str, Any], tokens: list[str], types: Any, path: Path) -> tuple[Parts, str, bool]:
    """GPT-2's kind: text is cut by `pre`, bytes are shown as printable characters, merges are listed in the file."""
    name = metadata.get("tokenizer.ggml.pre")
    pre = PRE_TOKENIZERS.get(name) if isinstance(name, str) else None
    if pre is None:
        problem = f"has the pre-tokenizer {name!r}; {', '.join(PRE_TOKENIZERS)} are read"
        raise ModelError("ND1009", path, problem, INSTEAD)
    merges = metadata.get("tokenizer.ggml.merges")
    if not isinstance(merges, list):
        raise ModelError("ND1004", path, "has no tokenizer.ggml.merges", AGAIN)
    pairs = []
    for text in merges:
        # A piece may itself begin with a space in files of some converters, hence the search from 1.
        cut = text.find(" ", 1)
        if cut < 0:
            raise ModelError("ND1004", path, f"the merge {text!r:.60} is not a pair", AGAIN)
        pairs.append((text[:cut], text[cut + 1 :]))
    whole = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    cut = {"type": "Split", "behavior": "Isolated", "invert": False}
    cuts = [{**cut, "pattern": {"Regex": pattern}} for pattern in pre.patterns]
    parts = {
        "model": _bpe(tokens, pairs, ignore_merges=pre.ignore_merges),
        "normalizer": {"type": "NFC"} if pre.nfc else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*cuts, whole]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "added_tokens": _added(tokens, types),
    }
    return parts, f"byte-level BPE (GGUF, {name})", pre.adds_bos


def _sentencepiece(metadata: Mapping[str, Any], tokens: list[str], types: Any, path: Path) -> tuple[Parts, str, bool]:
    """SentencePiece's BPE: join the neighbours whose joint piece has the best score, the leftmost first.

    The file lists no merges. Every way to cut a piece into two others is one, and the score of the piece is its rank:
    joining by these ranks is the same rule, because the scores of a vocabulary of this kind are all different.
    """
    scores = metadata.get("tokenizer.ggml.scores")
    if not isinstance(scores, np.ndarray) or len(scores) != len(tokens):
        raise ModelError("ND1004", path, f"scores do not match the {len(tokens)} tokens", AGAIN)
    have = set(tokens)
    missing = [byte for byte in range(256) if f"<0x{byte:02X}>" not in have]
    if missing:
        raise ModelError("ND1009", path, f"has no byte token <0x{missing[0]:02X}>", INSTEAD)
    unknown = metadata.get("tokenizer.ggml.unknown_token_id")
    unk = tokens[unknown] if type(unknown) is int and 0 <= unknown < len(tokens) else None
    work = sum(len(token) ** 2 for token in tokens)
    if work > MOST_CUTS:
        longest = max(map(len, tokens))
        problem = (
            f"has pieces of up to {longest} characters: cutting all of them takes {work} steps, {MOST_CUTS} are done"
        )
        raise ModelError("ND1009", path, problem, INSTEAD)
    merges = spm_merges(tokens, scores, types)
    spaces: list[Parts] = [{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
    steps: list[Parts] = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}]
    steps += [{"type": "ByteFallback"}, {"type": "Fuse"}]
    if metadata.get("tokenizer.ggml.add_space_prefix", True):
        spaces.insert(0, {"type": "Prepend", "prepend": "▁"})
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    phi3 = metadata.get("general.architecture") == "phi3"
    parts = {
        "model": _bpe(tokens, merges, unk_token=unk, fuse_unk=True, byte_fallback=True),
        "normalizer": spaces[0] if len(spaces) == 1 else {"type": "Sequence", "normalizers": spaces},
        "decoder": {"type": "Sequence", "decoders": steps},
        "added_tokens": _added(tokens, types, lambda token: phi3 and token not in PHI3_KEEPS),
    }
    return parts, "SentencePiece BPE (GGUF)", True


def _bpe(tokens: list[str], merges: list[tuple[str, str]], **options: Any) -> Parts:
    """The model, without what its library would take for granted."""
    return {"type": "BPE", "vocab": {token: index for index, token in enumerate(tokens)}, "merges": merges, **options}


def spm_merges(tokens: list[str], scores: Any, types: Any) -> list[tuple[str, str]]:
    """All pairs of pieces whose join is a piece, best score first; only normal pieces take part."""
    normal = {token for token, kind in zip(tokens, types.tolist(), strict=True) if kind == NORMAL}
    merges: list[tuple[str, str]] = []
    for index in np.argsort(-scores.astype(np.float64), kind="stable").tolist():
        piece = tokens[index]
        if piece in normal:
            for cut in range(1, len(piece)):
                left, right = piece[:cut], piece[cut:]
                if left in normal and right in normal:
                    merges.append((left, right))
    return merges


def _added(tokens: list[str], types: Any, strips: Callable[[str], bool] = lambda token: False) -> list[Parts]:
    """Control tokens (no text of their own) and user-defined ones (never cut) are found before all else.

    strips : whether a token takes the space after it.
    """
    plain = {"single_word": False, "lstrip": False, "normalized": False}
    return [
        {"id": index, "content": tokens[index], "special": special, "rstrip": strips(tokens[index]), **plain}
        for kind, special in ((CONTROL, True), (USER_DEFINED, False))
        for index in np.flatnonzero(types == kind).tolist()
        if tokens[index]
    ]


BUILDERS = {"gpt2": _byte_level, "llama": _sentencepiece}
