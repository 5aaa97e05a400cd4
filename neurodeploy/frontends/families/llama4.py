"""Llama 4, text: dense layers and layers with experts, chunked attention with RoPE, and full attention without it.

Authority: transformers' ``Llama4ForCausalLM``. RoPE turns pairs (2i, 2i + 1); after it q and k are normalised without
weights (where `use_qk_norm`); in layers without RoPE q is scaled by ``1 + attn_scale log1p(floor((p + 1) / F))`` with
``F = floor_scale``. The router's sigmoid scores multiply the *input* of the chosen experts, and a shared expert is
added. Experts are stored fused and transposed: ``gate_up_proj`` (experts, hidden, 2 ffn), ``down_proj`` (experts, ffn,
hidden).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.decoder import Decoder, Layer
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.families.relatives import FULL, decoder, every, switched
from neurodeploy.frontends.file_store import Source

CHUNKED = "chunked_attention"

DEFAULTS: dict[str, Any] = {
    "vocab_size": 202_048, "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
    "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
    "hidden_act": "silu", "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
    "num_experts_per_tok": 1, "num_local_experts": 16, "interleave_moe_layer_step": 1, "use_qk_norm": True,
    "no_rope_layer_interval": 4, "attention_chunk_size": 8192, "attn_temperature_tuning": True, "floor_scale": 8192,
    "attn_scale": 0.1, "attention_bias": False, "rope_theta": 500_000.0,
}  # fmt: skip


def huggingface(fields: Fields) -> Decoder:
    net = decoder(fields, switched(fields, "attention_bias"))
    return replace(net, layers=_layers(fields, net.layers), rope_style="interleaved", ffn_name="feed_forward")


def _layers(fields: Fields, equal: tuple[Layer, ...]) -> tuple[Layer, ...]:
    own, count = equal[0], len(equal)
    interval = fields.natural("no_rope_layer_interval")
    with_rope = fields.naturals("no_rope_layers", count) or every(interval, count)
    kinds = fields.layer_types(count, (CHUNKED, FULL))
    kinds = kinds or [CHUNKED if on else FULL for on in with_rope]
    chunk = fields.natural("attention_chunk_size") if CHUNKED in kinds[:count] else None
    fields.ignore(("attention_chunk_size",))
    normed = fields.flag("use_qk_norm")
    scale, floor = fields.positive("attn_scale"), fields.positive("floor_scale")
    temperature = (scale, floor) if fields.flag("attn_temperature_tuning") else None
    step = fields.natural("interleave_moe_layer_step")
    sparse = fields.naturals("moe_layers", 0)
    if sparse is None:
        sparse = [] if fields.values.get("moe_layers") == [] else list(range(step - 1, count, step))
    experts, top_k = fields.natural("num_local_experts", most=MOST_LAYERS), fields.natural("num_experts_per_tok")
    if top_k > experts:
        raise fields.refuse("num_experts_per_tok", f"there are {experts} experts")
    dense_ffn = fields.natural("intermediate_size_mlp")
    return tuple(
        Layer(
            ffn=own.ffn if i in sparse else dense_ffn,
            inv_freq=own.inv_freq if with_rope[i] else None,
            rope_factor=own.rope_factor,
            chunk=chunk if kinds[i] == CHUNKED else None,
            norm_after_rope=normed and bool(with_rope[i]),
            temperature=None if with_rope[i] else temperature,
            experts=experts if i in sparse else 0,
            top_k=top_k if i in sparse else 0,
        )
        for i in range(count)
    )


def huggingface_source(name: str, net: Decoder) -> Source:
    """An expert's matrix is a transposed slice of the fused tensor: its first `ffn` columns gate, the others up."""
    if ".experts." not in name:
        return Source(name)
    prefix, rest = name.split(".experts.")
    expert, part, _ = rest.split(".")
    index, ffn = int(expert), net.layers[int(prefix.split(".")[1])].ffn
    if part == "down_proj":
        return Source(f"{prefix}.experts.down_proj", index=index, transpose=True)
    columns = (0, ffn) if part == "gate_proj" else (ffn, 2 * ffn)
    return Source(f"{prefix}.experts.gate_up_proj", index=index, columns=columns, transpose=True)


FAMILY = common.Family("llama4", huggingface, DEFAULTS, huggingface_source)
