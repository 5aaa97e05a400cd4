"""What a report and a generator want to know of a checkpoint: name, licence, the tokens that begin and end a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.files import read_json
from neurodeploy.ir.graph import ModelInfo

#: Bytes of a README that are searched for its front matter.
README_LIMIT = 1 << 20
UNKNOWN = "unknown"


def huggingface_info(path: Path, family: str, net: Decoder, config: Mapping[str, Any], max_positions: int) -> ModelInfo:
    """`config` is the object with the token numbers; generation_config.json goes before it, as in transformers."""
    settings = dict(config)
    generation = path / "generation_config.json"
    if generation.is_file():
        settings.update({key: value for key, value in read_json(generation).items() if value is not None})
    bos = settings.get("bos_token_id")
    return ModelInfo(
        name=path.resolve().name,
        family=family,
        vocab_size=net.vocab,
        hidden_size=net.hidden,
        layers=len(net.layers),
        max_positions=max_positions,
        source=path.resolve().name,
        licence=readme_licence(path / "README.md"),
        bos_token=bos if type(bos) is int else None,
        eos_tokens=_numbers(settings.get("eos_token_id")),
        tied_embeddings=net.tied,
    )


def gguf_info(path: Path, family: str, net: Decoder, metadata: Mapping[str, Any], max_positions: int) -> ModelInfo:
    """From the ``general.*`` and ``tokenizer.ggml.*`` keys."""
    bos = metadata.get("tokenizer.ggml.bos_token_id")
    ends = [metadata.get(f"tokenizer.ggml.{key}_token_id") for key in ("eos", "eot")]
    return ModelInfo(
        name=str(metadata.get("general.name") or path.stem),
        family=family,
        vocab_size=net.vocab,
        hidden_size=net.hidden,
        layers=len(net.layers),
        max_positions=max_positions,
        source=path.name,
        licence=str(metadata.get("general.license") or UNKNOWN),
        bos_token=bos if type(bos) is int else None,
        eos_tokens=tuple(dict.fromkeys(token for token in ends if type(token) is int)),
        tied_embeddings=net.tied,
    )


def readme_licence(path: Path) -> str:
    """The ``license`` of a model card's front matter (YAML between two lines ``---``), or "unknown"."""
    if not path.is_file():
        return UNKNOWN
    with path.open("rb") as file:
        text = file.read(README_LIMIT).decode("utf-8", errors="replace")
    front = re.match(r"\s*---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*[\"']?([^\s\"'#]+)", front.group(1), re.MULTILINE) if front else None
    return found.group(1) if found else UNKNOWN


def _numbers(value: object) -> tuple[int, ...]:
    if type(value) is int:
        return (value,)
    return tuple(token for token in value if type(token) is int) if isinstance(value, list) else ()
