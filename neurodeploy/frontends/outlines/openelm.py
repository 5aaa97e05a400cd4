"""OpenELM (apple/OpenELM, class OpenELMConfig): every layer has its own number of heads and its own feed-forward width.

The width of layer i is ``divisible(ffn_multipliers[i] model_dim, ffn_dim_divisor)``: the nearest multiple of the divisor,
the next one where that lost more than a tenth.
"""

from __future__ import annotations

import math

from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.fields import MOST_LAYERS
from neurodeploy.frontends.outlines.draw import Sketch
from neurodeploy.frontends.outlines.layers import Attention, Feed, LayerShape, decoder
from neurodeploy.frontends.outlines.settings import WIDEST, Settings

ALIASES = {
    "model_dim": "hidden_size", "num_transformer_layers": "num_hidden_layers", "num_query_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads", "max_context_length": "max_position_embeddings",
    "share_input_output_layers": "tie_word_embeddings",
}  # fmt: skip
DEFAULTS = {
    "max_position_embeddings": 2048, "tie_word_embeddings": True, "vocab_size": 32_000, "head_dim": 128,
    "ffn_dim_divisor": 256, "ffn_with_glu": True, "normalize_qk_projections": False,
}  # fmt: skip


def openelm(fields: Settings) -> Sketch:
    hidden, dim = fields.natural("hidden_size"), fields.natural("head_dim")
    count = fields.natural("num_hidden_layers", most=MOST_LAYERS)
    heads, keys = (fields.for_layers(name, count) for name in ("num_attention_heads", "num_key_value_heads"))
    fields.ignore(
        ("num_gqa_groups", "qkv_multipliers", "rope_freq_constant", "rope_max_length")
    )  # heads are given above
    gated, kind = fields.flag("ffn_with_glu"), "head" if fields.flag("normalize_qk_projections") else ""
    layers = []
    for n, k, width in zip(heads, keys, _widths(fields, hidden, count), strict=True):
        common.check_heads(fields, n, k)
        layers.append(LayerShape(Attention(n, k, dim, qk_norm=kind), Feed(width, gated)))
    positions, tied = fields.natural("max_position_embeddings"), fields.flag("tie_word_embeddings")
    return decoder(hidden, fields.natural("vocab_size"), tied, positions, layers, outside=hidden)


def _widths(fields: Settings, hidden: int, count: int) -> list[int]:
    given, divisor = fields.get("ffn_multipliers"), fields.natural("ffn_dim_divisor", most=WIDEST)
    found = given if isinstance(given, list) else [given] * count
    if len(found) != count or not all(type(x) in (int, float) and math.isfinite(x) and 0 < x <= 64 for x in found):
        raise fields.refuse("ffn_multipliers", f"a number above 0 and up to 64, or {count} of them, is needed")
    return [_divisible(multiplier * hidden, divisor) for multiplier in found]


def _divisible(value: float, divisor: int) -> int:
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest
