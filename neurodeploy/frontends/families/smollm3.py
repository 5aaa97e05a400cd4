"""SmolLM3: Llama's layer, every fourth without RoPE.

Authority: transformers' ``SmolLM3ForCausalLM``. `no_rope_layers` has a 1 for each layer *with* RoPE. Where a window is
on, it is that of the layers without RoPE, unless `layer_types` says otherwise. llama.cpp interleaves q and k rows and has
the fourth layer in its code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurodeploy.frontends.families import common, llama
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.families.qwen2 import FULL, SLIDING
from neurodeploy.ir.graph import WeightStore

#: RoPE base, and the distance of layers without RoPE, where nothing else is said.
THETA, INTERVAL = 2_000_000.0, 4

DEFAULTS: dict[str, Any] = {
    "vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 11_008, "num_hidden_layers": 36,
    "num_attention_heads": 16, "num_key_value_heads": 4, "hidden_act": "silu", "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False, "rope_theta": THETA,
    "use_sliding_window": False, "no_rope_layer_interval": INTERVAL,
}  # fmt: skip


def huggingface(fields: Fields) -> Decoder:
    fields.ignore(("max_window_layers", "pretraining_tp"))  # its files have them, no code reads them
    net = llama.decoder(fields, llama.switched_biases(fields))
    count, interval = len(net.layers), fields.natural("no_rope_layer_interval")
    turned = fields.naturals("no_rope_layers", count) or _every(interval, count)
    kinds = fields.layer_types("layer_types", count, (SLIDING, FULL))
    window = fields.natural_or_null("sliding_window")
    on = fields.flag("use_sliding_window") and window is not None
    if kinds and SLIDING in kinds[:count] and not on:
        raise fields.refuse("layer_types", "a layer has a window, and use_sliding_window or sliding_window is off")
    kinds = kinds or [FULL if turn or not on else SLIDING for turn in turned]
    windows = [window if kind == SLIDING else None for kind in kinds[:count]]
    return _without_rope(common.with_windows(net, windows), turned)


def _every(interval: int, count: int) -> list[int]:
    return [int((i + 1) % interval != 0) for i in range(count)]


def _without_rope(net: Decoder, turned: list[int]) -> Decoder:
    """The network whose layers turn q and k only where `turned` has a number other than 0."""
    layers = zip(net.layers, turned, strict=False)  # a list may be longer than the model, as in transformers
    return replace(net, layers=tuple(layer if turn else replace(layer, inv_freq=None) for layer, turn in layers))


def gguf(fields: Fields, store: WeightStore) -> Decoder:
    net = llama.gguf_decoder(fields, store, THETA)
    return _without_rope(net, _every(INTERVAL, len(net.layers)))


FAMILY = common.Family("smollm3", huggingface, DEFAULTS, llama.huggingface_source, gguf, llama.interleaved_source)
