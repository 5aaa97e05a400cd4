"""Layers of decoders as shapes, and how they are drawn: attention, feed-forward parts, experts, the norms around them.

A `Stack` is a whole decoder; `sketch` draws one layer of each kind with `families.decoder.Built`, the operations that the
converter makes. Every parameter is drawn, norms and biases too, so that a model's count is that of its checkpoint. Shapes
only: what changes arithmetic and no shape (rotary scaling, soft caps, multipliers) is not here.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

from neurodeploy.frontends.families.decoder import Built
from neurodeploy.frontends.outlines.draw import Sketch, activation, extra, layernorm
from neurodeploy.ir.graph import Attr, Population

#: Parameters of a norm for each value that it scales; "rms" has a kernel here, the others are counted as LayerNorm.
NORMS = {"rms": 1, "layer": 2, "scale": 1, "bare": 0}


@dataclass(frozen=True, slots=True)
class Attention:
    """Softmax attention.

    qk_norm : "" none, "head" one of `dim` weights for all heads, "each" one for every head, "full" over all heads together.
    biases : the roles of q, k, v, o whose projections have one. sinks : a learnt score for each head.
    """

    heads: int
    kv_heads: int
    dim: int
    window: int | None = None
    rotary: bool = True
    qk_norm: str = ""
    biases: frozenset[str] = frozenset()
    sinks: bool = False


@dataclass(frozen=True, slots=True)
class Latent:
    """DeepSeek's multi-head latent attention: q through `q_rank` (0: directly), k and v together through `kv_rank`.

    A head's q and k have `nope` + `rope` neurons, its v `value`; the rotated part of k is one for all heads.
    """

    heads: int
    q_rank: int
    kv_rank: int
    nope: int
    rope: int
    value: int
    biases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed-forward part: dense, or `experts` of `width` of which a token meets `chosen`, and a shared one beside them.

    biases : roles out of router, gate, up, down that have one; shared_biases : of the shared expert.
    shared_gate : the shared expert is weighed by a projection to one neuron.
    """

    width: int
    gated: bool = True
    experts: int = 0
    chosen: int = 0
    shared: int = 0
    shared_gate: bool = False
    biases: frozenset[str] = frozenset()
    shared_biases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What may differ between layers."""

    attention: Attention | Latent
    feed: Feed

    @property
    def name(self) -> str:
        window = isinstance(self.attention, Attention) and self.attention.window
        seen = "window" if window else "full"
        return f"{seen}, {self.feed.experts} experts" if self.feed.experts else seen


@dataclass(frozen=True, slots=True)
class Stack:
    """A decoder.

    norm : a key of `NORMS`. norms : "pre" before attention and feed-forward, "post" after each, "sandwich" both,
        "parallel" one before both, which then read the same population.
    positions : rows of a learnt table of positions. width : columns of the embedding table where they are not `hidden`.
    outside : parameters beside layers, tables and head (last norm, bias of the head).
    """

    hidden: int
    vocab: int
    tied: bool
    max_positions: int
    layers: tuple[LayerShape, ...]
    norm: str = "rms"
    norms: str = "pre"
    positions: int = 0
    width: int = 0
    outside: int = 0
    notes: tuple[str, ...] = ()


def sketch(stack: Stack) -> Sketch:
    kinds = tuple(dict.fromkeys(stack.layers))
    names: dict[Hashable, str] = {}
    for kind in kinds if len(kinds) > 1 else ():
        taken = kind.name in names.values()
        names[kind] = f"{kind.name} ({len(names)})" if taken else kind.name
    experts: dict[Hashable, tuple[int, int]] = {k: (k.feed.experts, k.feed.chosen) for k in kinds if k.feed.experts}
    return Sketch(
        stack.hidden, stack.vocab, stack.tied, stack.max_positions, stack.layers,
        lambda g, kind, x: _layer(g, stack, cast(LayerShape, kind), x), names, experts, stack.positions, stack.width,
        stack.outside, notes=stack.notes,
    )  # fmt: skip


def _layer(g: Built, stack: Stack, layer: LayerShape, h: str) -> str:
    before, after = stack.norms != "post", stack.norms in ("post", "sandwich")
    x = norm(g, stack.norm, "layers.0.input_layernorm", h) if before else h
    mixed = _mix(g, stack.norm, layer.attention, x)
    if after:
        mixed = norm(g, stack.norm, "layers.0.post_attention_layernorm", mixed)
    first = add(g, "layers.0.attention_residual", h, mixed)
    if before and stack.norms != "parallel":
        x = norm(g, stack.norm, "layers.0.pre_feedforward_layernorm", first)
    elif not before:
        x = first
    fed = _feed(g, layer.feed, x)
    if after:
        fed = norm(g, stack.norm, "layers.0.post_feedforward_layernorm", fed)
    return add(g, "layers.0.ffn_residual", first, fed)


def norm(g: Built, style: str, path: str, x: str, group: int = 0) -> str:
    """A norm over `group` values, by default the whole population."""
    group = group or g.populations[x].size
    if style == "rms":
        return g.norm(path, x, 1e-6, group, 0)
    return centred(g, path, x, NORMS[style] * group)


def centred(g: Built, path: str, x: str, parameters: int) -> str:
    """A layer norm with so many parameters, whatever an ordinary one has."""
    done = layernorm(g, path, x)
    for name in [name for name in g.tensors if name.startswith(f"{path}.")]:
        del g.tensors[name]
    g.tensors[f"{path}.weight"] = (parameters,)
    return done


def _mix(g: Built, style: str, attention: Attention | Latent, x: str) -> str:
    if isinstance(attention, Latent):
        return _latent(g, style, attention, x)
    return attend(g, "layers.0.self_attn", x, attention, style)


def attend(g: Built, path: str, x: str, a: Attention, style: str = "rms", takes: bool = False) -> str:
    """q, k, v, softmax attention on the host, o: as `families.decoder` draws it.

    takes : keys and values are an earlier layer's.
    """
    hidden = g.populations["h"].size
    rows = {"q": a.heads} if takes else {"q": a.heads, "k": a.kv_heads, "v": a.kv_heads}
    wires = {
        role: g.projection(f"{path}.{role}_proj", x, n * a.dim, role, 0, heads=n, bias=role in a.biases)
        for role, n in rows.items()
    }
    for role in ("q",) if takes else ("q", "k"):
        if a.qk_norm:
            wires[role] = _qk_norm(g, f"{path}.{role}_norm", wires[role], a, rows[role], style)
        if a.rotary:
            attrs: dict[str, Attr] = {"head_dim": a.dim, "inv_freq": (), "style": "half"}
            wires[role] = g.host(f"{path}.{role}_rope", "rope", (wires[role],), rows[role] * a.dim, attrs, layer=0)
    if a.sinks:
        g.tensors[f"{path}.sinks"] = (a.heads,)
    return _attention(
        g, path, tuple(wires.values()), hidden, a.heads, a.kv_heads, a.dim, a.heads * a.dim, a.window, "o" in a.biases
    )


def _qk_norm(g: Built, path: str, x: str, a: Attention, heads: int, style: str) -> str:
    if a.qk_norm == "each":  # one norm of its own for every head
        return centred(g, path, x, heads * a.dim)
    return norm(g, style, path, x, a.dim if a.qk_norm == "head" else 0)


def _attention(
    g: Built, path: str, wires: tuple[str, ...], hidden: int, heads: int, kv_heads: int, dim: int, context: int,
    window: int | None, bias: bool,
) -> str:  # fmt: skip
    attrs: dict[str, Attr] = {
        "heads": heads, "kv_heads": kv_heads, "head_dim": dim, "scale": 1.0, "window": window, "chunk": None
    }  # fmt: skip
    mixed = g.host(f"{path}.attention", "attention", wires, context, attrs, layer=0)
    return g.projection(f"{path}.o_proj", mixed, hidden, "o", 0, bias=bias)


def _latent(g: Built, style: str, a: Latent, x: str) -> str:
    """The projections as the checkpoint has them; attention on the host over keys and values made from the latent."""
    path, dim = "layers.0.self_attn", a.nope + a.rope
    hidden = g.populations["h"].size
    if a.q_rank:
        low = g.projection(f"{path}.q_a_proj", x, a.q_rank, "q", 0, bias="q_a" in a.biases)
        low = norm(g, style, f"{path}.q_a_layernorm", low)
        q = g.projection(f"{path}.q_b_proj", low, a.heads * dim, "q", 0, heads=a.heads)
    else:
        q = g.projection(f"{path}.q_proj", x, a.heads * dim, "q", 0, heads=a.heads)
    shared = g.projection(f"{path}.kv_a_proj", x, a.kv_rank + a.rope, "k", 0, bias="kv_a" in a.biases)
    latent = extra(g, f"{path}.kv_latent", "slice", (shared,), a.kv_rank, 0, 8 * a.kv_rank)
    latent = norm(g, style, f"{path}.kv_a_layernorm", latent)
    kv = g.projection(f"{path}.kv_b_proj", latent, a.heads * (a.nope + a.value), "v", 0, heads=a.heads)
    for role, wire, count in (("q", q, a.heads), ("k", shared, 1)):
        attrs: dict[str, Attr] = {"head_dim": a.rope, "inv_freq": (), "style": "half"}
        g.host(f"{path}.{role}_rope", "rope", (wire,), count * a.rope, attrs, layer=0)
    wires = (q, shared, kv)
    return _attention(g, path, wires, hidden, a.heads, a.heads, dim, a.heads * a.value, None, "o" in a.biases)


def add(g: Built, path: str, a: str, b: str) -> str:
    return g.host(path, "add", (a, b), g.populations[a].size, layer=0)


def gated(g: Built, path: str, x: str, feed: Feed, expert: int | None = None) -> str:
    """Gate and up read one population, their product feeds down; without a gate, up and an activation."""
    hidden, width = g.populations["h"].size, feed.width
    if feed.gated:
        gate = g.projection(f"{path}.gate_proj", x, width, "gate", 0, expert, bias="gate" in feed.biases)
    up = g.projection(f"{path}.up_proj", x, width, "up", 0, expert, bias="up" in feed.biases)
    if feed.gated:
        up = g.host(f"{path}.glu", "glu", (gate, up), width, {"act": "silu"}, layer=0)
    else:
        up = activation(g, f"{path}.act", up)
    return g.projection(f"{path}.down_proj", up, hidden, "down", 0, expert, bias="down" in feed.biases)


def _feed(g: Built, feed: Feed, x: str) -> str:
    if not feed.experts:
        return gated(g, "layers.0.mlp", x, feed)
    path, hidden = "layers.0.mlp", g.populations["h"].size
    logits = g.projection(f"{path}.router", x, feed.experts, "router", 0, bias="router" in feed.biases)
    routing = g.host(f"{path}.route", "moe_route", (logits,), feed.experts, {"top_k": feed.chosen}, layer=0)
    inside = f"{path}.experts.0.input"
    g.populations[inside] = Population(inside, hidden)
    g.host(f"{path}.dispatch", "moe_dispatch", (x, routing), hidden, layer=0, outputs=(inside,))
    part = gated(g, f"{path}.experts.0", inside, feed, 0)
    chosen = g.host(f"{path}.combine", "moe_combine", (routing, part), hidden, layer=0)
    if not feed.shared:
        return chosen
    shared = gated(g, f"{path}.shared_expert", x, Feed(feed.shared, feed.gated, biases=feed.shared_biases))
    if feed.shared_gate:
        g.projection(f"{path}.shared_expert_gate", x, 1, "gate", 0)
    return add(g, f"{path}.experts_sum", shared, chosen)
