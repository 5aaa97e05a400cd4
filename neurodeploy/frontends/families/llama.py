"""Llama and what is built like it: SmolLM2, Llama 1 to 3.2, TinyLlama.

Authority: transformers' ``LlamaForCausalLM``. RoPE pairs halves (i, i + D/2); ``act(gate) * up``; RMSNorm with ``w``;
optional biases. llama.cpp's GGUF stores q and k rows interleaved, and llama3's frequency scaling as divisors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.decoder import Decoder, Layer
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.families.rope import inverse_frequencies
from neurodeploy.frontends.wrapped import Source
from neurodeploy.ir.graph import WeightStore

ATTENTION_BIAS, MLP_BIAS = frozenset("qkvo"), frozenset({"gate", "up", "down"})
ROPE_DIVISORS = "rope_freqs.weight"
GGUF_LAYER = {**common.GGUF_LAYER, "post_attention_layernorm": "ffn_norm"}

DEFAULTS: dict[str, Any] = {
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "rope_theta": 10000.0,
}  # fmt: skip


def huggingface(fields: Fields) -> Decoder:
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    kv_heads = fields.natural("num_key_value_heads", heads)
    common.check_heads(fields, heads, kv_heads, "num_key_value_heads")
    head_dim = fields.natural("head_dim", hidden // heads)
    theta, positions = fields.positive("rope_theta"), fields.natural("max_position_embeddings")
    rope = fields.table("rope_scaling") or fields.table("rope_parameters")
    inv_freq = inverse_frequencies(rope, head_dim, theta, positions, fields.subject, fields)
    fields.ignore(("rope_parameters",))
    attention, mlp = fields.flag("attention_bias"), fields.flag("mlp_bias")
    layer = Layer(ffn=fields.natural("intermediate_size"), inv_freq=inv_freq)
    return Decoder(
        vocab=fields.natural("vocab_size"),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        eps=fields.positive("rms_norm_eps"),
        act=fields.choice("hidden_act", common.ACTIVATIONS),
        attention_scale=head_dim**-0.5,
        layers=(layer,) * fields.natural("num_hidden_layers", most=MOST_LAYERS),
        tied=fields.flag("tie_word_embeddings"),
        biases=(ATTENTION_BIAS if attention else frozenset()) | (MLP_BIAS if mlp else frozenset()),
    )


def huggingface_source(name: str, net: Decoder) -> Source:
    return Source(name)


def gguf(fields: Fields, store: WeightStore) -> Decoder:
    hidden, heads = fields.natural("embedding_length"), fields.natural("attention.head_count")
    kv_heads = fields.natural("attention.head_count_kv", heads)
    common.check_heads(fields, heads, kv_heads, "attention.head_count_kv")
    head_dim = common.gguf_head_dim(fields, hidden, heads)
    positions = fields.natural("context_length")
    inv_freq = _gguf_frequencies(fields, store, head_dim, positions)
    names = set(store.names())
    biased = {part.split(".")[1][0]: gguf for part, gguf in common.GGUF_LAYER.items() if part.startswith("self_attn")}
    biases = {role for role, part in biased.items() if f"blk.0.{part}.bias" in names}
    biases |= {role for role in MLP_BIAS if f"blk.0.ffn_{role}.bias" in names}
    layer = Layer(ffn=fields.natural("feed_forward_length"), inv_freq=inv_freq)
    fields.ignore(("vocab_size",))
    return Decoder(
        vocab=common.gguf_vocabulary(store, fields.subject),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        eps=fields.positive("attention.layer_norm_rms_epsilon"),
        act="silu",
        attention_scale=head_dim**-0.5,
        layers=(layer,) * fields.natural("block_count", most=MOST_LAYERS),
        tied="output.weight" not in names,
        biases=frozenset(biases),
    )


def _gguf_frequencies(fields: Fields, store: WeightStore, head_dim: int, positions: int) -> tuple[float, ...]:
    # Of the llama3 rule llama.cpp keeps the resulting divisors only, under the type "none".
    theta = fields.positive("rope.freq_base", 10000.0)
    inv_freq = inverse_frequencies(common.gguf_scaling(fields), head_dim, theta, positions, fields.subject, fields)
    if ROPE_DIVISORS not in store.names():
        return inv_freq
    divisors = store.get(ROPE_DIVISORS).astype(np.float64)
    if divisors.shape != (head_dim // 2,) or not (divisors > 0).all():
        problem = f"has shape {divisors.shape}, {head_dim // 2} positive numbers are needed"
        raise ModelError("ND1006", ROPE_DIVISORS, problem, "convert the model again")
    return tuple(float(value) for value in np.asarray(inv_freq) / divisors)


def gguf_source(name: str, net: Decoder) -> Source:
    stored = common.gguf_name(name, GGUF_LAYER)
    part = name.rsplit(".", 2)[-2]
    return Source(stored, heads={"q_proj": net.heads, "k_proj": net.kv_heads}.get(part, 0))


FAMILY = common.Family("llama", huggingface, DEFAULTS, huggingface_source, gguf, gguf_source)
