"""What the families share: the interface of a family, and the settings and names of a GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.families.tensors import DERIVED, PREFIXES
from neurodeploy.frontends.wrapped import Source
from neurodeploy.ir.graph import WeightStore


@dataclass(frozen=True, slots=True)
class Family:
    """How a family's checkpoints are read.

    huggingface : settings of config.json -> network; may raise ND1012
    defaults : what transformers assumes for settings that config.json leaves out
    huggingface_source : canonical tensor name, network -> `Source` without the file's prefix; usually of the same name
    gguf : settings of the file (keys without "ARCHITECTURE."), store -> network; None where GGUF is not read
    gguf_source : canonical tensor name, network -> `Source` in a .gguf file
    aliases : names in config.json -> those that the family reads
    table, prefixes : name of the embedding table in a Hugging Face file, and what may stand before it and all others
    derived : ends of names of tensors that hold nothing that was learnt
    """

    name: str
    huggingface: Callable[[Fields], Decoder]
    defaults: Mapping[str, Any]
    huggingface_source: Callable[[str, Decoder], Source] = lambda name, net: Source(name)
    gguf: Callable[[Fields, WeightStore], Decoder] | None = None
    gguf_source: Callable[[str, Decoder], Source] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    table: str = "embed_tokens.weight"
    prefixes: tuple[str, ...] = PREFIXES
    derived: tuple[str, ...] = DERIVED


#: config.json: activations -> the `act` of a "glu".
ACTIVATIONS = {"silu": "silu", "swish": "silu", "gelu_pytorch_tanh": "gelu_tanh"}

#: Settings of a .gguf file by the names of config.json.
GGUF_SETTINGS = {
    "embedding_length": "hidden_size", "attention.head_count": "num_attention_heads", "block_count": "num_hidden_layers",
    "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
    "feed_forward_length": "intermediate_size", "context_length": "max_position_embeddings",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps", "attention.layer_norm_epsilon": "layer_norm_epsilon",
    "attention.sliding_window": "sliding_window",
}  # fmt: skip
#: What a .gguf file does not say, because it follows from the architecture: the family's default holds.
UNSAID = ("hidden_act", "hidden_activation", "activation_function")
#: canonical part of a layer -> GGUF part.
GGUF_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
GGUF_TOP = {
    "embed_tokens": "token_embd", "embed_positions": "position_embd", "norm": "output_norm", "lm_head": "output",
}  # fmt: skip


def gguf_name(name: str, layer: Mapping[str, str]) -> str:
    """``layers.3.self_attn.q_proj.weight`` -> ``blk.3.attn_q.weight``."""
    stem, suffix = name.rsplit(".", 1)
    if stem in GGUF_TOP:
        return f"{GGUF_TOP[stem]}.{suffix}"
    _, index, part = stem.split(".", 2)
    return f"blk.{index}.{layer[part]}.{suffix}"


def gguf_source(
    layer: Mapping[str, str], stored: Callable[[str, Decoder], Source] = lambda name, net: Source(name),
    interleaved: bool = False,
) -> Callable[[str, Decoder], Source]:  # fmt: skip
    """A `Family.gguf_source`. layer : canonical part -> GGUF part; stored : the canonical name of what holds a tensor.

    interleaved : llama.cpp interleaves the rows of q and k in this architecture.
    """

    def source(name: str, net: Decoder) -> Source:
        made, part = stored(name, net), name.rsplit(".", 2)[-2]
        heads = {"q_proj": net.heads, "k_proj": net.kv_heads}.get(part, 0) if interleaved else 0
        return replace(made, name=gguf_name(made.name, layer), heads=heads)

    return source


def gguf_settings(metadata: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """The keys below "ARCHITECTURE.", arrays as lists; one value for every layer, as the format allows, is that value."""
    stem = f"{architecture}."
    found = {key.removeprefix(stem): value for key, value in metadata.items() if key.startswith(stem)}
    settings = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in found.items()}
    layers = settings.get("block_count")
    for key, value in settings.items():
        if isinstance(value, list) and value and len(value) == layers and value.count(value[0]) == layers:
            settings[key] = value[0]
    return settings


def gguf_fields(
    metadata: Mapping[str, Any], architecture: str, family: Family, store: WeightStore, path: Path
) -> Fields:
    """The settings by the names of config.json, and what the tensors tell: rows of the vocabulary, a head of its own."""
    if "token_embd.weight" not in store.names():
        raise ModelError("ND1006", "token_embd.weight", f"no such tensor in {path}", "fetch the file again")
    told = {
        "vocab_size": store.shape("token_embd.weight")[0],
        "tie_word_embeddings": "output.weight" not in store.names(),
    }
    unsaid = {name: family.defaults[name] for name in UNSAID if name in family.defaults}
    settings = {**gguf_settings(metadata, architecture), **told}
    return Fields(settings, path, unsaid, f"{architecture}.", GGUF_SETTINGS)


def gguf_rotated(fields: Fields, dim: int, partial: bool = False) -> int:
    """Of the neurons of a head how many are rotated: all, unless `partial`. Key and value length must agree."""
    rotated = fields.natural("rope.dimension_count", dim, most=dim)
    for name, length in (("attention.value_length", fields.natural("attention.value_length", dim)),
                         ("rope.dimension_count", dim if partial else rotated)):  # fmt: skip
        if length != dim:
            raise fields.refuse(name, f"heads have {dim} neurons, and all of them are needed here")
    return rotated


def check_heads(fields: Fields, heads: int, kv_heads: int, name: str) -> None:
    """Every key-value head serves the same number of query heads."""
    if heads % kv_heads:
        raise fields.refuse(name, f"{heads} attention heads cannot be shared out over it")
