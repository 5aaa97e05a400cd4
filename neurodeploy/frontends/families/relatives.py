"""Llama and what is built like it, one `Family` each: they read most settings with `decoder` and `gguf_decoder`.

Authority: transformers' ``...ForCausalLM`` of each. RoPE pairs halves (i, i + D/2); ``act(gate) * up``; RMSNorm with ``w``;
optional biases. In .gguf files q and k rows are as they are (NEOX pairs) unless it says "interleaved" here.

llama     SmolLM2, Llama 1 to 3.2, TinyLlama. llama.cpp: interleaved, and llama3's frequency scaling as divisors.
mistral   Dense (7B, Nemo, Small in its text-only files); the first version has a window in all layers. A `sliding_window` of
          null is no window, one that is left out is 4096. llama.cpp: files say "llama" and leave the window out.
qwen2     And Qwen2.5: biases on q, k and v. Where `use_sliding_window` is on, layers from `max_window_layers` on see
          `sliding_window` tokens. llama.cpp has no window for this family.
qwen3     Dense: q and k normalised by head, with weights, before RoPE; heads have a size of their own. Windows as in Qwen2.
phi3      Phi-3, Phi-3.5, Phi-4 and Phi-4-mini, text. ``qkv_proj`` holds the rows of q, then k, then v; ``gate_up_proj``
          those of gate, then up; llama.cpp keeps both so (``attn_qkv``, ``ffn_up``). Texts longer than
          `original_max_position_embeddings` would need LongRoPE's other table for all their tokens at once: a model with
          such a table is read as one of that many positions (see `rope`). A part of a head may stay unrotated
          (Phi-4-mini). llama.cpp leaves the window out of its computation; transformers has it, and so have we.
smollm3   Every fourth layer without RoPE: `no_rope_layers` has a 1 for each layer *with* it. Where a window is on, it is
          that of the layers without RoPE, unless `layer_types` says otherwise. llama.cpp: interleaved, and has the fourth
          layer in its code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from neurodeploy.frontends.families import common, rope
from neurodeploy.frontends.families.decoder import Decoder, Layer
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.file_store import Source
from neurodeploy.ir.graph import WeightStore

SLIDING, FULL = "sliding_attention", "full_attention"
MLP_BIAS = frozenset({"gate", "up", "down"})
#: Setting -> roles that have a bias where it is on.
BIASES = {"attention_bias": frozenset("qkvo"), "mlp_bias": MLP_BIAS}
#: RoPE base where a file says nothing, and SmolLM3's with the distance of its layers without RoPE.
THETA, SMOLLM3_THETA, INTERVAL = 10_000.0, 2_000_000.0, 4
#: What files of Phi-3 have called LongRoPE.
LONGROPE = ("longrope", "su", "yarn")
FUSED = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj",
         "up_proj": "gate_up_proj"}  # fmt: skip

LAYER = {**common.GGUF_LAYER, "post_attention_layernorm": "ffn_norm"}
QWEN3_LAYER = {**LAYER, "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"}
PHI3_LAYER = {**LAYER, "self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"}

LLAMA_DEFAULTS: dict[str, Any] = {
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "rope_theta": THETA,
}  # fmt: skip
MISTRAL_DEFAULTS = {
    **LLAMA_DEFAULTS, "intermediate_size": 14_336, "num_key_value_heads": 8, "max_position_embeddings": 131_072,
    "sliding_window": 4096,
}  # fmt: skip
QWEN2_DEFAULTS = {
    **LLAMA_DEFAULTS, "vocab_size": 151_936, "intermediate_size": 22_016, "num_key_value_heads": 32,
    "max_position_embeddings": 32_768, "use_sliding_window": False, "sliding_window": 4096, "max_window_layers": 28,
}  # fmt: skip
PHI3_DEFAULTS = {
    **LLAMA_DEFAULTS, "vocab_size": 32_064, "hidden_size": 3072, "intermediate_size": 8192, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096, "original_max_position_embeddings": 4096,
}  # fmt: skip
SMOLLM3_DEFAULTS = {
    **LLAMA_DEFAULTS, "vocab_size": 128_256, "hidden_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 16,
    "num_key_value_heads": 4, "max_position_embeddings": 32_768, "tie_word_embeddings": True,
    "rope_theta": SMOLLM3_THETA, "use_sliding_window": False, "no_rope_layer_interval": INTERVAL,
}  # fmt: skip


def switched(fields: Fields, *names: str) -> frozenset[str]:
    """The roles with a bias by settings of `BIASES`."""
    return frozenset[str]().union(*(BIASES[name] for name in names if fields.flag(name)))


def every(interval: int, count: int) -> list[int]:
    """1 for each layer with RoPE: all but every `interval`-th."""
    return [int((i + 1) % interval != 0) for i in range(count)]


def decoder(
    fields: Fields,
    biases: frozenset[str] = frozenset(),
    rotary: Callable[[Fields, int], rope.Rotary] = rope.of_config,
    act: str = "hidden_act",
) -> Decoder:
    """A decoder of equal layers. `rotary` : settings, neurons of a head -> its frequencies; `act` : name of a setting."""
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    kv_heads = fields.natural_or_null("num_key_value_heads") or heads
    common.check_heads(fields, heads, kv_heads)
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


def gguf_decoder(fields: Fields, store: WeightStore, theta: float = THETA, partial: bool = False) -> Decoder:
    """A decoder of equal layers whose biases are those that the file holds."""
    names = set(store.names())
    biased = {part.split(".")[1][0]: gguf for part, gguf in common.GGUF_LAYER.items() if part.startswith("self_attn")}
    biases = {role for role, part in biased.items() if f"blk.0.{part}.bias" in names}
    biases |= {role for role in MLP_BIAS if f"blk.0.ffn_{role}.bias" in names}

    def rotary(fields: Fields, head_dim: int) -> rope.Rotary:
        return rope.of_gguf(fields, store, common.gguf_rotated(fields, head_dim, partial), theta)

    return decoder(fields, frozenset(biases), rotary)


def _windowed(net: Decoder, windows: Sequence[int | None]) -> Decoder:
    """The network whose layers see as many tokens as `windows` says, one entry a layer; None is all of them."""
    layers = zip(net.layers, windows, strict=True)
    return replace(net, layers=tuple(replace(layer, window=window) for layer, window in layers))


def _switched_windows(fields: Fields, net: Decoder, usual: Callable[[int], bool]) -> Decoder:
    """Windows, where they are on, of the layers that `layer_types` names, or else of those that usually have one."""
    count = len(net.layers)
    kinds, window = fields.layer_types(count, (SLIDING, FULL)), fields.natural_or_null("sliding_window")
    if not fields.flag("use_sliding_window") or window is None:
        if kinds and SLIDING in kinds[:count]:
            raise fields.refuse("layer_types", "a layer has a window, and use_sliding_window or sliding_window is off")
        return net
    kinds = kinds or [SLIDING if usual(i) else FULL for i in range(count)]
    return _windowed(net, [window if kind == SLIDING else None for kind in kinds[:count]])


def _one_window(fields: Fields, net: Decoder) -> Decoder:
    return _windowed(net, [fields.natural_or_null("sliding_window")] * len(net.layers))


def _one_gguf_window(fields: Fields, net: Decoder) -> Decoder:
    """The window of all layers, where the file has one: Phi-3's do, Mistral's may."""
    return _windowed(net, [fields.natural("sliding_window", 0, least=0) or None] * len(net.layers))


def _last_windows(fields: Fields, net: Decoder) -> Decoder:
    first = fields.natural("max_window_layers", least=0)
    return _switched_windows(fields, net, lambda i: i >= first)


def _qwen3(fields: Fields) -> Decoder:
    net = decoder(fields, switched(fields, "attention_bias"))
    return replace(_last_windows(fields, net), weighted_qk_norm=True)


def _phi3(fields: Fields) -> Decoder:
    fields.ignore(("embd_pdrop", "resid_pdrop"))
    for name in ("full_attn_mod", "interpolate_factor"):  # Phi-4-mini's files have them, transformers does not
        fields.only(name, 1)
    return _one_window(fields, decoder(fields, rotary=_phi3_rotary))


def _phi3_rotary(fields: Fields, head_dim: int) -> rope.Rotary:
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


def _phi3_source(name: str, net: Decoder) -> Source:
    """A projection as rows of the fused matrix that holds it, under canonical names."""
    path, part, suffix = f".{name}".rsplit(".", 2)
    if part not in FUSED:
        return Source(name)
    q, kv, ffn = net.heads * net.head_dim, net.kv_heads * net.head_dim, net.layers[0].ffn
    rows = {"q_proj": (0, q), "k_proj": (q, q + kv), "v_proj": (q + kv, q + 2 * kv), "gate_proj": (0, ffn),
            "up_proj": (ffn, 2 * ffn)}  # fmt: skip
    return Source(f"{path.removeprefix('.')}.{FUSED[part]}.{suffix}", rows=rows[part])


def _smollm3(fields: Fields) -> Decoder:
    fields.ignore(("max_window_layers", "pretraining_tp"))  # its files have them, no code reads them
    net = decoder(fields, switched(fields, *BIASES))
    count, interval = len(net.layers), fields.natural("no_rope_layer_interval")
    turned = fields.naturals("no_rope_layers", count) or every(interval, count)
    return _without_rope(_switched_windows(fields, net, lambda i: not turned[i]), turned)


def _without_rope(net: Decoder, turned: list[int]) -> Decoder:
    """The network whose layers turn q and k only where `turned` has a number other than 0."""
    layers = zip(net.layers, turned, strict=False)  # a list may be longer than the model, as in transformers
    return replace(net, layers=tuple(layer if turn else replace(layer, inv_freq=None) for layer, turn in layers))


def _smollm3_gguf(fields: Fields, store: WeightStore) -> Decoder:
    net = gguf_decoder(fields, store, SMOLLM3_THETA)
    return _without_rope(net, every(INTERVAL, len(net.layers)))


FAMILIES = {
    family.name: family
    for family in (
        common.Family(
            "llama", lambda fields: decoder(fields, switched(fields, *BIASES)), LLAMA_DEFAULTS,
            gguf=lambda fields, store: _one_gguf_window(fields, gguf_decoder(fields, store)),
            gguf_source=common.gguf_source(LAYER, interleaved=True),
        ),
        common.Family("mistral", lambda fields: _one_window(fields, decoder(fields)), MISTRAL_DEFAULTS),
        common.Family(
            "qwen2", lambda fields: _last_windows(fields, decoder(fields, frozenset("qkv"))), QWEN2_DEFAULTS,
            gguf=gguf_decoder, gguf_source=common.gguf_source(LAYER),
        ),
        common.Family(
            "qwen3", _qwen3, {**QWEN2_DEFAULTS, "head_dim": 128},
            gguf=lambda fields, store: replace(gguf_decoder(fields, store), weighted_qk_norm=True),
            gguf_source=common.gguf_source(QWEN3_LAYER),
        ),
        common.Family(
            "phi3", _phi3, PHI3_DEFAULTS, _phi3_source,
            lambda fields, store: _one_gguf_window(fields, gguf_decoder(fields, store, partial=True)),
            common.gguf_source(PHI3_LAYER, _phi3_source),
        ),
        common.Family(
            "smollm3", _smollm3, SMOLLM3_DEFAULTS, gguf=_smollm3_gguf,
            gguf_source=common.gguf_source(LAYER, interleaved=True),
        ),
    )
}  # fmt: skip
