"""Gemma 3n, text: Gemma's layers with several residual streams (AltUp), a low-rank path beside attention (LAuReL) and an
embedding for each layer. Names and defaults are those of transformers' ``Gemma3nTextConfig``.

The streams are mixed on the host. What stands outside of layers (embeddings of layers and their projection, the
matrices that make and join the streams) is counted and left on the host.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

from neurodeploy.frontends.families.fields import MOST_LAYERS
from neurodeploy.frontends.outlines.draw import Drawing, Sketch
from neurodeploy.frontends.outlines.layers import Attention, Feed
from neurodeploy.frontends.outlines.settings import Settings

SLIDING, FULL = "sliding_attention", "full_attention"
#: Every `PATTERN`-th layer sees everything.
PATTERN = 5
DEFAULTS: dict[str, Any] = {
    "vocab_size": 262_400, "hidden_size": 2048, "intermediate_size": 16_384, "num_hidden_layers": 35,
    "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256, "max_position_embeddings": 32_768,
    "tie_word_embeddings": True, "attention_bias": False, "sliding_window": 512, "vocab_size_per_layer_input": 262_144,
    "hidden_size_per_layer_input": 256, "altup_num_inputs": 4, "num_kv_shared_layers": 15, "laurel_rank": 64,
}  # fmt: skip

#: A layer: its attention, whether it takes keys and values of an earlier one, the feed-forward width.
Kind = tuple[Attention, bool, int]


def gemma3n(fields: Settings) -> Sketch:
    hidden, count = fields.natural("hidden_size"), fields.natural("num_hidden_layers", most=MOST_LAYERS)
    heads, kv_heads, dim = (fields.natural(n) for n in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    widths, window = fields.for_layers("intermediate_size", count), fields.natural("sliding_window")
    kinds = fields.layer_types(count, (SLIDING, FULL)) or [
        FULL if (i + 1) % PATTERN == 0 else SLIDING for i in range(count)
    ]
    shared = fields.natural("num_kv_shared_layers", least=0, most=count)
    biases = frozenset("qkvo") if fields.flag("attention_bias") else frozenset[str]()
    streams, rank = fields.natural("altup_num_inputs"), fields.natural("laurel_rank")
    own, words = fields.natural("hidden_size_per_layer_input"), fields.natural("vocab_size_per_layer_input")

    def draw(g: Drawing, kind: Kind, h: str) -> str:
        attention, takes, width = kind
        # a router of norm and `streams` rows, coefficients of prediction and of correction, a scale of the output
        small = hidden + streams * hidden + streams**3 + streams**2 + hidden
        flops, moved = 4 * streams**2 * hidden, 16 * streams * hidden
        x = g.extra("altup", "mix of streams", (h,), hidden, flops, moved, parameters=small)
        normed = g.norm("input_layernorm", x)
        low = g.linear("laurel.left_proj", normed, rank, "gate")
        beside = g.linear("laurel.right_proj", low, hidden, "down")
        beside = g.add("laurel_residual", normed, g.norm("laurel_norm", beside))
        y = attention.draw(g, normed, takes=takes)
        y = g.norm("post_attention_layernorm", y)
        y = g.add("attention_residual", g.add("attention_sum", x, y), beside)
        z = g.norm("pre_feedforward_layernorm", y)
        z = g.norm("post_feedforward_layernorm", Feed(width).draw(g, z))
        y = g.add("ffn_residual", y, z)
        gate = g.linear("per_layer_input_gate", y, own, "gate")
        gate = g.host("per_layer_glu", "glu", (gate, gate), own, {"act": "silu"})
        z = g.linear("per_layer_projection", gate, hidden, "down")
        return g.add("per_layer_residual", y, g.norm("per_layer_norm", z))

    layers: tuple[Hashable, ...] = tuple(
        (
            Attention(heads, kv_heads, dim, window if kinds[i] == SLIDING else None, qk_norm="head", biases=biases),
            i >= count - shared,
            widths[i],
        )
        for i in range(count)
    )
    each = count * own
    table, matrices = words * each, each * hidden + 2 * (streams - 1) * hidden**2
    names = {
        k: f"{'window' if k[0].window else 'full'}{', keys of an earlier layer' if k[1] else ''}, {k[2]} wide"
        for k in cast(tuple[Kind, ...], layers)
    }
    return Sketch(
        hidden, fields.natural("vocab_size"), fields.flag("tie_word_embeddings"),
        fields.natural("max_position_embeddings"), layers, draw, cast(dict[Hashable, str], names),
        outside=table + matrices + own + hidden,
        notes=(
            f"the embeddings of layers ({table} weights) and {matrices} weights that make and join the streams are counted "
            "and left on the host",
        ),
    )  # fmt: skip
