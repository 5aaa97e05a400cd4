"""Decoders from their settings: by a row of `rows.ROWS`, or as the converter reads them."""

from __future__ import annotations

from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.decoder import Decoder, Layer
from neurodeploy.frontends.families.fields import MOST_LAYERS
from neurodeploy.frontends.outlines.draw import NORMS, Sketch
from neurodeploy.frontends.outlines.layers import Attention, Feed, Latent, LayerShape, decoder
from neurodeploy.frontends.outlines.rows import ALWAYS, ALWAYS_BIAS, Row
from neurodeploy.frontends.outlines.settings import Settings
from neurodeploy.ir.graph import Attr

#: Kinds of attention, by transformers' names and by GPT-Neo's.
SLIDING, FULL = "sliding_attention", "full_attention"
WINDOWED, OPEN = (SLIDING, "local"), (FULL, "global")


def of_family(family: common.Family, fields: Settings) -> Sketch:
    """A family of the converter, through its own reading of the settings."""
    net = family.huggingface(fields)
    layers = [
        LayerShape(
            Attention(
                net.heads, net.kv_heads, net.head_dim, layer.window, layer.chunk, layer.inv_freq is not None,
                "head" if net.weighted_qk_norm else "", net.biases, normed=layer.norm_after_rope,
                temperature=layer.temperature, turns=_turns(net, layer),
            ),
            Feed(
                layer.ffn, net.gated, layer.experts, layer.top_k, layer.ffn if layer.experts else 0,
                biases=net.biases, shared_biases=net.biases, act=net.act, path=net.ffn_name,
            ),
        )
        for layer in net.layers
    ]  # fmt: skip
    norms = "sandwich" if net.sandwich else "pre"
    positions = fields.natural("max_position_embeddings")
    return decoder(net.hidden, net.vocab, net.tied, positions, layers, norms=norms, outside=net.hidden)


def _turns(net: Decoder, layer: Layer) -> tuple[tuple[str, Attr], ...]:
    if layer.inv_freq is None:
        return ()
    partly = () if net.rotated is None else (("rotated", net.rotated),)
    factor = () if layer.rope_factor == 1.0 else (("factor", layer.rope_factor),)
    return ("inv_freq", layer.inv_freq), ("style", net.rope_style), *partly, *factor


def of_row(row: Row, fields: Settings) -> Sketch:
    """A family by its row: every size that this names is read."""
    hidden, vocab = fields.natural("hidden_size"), fields.natural("vocab_size")
    count, positions = fields.natural("num_hidden_layers", most=MOST_LAYERS), fields.natural("max_position_embeddings")
    for name, value in row.only.items():
        fields.only(name, value)
    biases = frozenset().union(
        *(roles for flag, roles in row.biases.items() if flag == ALWAYS or fields.flag(flag, False))
    )
    mixers = _mixers(row, fields, hidden, count, biases)
    feeds = _feeds(row, fields, hidden, count, biases)
    norms = row.norms if isinstance(row.norms, str) else row.norms(fields)
    norm, final = _norm(row, fields)
    width = fields.natural(row.table_width, hidden) if row.table_width else hidden
    outside = (final + row.embedding_norm) * NORMS[norm] * hidden + (2 * hidden * width if width != hidden else 0)
    if row.head_bias and (row.head_bias == ALWAYS_BIAS or fields.flag(row.head_bias, False)):
        outside += vocab
    notes = [f"left out: {what}" for name, what in row.left_out.items() if fields.natural(name, 0, least=0)]
    if width != hidden:
        notes.append(f"the projections between embeddings of {width} and {hidden} are counted and left on the host")
    if any(isinstance(mixer, Latent) for mixer in mixers):
        notes.append("latent attention: the host's work and cache are those of keys and values made from the latent")
    return decoder(
        hidden, vocab, fields.flag("tie_word_embeddings"), positions, list(map(LayerShape, mixers, feeds)), norm, norms,
        positions=positions + row.offset if row.offset is not None else 0, width=width, outside=outside,
        notes=tuple(notes),
    )  # fmt: skip


def _norm(row: Row, fields: Settings) -> tuple[str, bool]:
    """The kind of norm, and whether one stands after the last layer."""
    affine = not row.affine or fields.flag(row.affine, True)
    final = [fields.flag(name, value) is value for name, value in row.final.items()]
    return row.norm if affine else "bare", all(final)


