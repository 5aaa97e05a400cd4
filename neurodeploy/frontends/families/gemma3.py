"""Gemma 3, text: five layers with a sliding window and their own RoPE base, then one that sees everything.

Authority: transformers' ``Gemma3ForCausalLM``. Embeddings times ``sqrt(hidden)``; norms before and after each block,
all with the factor ``1 + w`` (a GGUF file already holds ``1 + w``); q and k normalised per head, with weights, before
RoPE; scores times ``query_pre_attn_scalar ** -0.5``; ``gelu_tanh(gate) * up``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.changing import ROPE
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.families.relatives import FULL, SLIDING, decoder, switched
from neurodeploy.frontends.families.rope import Rotary, of_gguf, rotary
from neurodeploy.frontends.file_store import Source
from neurodeploy.ir.graph import WeightStore

#: Every `PATTERN`-th layer is a full one where nothing else is said.
PATTERN = 6
#: RoPE base of the layers with a window (transformers' default; llama.cpp has it in its code).
LOCAL_THETA, GLOBAL_THETA = 10_000.0, 1_000_000.0
#: Layers of the one size whose scores are scaled by hidden / heads instead of the head's own size (llama.cpp).
LAYERS_27B = 62

DEFAULTS: dict[str, Any] = {
    "vocab_size": 262_208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
    "max_position_embeddings": 131_072, "rms_norm_eps": 1e-6, "tie_word_embeddings": True, "attention_bias": False,
    "query_pre_attn_scalar": 256, "sliding_window": 4096,
}  # fmt: skip

GGUF_LAYER = {
    **common.GGUF_LAYER,
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def huggingface(fields: Fields) -> Decoder:
    head_dim, positions = fields.natural("head_dim"), fields.natural("max_position_embeddings")
    count = fields.natural("num_hidden_layers", most=MOST_LAYERS)
    kinds = _layer_types(fields, count)
    rope = fields.table("rope_parameters")
    given = Fields(rope, f"{fields.subject}: rope_parameters")
    # Old files scale the full layers only, and have one base beside the object for each kind of layer.
    tables = {FULL: {**given.table(FULL), **fields.table("rope_scaling")}, SLIDING: given.table(SLIDING)}
    fields.also([f"rope_parameters.{found}" for found in given.unsupported(ROPE)])
    thetas = {
        FULL: fields.positive("rope_theta", GLOBAL_THETA), SLIDING: fields.positive("rope_local_base_freq", LOCAL_THETA)
    }  # fmt: skip
    turned = {kind: rotary(tables[kind], head_dim, thetas[kind], positions, fields) for kind in tables}
    biases, scale = switched(fields, "attention_bias"), fields.positive("query_pre_attn_scalar") ** -0.5
    return _decoder(fields, turned[FULL], turned[SLIDING], kinds, scale, biases)


def _decoder(
    fields: Fields, full: Rotary, local: Rotary, kinds: list[str], scale: float, biases: frozenset[str] = frozenset()
) -> Decoder:
    net = decoder(fields, biases, lambda fields, head_dim: full, "hidden_activation")
    window, own = fields.natural("sliding_window"), net.layers[0]
    sliding = replace(own, inv_freq=local.inv_freq, rope_factor=local.factor, window=window)
    limits = [found.positions for found in (full, local) if found.positions]
    return replace(
        net, layers=tuple(sliding if kind == SLIDING else own for kind in kinds), attention_scale=scale,
        embed_scale=math.sqrt(net.hidden), weighted_qk_norm=True, sandwich=True, positions=min(limits, default=None),
    )  # fmt: skip


def _layer_types(fields: Fields, count: int) -> list[str]:
    pattern = fields.natural("sliding_window_pattern", fields.natural("_sliding_window_pattern", PATTERN))
    kinds = fields.layer_types(count, (SLIDING, FULL))
    return kinds[:count] if kinds else _every(pattern, count)


def _every(pattern: int, count: int) -> list[str]:
    return [FULL if (i + 1) % pattern == 0 else SLIDING for i in range(count)]


def _gguf_layer_types(fields: Fields, count: int) -> list[str]:
    """Which layers have a window: llama.cpp reads a period, or a flag for each layer."""
    name = "attention.sliding_window_pattern"
    value = fields.get(name, PATTERN)
    flags = [value] * count if isinstance(value, bool) else value
    if isinstance(flags, list) and len(flags) == count and all(isinstance(flag, bool) for flag in flags):
        return [SLIDING if flag else FULL for flag in flags]
    return _every(fields.natural(name, PATTERN), count)


def huggingface_source(name: str, net: Decoder) -> Source:
    return Source(name, add=1.0 if "norm." in name else 0.0)


def gguf(fields: Fields, store: WeightStore) -> Decoder:
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    head_dim, count = fields.natural("head_dim", hidden // heads), fields.natural("num_hidden_layers", most=MOST_LAYERS)
    common.gguf_rotated(fields, head_dim)
    full, base = of_gguf(fields, store, head_dim, GLOBAL_THETA), fields.positive("rope.freq_base_swa", LOCAL_THETA)
    local = rotary({}, head_dim, base, fields.natural("max_position_embeddings"), fields)
    scale = (hidden / heads if count == LAYERS_27B else head_dim) ** -0.5
    return _decoder(fields, full, local, _gguf_layer_types(fields, count), scale)


FAMILY = common.Family("gemma3", huggingface, DEFAULTS, huggingface_source, gguf, common.gguf_source(GGUF_LAYER))
