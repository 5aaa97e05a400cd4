"""Llama and what is built like it: SmolLM2, Llama 1 to 3.2, TinyLlama.

Authority: transformers' ``LlamaForCausalLM``. RoPE pairs halves (i, i + D/2); ``act(gate) * up``; RMSNorm with ``w``;
optional biases. llama.cpp's GGUF stores q and k rows interleaved, and llama3's frequency scaling as divisors.

Families that differ in a few settings read the rest with `decoder` and `gguf_decoder`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from neurodeploy.frontends.families import common, rope
from neurodeploy.frontends.families.decoder import Decoder, Layer
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.wrapped import Source
from neurodeploy.ir.graph import WeightStore

ATTENTION_BIAS, MLP_BIAS = frozenset("qkvo"), frozenset({"gate", "up", "down"})
#: RoPE base where a file says nothing.
THETA = 10_000.0
GGUF_LAYER = {**common.GGUF_LAYER, "post_attention_layernorm": "ffn_norm"}

DEFAULTS: dict[str, Any] = {
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "rope_theta": THETA,
}  # fmt: skip


def huggingface(fields: Fields) -> Decoder:
    return decoder(fields, switched_biases(fields))


def switched_biases(fields: Fields) -> frozenset[str]:
    """The roles with a bias by ``attention_bias`` and ``mlp_bias``."""
    attention, mlp = fields.flag("attention_bias"), fields.flag("mlp_bias")
    return (ATTENTION_BIAS if attention else frozenset()) | (MLP_BIAS if mlp else frozenset())


def decoder(
    fields: Fields,
    biases: frozenset[str] = frozenset(),
    rotary: Callable[[Fields, int], rope.Rotary] = rope.of_config,
    act: str = "hidden_act",
) -> Decoder:
    """A decoder of equal layers. `rotary` : settings, neurons of a head -> its frequencies; `act` : name of a setting."""
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    kv_heads = fields.natural_or_null("num_key_value_heads") or heads
    common.check_heads(fields, heads, kv_heads, "num_key_value_heads")
    head_dim = fields.natural("head_dim", hidden // heads)
    turned = rotary(fields, head_dim)
    layer = Layer(ffn=fields.natural("intermediate_size"), inv_freq=turned.inv_freq, rope_factor=turned.factor)
    return Decoder(
        vocab=fields.natural("vocab_size"),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        eps=fields.positive("rms_norm_eps"),
        act=fields.choice(act, common.ACTIVATIONS),
        attention_scale=head_dim**-0.5,
        layers=(layer,) * fields.natural("num_hidden_layers", most=MOST_LAYERS),
        tied=fields.flag("tie_word_embeddings"),
        biases=biases,
        rotated=turned.part_of(head_dim),
        positions=turned.positions,
    )


def huggingface_source(name: str, net: Decoder) -> Source:
    return Source(name)


def gguf(fields: Fields, store: WeightStore) -> Decoder:
    return with_gguf_window(fields, gguf_decoder(fields, store))


def with_gguf_window(fields: Fields, net: Decoder) -> Decoder:
    """The network with the window of all its layers, where the file has one: Phi-3's do, Mistral's may."""
    window = fields.natural("sliding_window", 0, least=0) or None
    return common.with_windows(net, [window] * len(net.layers))


def gguf_decoder(fields: Fields, store: WeightStore, theta: float = THETA, partial: bool = False) -> Decoder:
    """A decoder of equal layers whose biases are those that the file holds."""
    names = set(store.names())
    biased = {part.split(".")[1][0]: gguf for part, gguf in common.GGUF_LAYER.items() if part.startswith("self_attn")}
    biases = {role for role, part in biased.items() if f"blk.0.{part}.bias" in names}
    biases |= {role for role in MLP_BIAS if f"blk.0.ffn_{role}.bias" in names}

    def rotary(fields: Fields, head_dim: int) -> rope.Rotary:
        return rope.of_gguf(fields, store, common.gguf_rotated(fields, head_dim, partial), theta)

    return decoder(fields, frozenset(biases), rotary)


def interleaved_source(name: str, net: Decoder) -> Source:
    """A tensor of an architecture whose q and k rows llama.cpp interleaves."""
    part = name.rsplit(".", 2)[-2]
    return replace(plain_source(name, net), heads={"q_proj": net.heads, "k_proj": net.kv_heads}.get(part, 0))


def plain_source(name: str, net: Decoder) -> Source:
    return Source(common.gguf_name(name, GGUF_LAYER))


FAMILY = common.Family("llama", huggingface, DEFAULTS, huggingface_source, gguf, interleaved_source)
