"""Families of language models: from a checkpoint to a `Graph`; the tables below say what is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurodeploy.ir.graph import Graph

#: ``model_type`` of config.json -> family, and the field that holds the text model's settings inside a larger model.
HUGGINGFACE: Mapping[str, tuple[str, str | None]] = {
    **{name: (name, None) for name in ("llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3", "gpt2")},
    "gemma3_text": ("gemma3", None),
    "gemma3": ("gemma3", "text_config"),
    "llama4_text": ("llama4", None),
    "llama4": ("llama4", "text_config"),
}
#: First of ``architectures`` -> model_type, for configurations without one.
ARCHITECTURES: Mapping[str, str] = {
    **{f"{name}ForCausalLM": name.lower() for name in ("Llama", "Mistral", "Qwen2", "Qwen3", "Phi3", "SmolLM3")},
    "GPT2LMHeadModel": "gpt2",
    "Gemma3ForCausalLM": "gemma3_text",
    "Gemma3ForConditionalGeneration": "gemma3",
    "Llama4ForCausalLM": "llama4_text",
    "Llama4ForConditionalGeneration": "llama4",
}
#: ``general.architecture`` of the .gguf files that are read, which is the family. Mistral's files say "llama".
GGUF = ("llama", "qwen2", "qwen3", "phi3", "smollm3", "gpt2", "gemma3")


def read_graph(path: str | Path) -> Graph:
    """The network in a Hugging Face folder or .gguf file, checked; weights stay in the files until they are asked for.

    Raises `ModelError`: those of `open_store`, ND1011 for an architecture that is not in the tables, ND1012 for a
    setting that is not supported, ND1006 for a tensor that is missing, left over or of a wrong shape.
    """
    from neurodeploy.frontends import HUGGINGFACE as FOLDER
    from neurodeploy.frontends import open_store
    from neurodeploy.frontends.families.reading import from_gguf, from_huggingface
    from neurodeploy.ops import check_operations

    path = Path(path)
    opened = open_store(path)
    graph = from_huggingface(path, opened) if opened.kind == FOLDER else from_gguf(path, opened)
    graph.check()
    check_operations(graph.ops)
    return graph
