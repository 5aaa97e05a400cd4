"""Decoders without gates: GPT-2, OPT, GPT-NeoX (Pythia), Falcon 7B, Phi. LayerNorm, attention, two projections.

Names of the settings are those of transformers' configuration classes. GPT-2 and OPT learn a table of positions.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.decoder import Built
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.outlines.draw import Sketch, activation, layernorm
from neurodeploy.ir.graph import Attr


@dataclass(frozen=True, slots=True)
class Plain:
    """Names of a family's settings, and what its layers have.

    ffn : setting of the feed-forward width; where it is not set the width is 4 x hidden.
    offset : rows of the table of positions beyond the number of positions, None without a table.
    rotary : keys and queries are rotated. grouped : keys and values may have fewer heads.
    """

    hidden: str = "hidden_size"
    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    ffn: str = "intermediate_size"
    positions: str = "max_position_embeddings"
    offset: int | None = None
    rotary: bool = True
    grouped: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)


TABLE: Mapping[str, Plain] = {
    "gpt2": Plain(
        "n_embd", "n_layer", "n_head", "n_inner", "n_positions", 0, False, False,
        {
            "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257,
            "tie_word_embeddings": True,
        },
    ),
    "opt": Plain(
        ffn="ffn_dim", offset=2, rotary=False,
        defaults={"max_position_embeddings": 2048, "vocab_size": 50272, "tie_word_embeddings": True},
    ),
    "gpt_neox": Plain(defaults={"max_position_embeddings": 2048, "tie_word_embeddings": False}),
    "falcon": Plain(
        ffn="ffn_hidden_size",
        defaults={"max_position_embeddings": 2048, "tie_word_embeddings": True, "multi_query": True},
    ),
    "phi": Plain(grouped=True, defaults={"max_position_embeddings": 2048, "tie_word_embeddings": False}),
}  # fmt: skip


def plain(kind: str, fields: Fields) -> Sketch:
    """A decoder of this table."""
    row = TABLE[kind]
    hidden, heads = fields.natural(row.hidden), fields.natural(row.heads)
    kv_heads = _kv_heads(fields, kind, heads)
    common.check_heads(fields, heads, kv_heads, "num_key_value_heads")
    if hidden % heads:
        raise fields.refuse(row.hidden, f"{heads} heads cannot be shared out over it")
    ffn, positions = fields.natural(row.ffn, 4 * hidden), fields.natural(row.positions)
    count = fields.natural(row.layers, most=MOST_LAYERS)
    width = fields.natural("word_embed_proj_dim", hidden) if kind == "opt" else hidden
    notes = () if width == hidden else (f"the projections between embeddings of {width} and {hidden} are left out",)

    def draw(g: Built, kind: Hashable, x: str) -> str:
        x = layernorm(g, "layers.0.ln_1", x)
        x = attend(g, "layers.0.attn", x, heads, kv_heads, hidden // heads, rotary=row.rotary)
        x = add(g, "layers.0.attention_residual", "h", x)
        y = layernorm(g, "layers.0.ln_2", x)
        y = g.projection("layers.0.mlp.up_proj", y, ffn, "up", 0)
        y = activation(g, "layers.0.mlp.act", y)
        y = g.projection("layers.0.mlp.down_proj", y, hidden, "down", 0)
        return add(g, "layers.0.ffn_residual", x, y)

    table = positions + row.offset if row.offset is not None else 0
    return Sketch(
        hidden, fields.natural("vocab_size"), fields.flag("tie_word_embeddings"), positions, ("layer",) * count, draw,
        positions=table, embedding_width=width, notes=notes,
    )  # fmt: skip


def _kv_heads(fields: Fields, kind: str, heads: int) -> int:
    if kind != "falcon":
        return fields.natural("num_key_value_heads", heads) if TABLE[kind].grouped else heads
    if fields.flag("new_decoder_architecture", False):
        return fields.natural("num_kv_heads", heads)
    return 1 if fields.flag("multi_query") else heads


def attend(
    g: Built, path: str, x: str, heads: int, kv_heads: int, dim: int, *, rotary: bool = True, window: int | None = None
) -> str:
    """q, k, v, softmax attention on the host, o: as `families.decoder` draws it."""
    hidden = g.populations["h"].size
    rows = {"q": heads, "k": kv_heads, "v": kv_heads}
    wires = {
        role: g.projection(f"{path}.{role}_proj", x, count * dim, role, 0, heads=count) for role, count in rows.items()
    }
    for role in ("q", "k") if rotary else ():
        attrs: dict[str, Attr] = {"head_dim": dim, "inv_freq": (), "style": "half"}
        wires[role] = g.host(f"{path}.{role}_rope", "rope", (wires[role],), rows[role] * dim, attrs, layer=0)
    attrs = {
        "heads": heads, "kv_heads": kv_heads, "head_dim": dim, "scale": 1.0, "window": window, "chunk": None
    }  # fmt: skip
    context = g.host(f"{path}.attention", "attention", tuple(wires.values()), heads * dim, attrs, layer=0)
    return g.projection(f"{path}.o_proj", context, hidden, "o", 0)


def add(g: Built, path: str, a: str, b: str) -> str:
    return g.host(path, "add", (a, b), g.populations[a].size, layer=0)


def gated(g: Built, path: str, x: str, ffn: int) -> str:
    """Gate and up read one population, their product feeds down."""
    hidden = g.populations["h"].size
    gate = g.projection(f"{path}.gate_proj", x, ffn, "gate", 0)
    up = g.projection(f"{path}.up_proj", x, ffn, "up", 0)
    product = g.host(f"{path}.glu", "glu", (gate, up), ffn, {"act": "silu"}, layer=0)
    return g.projection(f"{path}.down_proj", product, hidden, "down", 0)
