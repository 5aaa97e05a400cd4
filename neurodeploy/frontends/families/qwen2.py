"""Qwen2 and Qwen2.5: Llama's layer with biases on q, k and v; some sizes have a window in their last layers.

Authority: transformers' ``Qwen2ForCausalLM``. Where `use_sliding_window` is on, layers from `max_window_layers` on see
`sliding_window` tokens. llama.cpp leaves q and k as they are (NEOX pairs) and has no window for this family.
"""

from __future__ import annotations

from typing import Any

from neurodeploy.frontends.families import common, llama
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import Fields

SLIDING, FULL = "sliding_attention", "full_attention"
BIASES = frozenset("qkv")

DEFAULTS: dict[str, Any] = {
    "vocab_size": 151_936, "hidden_size": 4096, "intermediate_size": 22_016, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "hidden_act": "silu", "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": False, "rope_theta": 10_000.0, "use_sliding_window": False,
    "sliding_window": 4096, "max_window_layers": 28,
}  # fmt: skip


def huggingface(fields: Fields) -> Decoder:
    net = llama.decoder(fields, BIASES)
    return common.with_windows(net, windows(fields, len(net.layers)))


def windows(fields: Fields, count: int) -> list[int | None]:
    """The window of each layer, None where it sees everything."""
    kinds = fields.layer_types("layer_types", count, (SLIDING, FULL))
    first, window = fields.natural("max_window_layers", least=0), fields.natural_or_null("sliding_window")
    if not fields.flag("use_sliding_window") or window is None:
        if kinds and SLIDING in kinds[:count]:
            raise fields.refuse("layer_types", "a layer has a window, and use_sliding_window or sliding_window is off")
        return [None] * count
    kinds = kinds or [SLIDING if i >= first else FULL for i in range(count)]
    return [window if kind == SLIDING else None for kind in kinds[:count]]


FAMILY = common.Family("qwen2", huggingface, DEFAULTS, llama.huggingface_source, llama.gguf_decoder, llama.plain_source)
