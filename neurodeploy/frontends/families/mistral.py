"""Mistral, dense (7B, Nemo, Small in its text-only files): Llama's layer; the first version has a window in all layers.

Authority: transformers' ``MistralForCausalLM``. A `sliding_window` of null is no window, one that is left out is 4096.
llama.cpp has no architecture of this name: its files say "llama", with q and k rows interleaved and the window left out.
"""

from __future__ import annotations

from typing import Any

from neurodeploy.frontends.families import common, llama
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import Fields

DEFAULTS: dict[str, Any] = {
    "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_act": "silu", "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": False, "rope_theta": 10_000.0, "sliding_window": 4096,
}  # fmt: skip


def huggingface(fields: Fields) -> Decoder:
    net = llama.decoder(fields)
    return common.with_windows(net, [fields.natural_or_null("sliding_window")] * len(net.layers))


FAMILY = common.Family("mistral", huggingface, DEFAULTS, llama.huggingface_source)