def _mixers(row: Row, fields: Settings, hidden: int, count: int, biases: frozenset[str]) -> list[Attention | Latent]:
    """The attention of each layer."""
    heads = fields.for_layers("num_attention_heads", count)
    latent = row.latent if row.latent is not None else fields.values.get("kv_lora_rank") is not None
    if latent:
        return list(_latent(fields, heads, biases))
    keys = heads
    if row.kv:
        keys = tuple(row.kv(fields, n) for n in heads)
    elif fields.values.get("num_key_value_heads") is not None:
        keys = fields.for_layers("num_key_value_heads", count)
    kind = _qk_norm(row, fields)
    found: list[Attention | Latent] = []
    for n, k, window in zip(heads, keys, _windows(row, fields, count), strict=True):
        common.check_heads(fields, n, k)
        if not row.head_dim and hidden % n:
            raise fields.refuse("hidden_size", f"{n} heads cannot be shared out over it")
        dim = fields.natural("head_dim", hidden // n) if row.head_dim else hidden // n
        found.append(Attention(
            n, k, dim, window, rotary=row.rotary, qk_norm=kind, biases=biases & frozenset("qkvo"), sinks=row.sinks
        ))  # fmt: skip
    return found


def _qk_norm(row: Row, fields: Settings) -> str:
    flag, asked, kind = row.qk_norm.partition("?")
    return flag if not asked else kind if fields.flag(flag, False) else ""


def _latent(fields: Settings, heads: tuple[int, ...], biases: frozenset[str]) -> list[Latent]:
    nope, rope = fields.natural("qk_nope_head_dim"), fields.natural("qk_rope_head_dim")
    rank = fields.natural("q_lora_rank", 0, least=0)
    fields.only("qk_head_dim", nope + rope)
    fields.ignore(("head_dim", "num_key_value_heads"))  # neither is read by its attention
    kv, value = fields.natural("kv_lora_rank"), fields.natural("v_head_dim")
    return [Latent(n, rank, kv, nope, rope, value, biases) for n in heads]


def _windows(row: Row, fields: Settings, count: int) -> list[int | None]:
    """The window of each layer, None where it sees everything."""
    window = fields.natural("sliding_window", 0, least=0)
    if fields.values.get("use_sliding_window") is False or not window:
        return [None] * count
    kinds = fields.layer_types(count, WINDOWED + OPEN)
    pattern = fields.natural(
        "sliding_window_pattern", fields.natural("_sliding_window_pattern", row.pattern, least=0), least=0
    )
    if kinds is None:
        kinds = [FULL if pattern and (i + 1) % pattern == 0 else SLIDING for i in range(count)]
    return [window if kind in WINDOWED else None for kind in kinds[:count]]


def _feeds(row: Row, fields: Settings, hidden: int, count: int, biases: frozenset[str]) -> list[Feed]:
    """The feed-forward part of each layer."""
    inside = biases & frozenset({"gate", "up", "down"})
    default = (4 * hidden,) if not row.gated else ()
    names, experts = row.experts, 0
    if names is not None:
        experts = fields.natural(names.count, 0, least=0, most=MOST_LAYERS)
    if names is None or not experts:
        return [
            Feed(width, row.gated, biases=inside) for width in fields.for_layers("intermediate_size", count, *default)
        ]
    chosen = fields.natural(names.chosen)
    if chosen > experts:
        raise fields.refuse(names.chosen, f"there are {experts} experts")
    width = names.width if fields.values.get(names.width) is not None else "intermediate_size"
    size, shared = fields.natural(width), 0
    if names.shared:
        shared = fields.natural(names.shared, 0, least=0)
    if names.shared_count:
        shared = shared or fields.natural(names.shared_count, 0, least=0) * size
    every = fields.natural(names.every, 1) if names.every else 1
    without = set(fields.naturals(names.dense, 0) or []) if names.dense else set()
    first = fields.natural(names.first, 0, least=0) if names.first else 0
    sparse = Feed(size, row.gated, experts, chosen, shared, names.gate and shared > 0, names.biases, inside)
    with_experts = [i >= first and (i + 1) % every == 0 and i not in without for i in range(count)]
    if all(with_experts):
        fields.ignore(("intermediate_size",))
        return [sparse] * count
    dense = fields.for_layers("intermediate_size", count)
    return [sparse if on else Feed(n, row.gated, biases=inside) for on, n in zip(with_experts, dense, strict=True)]
