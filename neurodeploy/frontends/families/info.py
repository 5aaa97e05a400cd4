"""What a report and a generator want to know of a checkpoint: name, licence, the tokens that begin and end a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurodeploy.frontends.files import read_json

#: Bytes of a README that are searched for its front matter.
README_LIMIT = 1 << 20
UNKNOWN = "unknown"


def huggingface_info(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` is the object with the token numbers; generation_config.json goes before it, as in transformers."""
    settings, generation = dict(config), path / "generation_config.json"
    if generation.is_file():
        settings.update({key: value for key, value in read_json(generation).items() if value is not None})
    name, ends = path.resolve().name, settings.get("eos_token_id")
    licence = readme_licence(path / "README.md")
    return _info(name, name, licence, settings.get("bos_token_id"), ends if isinstance(ends, list) else [ends])


def gguf_info(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """From the ``general.*`` and ``tokenizer.ggml.*`` keys."""
    bos, *ends = (metadata.get(f"tokenizer.ggml.{key}_token_id") for key in ("bos", "eos", "eot"))
    licence = str(metadata.get("general.license") or UNKNOWN)
    return _info(str(metadata.get("general.name") or path.stem), path.name, licence, bos, list(dict.fromkeys(ends)))


def _info(name: str, source: str, licence: str, bos: object, ends: list[object]) -> dict[str, Any]:
    """Fields of `ModelInfo`; a token is a whole number, whatever else a file says."""
    tokens = tuple(token for token in ends if type(token) is int)
    return {
        "name": name, "source": source, "licence": licence, "eos_tokens": tokens,
        "bos_token": bos if type(bos) is int else None,
    }  # fmt: skip


def readme_licence(path: Path) -> str:
    """The ``license`` of a model card's front matter (YAML between two lines ``---``), or "unknown"."""
    if not path.is_file():
        return UNKNOWN
    with path.open("rb") as file:
        text = file.read(README_LIMIT).decode("utf-8", errors="replace")
    front = re.match(r"\s*---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*[\"']?([^\s\"'#]+)", front.group(1), re.MULTILINE) if front else None
    return found.group(1) if found else UNKNOWN
