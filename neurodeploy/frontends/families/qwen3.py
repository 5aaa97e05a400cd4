"""Qwen3, dense: Llama's layer with q and k normalised by head, with weights, before RoPE. Heads have a size of their own.

Authority: transformers' ``Qwen3ForCausalLM``. Windows as in Qwen2. llama.cpp leaves q and k as they are (NEOX pairs).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurodeploy.frontends.families import common, llama, qwen2
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.wrapped import Source
from neurodeploy.ir.graph import WeightStore

DEFAULTS: dict[str, Any] = {**qwen2.DEFAULTS, "head_dim": 128, "attention_bias": False}
GGUF_LAYER = {**llama.GGUF_LAYER, "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"}


def huggingface(fields: Fields) -> Decoder:
    net = llama.decoder(fields, llama.ATTENTION_BIAS if fields.flag("attention_bias") else frozenset())
    return replace(common.with_windows(net, qwen2.windows(fields, len(net.layers))), weighted_qk_norm=True)


def gguf(fields: Fields, store: WeightStore) -> Decoder:
    return replace(llama.gguf_decoder(fields, store), weighted_qk_norm=True)


def gguf_source(name: str, net: Decoder) -> Source:
    return Source(common.gguf_name(name, GGUF_LAYER))


FAMILY = common.Family("qwen3", huggingface, DEFAULTS, llama.huggingface_source, gguf, gguf_source)
