"""The tokenizer of a checkpoint: from tokenizer.json, from GGUF metadata, or one token a byte where a folder has none.

A file that we cannot read exactly is an error (ND1009); a folder without any tokenizer gives a `ByteTokenizer` whose `kind`
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends.files import read_json
from neurodeploy.frontends.tokenizer import ByteTokenizer, LibraryTokenizer, Tokenizer, load
from neurodeploy.frontends.tokenizer_gguf import from_metadata
from neurodeploy.frontends.tokenizer_library import Library

#: Tokenizer files of other formats: where one of them is there, single bytes would be wrong, so it is an error.
OTHER_TOKENIZERS = ("tokenizer.model", "spiece.model", "vocab.json", "merges.txt", "vocab.txt", "tekken.json")


def read_tokenizer(path: str | Path, vocab_size: int) -> Tokenizer:
    """The tokenizer of a checkpoint: a Hugging Face folder or a .gguf file.

    `vocab_size` is that of the model. Raises ND1004 (damaged), ND1009 (a kind that we do not read exactly).
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path, vocab_size)
    from neurodeploy.frontends.gguf_store import GgufStore

    return from_metadata(GgufStore(path).metadata, vocab_size, path)


def _from_folder(folder: Path, vocab_size: int) -> Tokenizer:
    file = folder / "tokenizer.json"
    if not file.exists():
        other = [name for name in OTHER_TOKENIZERS if (folder / name).exists()]
        if other:
            fix = "write it with transformers: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
            raise ModelError("ND1009", folder, f"has {', '.join(other)} but no tokenizer.json", fix)
        return ByteTokenizer(vocab_size)
    inner = load(file)
    config, generation, tokens = (
        read_json(folder / name) if (folder / name).exists() else {}
        for name in ("config.json", "generation_config.json", "tokenizer_config.json")
    )
    text_config = config.get("text_config")
    # A generation config is what the model's authors generate with; the tokenizer's own names come last.
    sources = [generation, config, text_config if isinstance(text_config, dict) else {}]
    bos = next((found[0] for found in (_ids(source, "bos_token_id") for source in sources) if found), None)
    eos = next((found for found in (_ids(source, "eos_token_id") for source in sources) if found), ())
    if bos is None:
        bos = _named(inner, tokens.get("bos_token"))
    if not eos:
        named = _named(inner, tokens.get("eos_token"))
        eos = () if named is None else (named,)
    begins = inner.encode("a", special=True)[:1] == [bos]
    wanted = tokens.get("add_bos_token")
    adds = bos is not None and (wanted if isinstance(wanted, bool) else begins)
    return LibraryTokenizer(inner, f"{inner.model} (tokenizer.json)", vocab_size, bos, eos, adds)


def _ids(source: Mapping[str, Any], key: str) -> tuple[int, ...]:
    value = source.get(key)
    values = value if isinstance(value, list) else [value]
    return tuple(token for token in values if type(token) is int)


def _named(inner: Library, token: Any) -> int | None:
    """The id of a token that a configuration names, as text or as ``{"content": text}``."""
    content = token.get("content") if isinstance(token, dict) else token
    return inner.token_to_id(content) if isinstance(content, str) else None
