"""Phi-3, Phi-3.5, Phi-4 and Phi-4-mini, text: Llama's layer with q, k, v in one matrix and gate, up in another.

Authority: transformers' ``Phi3ForCausalLM``. ``qkv_proj`` holds the rows of q, then k, then v; ``gate_up_proj`` those of
gate, then up; llama.cpp keeps both matrices so (``attn_qkv``, ``ffn_up``) and pairs halves. Texts longer than
`original_max_position_embeddings` would need LongRoPE's other table for all their tokens at once: a model with such a
table is read as one of that many positions (see `rope`). A part of a head may stay unrotated (Phi-4-mini). llama.cpp
leaves the window out of its computation; transformers has it, and so have we.
"""

from __future__ import annotations

from typing import Any

from neurodeploy.frontends.families import common, llama, rope
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.wrapped import Source
from neurodeploy.ir.graph import WeightStore

DEFAULTS: dict[str, Any] = {
    "vocab_size": 32_064, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
    "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False, "rope_theta": 10_000.0, "original_max_position_embeddings": 4096,
}  # fmt: skip
#: What files of the family have called LongRoPE.
LONGROPE = ("longrope", "su", "yarn")

FUSED = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj",
         "up_proj": "gate_up_proj"}  # fmt: skip
GGUF_LAYER = {**llama.GGUF_LAYER, "self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"}


def huggingface(fields: Fields) -> Decoder:
    fields.ignore(("embd_pdrop", "resid_pdrop"))
    for name in ("full_attn_mod", "interpolate_factor"):  # Phi-4-mini's files have them, transformers does not
        fields.only(name, 1)
    net = llama.decoder(fields, rotary=_rotary)
    return common.with_windows(net, [fields.natural_or_null("sliding_window")] * len(net.layers))


def _rotary(fields: Fields, head_dim: int) -> rope.Rotary:
    """What stands beside the rotary table belongs into it, as transformers has it."""
    table = dict(rope.table_of(fields))
    kind = table.get("rope_type") or table.get("type") or "default"
    share, original = fields.get("partial_rotary_factor", None), fields.natural("original_max_position_embeddings")
    if share is not None:
        table.setdefault("partial_rotary_factor", share)
    if kind in LONGROPE:
        table.update(rope_type="longrope", original_max_position_embeddings=original)
    theta, positions = fields.positive("rope_theta"), fields.natural("max_position_embeddings")
    return rope.rotary(table, head_dim, theta, positions, fields, partial=True)


def huggingface_source(name: str, net: Decoder) -> Source:
    """A projection as rows of the fused matrix that holds it, under canonical names."""
    path, part, suffix = f".{name}".rsplit(".", 2)
    if part not in FUSED:
        return Source(name)
    q, kv, ffn = net.heads * net.head_dim, net.kv_heads * net.head_dim, net.layers[0].ffn
    rows = {"q_proj": (0, q), "k_proj": (q, q + kv), "v_proj": (q + kv, q + 2 * kv), "gate_proj": (0, ffn),
            "up_proj": (ffn, 2 * ffn)}  # fmt: skip
    return Source(f"{path.removeprefix('.')}.{FUSED[part]}.{suffix}", rows=rows[part])


def gguf(fields: Fields, store: WeightStore) -> Decoder:
    return llama.with_gguf_window(fields, llama.gguf_decoder(fields, store, partial=True))


def gguf_source(name: str, net: Decoder) -> Source:
    made = huggingface_source(name, net)
    return Source(common.gguf_name(made.name, GGUF_LAYER), rows=made.rows)


FAMILY = common.Family("phi3", huggingface, DEFAULTS, huggingface_source, gguf, gguf_source)
