"""Layers of decoders as shapes, and how they are drawn: attention, feed-forward parts, experts, the norms around them.

`decoder` makes the `Sketch` of a whole one. Every parameter is drawn, norms and biases too, so that a model's count is that
of its checkpoint. Shapes only: what changes arithmetic and no shape (rotary scaling, soft caps, multipliers) is not here.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from neurodeploy.frontends.families.decoder import PRE_NORM, SANDWICH
from neurodeploy.frontends.outlines.draw import Drawing, Sketch
from neurodeploy.ir.graph import Attr


class Mixer(Protocol):
    """What mixes the tokens of a layer. seen : what of them, in the name of the layer."""

    @property
    def seen(self) -> str: ...

    def draw(self, g: Drawing, x: str, style: str, /) -> str:
        """From the normalised stream to what is added to it; `style` is that of the norms."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Softmax attention.

    qk_norm : "" none, "head" one of `dim` weights for all heads, "each" one for every head, "full" over all heads together.
    biases : the roles of q, k, v, o whose projections have one. sinks : a learnt score for each head.
    normed : q and k are normalised without weights after RoPE. temperature : a factor on q, by its scale and floor.
    turns : attributes of RoPE where they are known, which say what layers share.
    """

    heads: int
    kv_heads: int
    dim: int
    window: int | None = None
    chunk: int | None = None
    rotary: bool = True
    qk_norm: str = ""
    biases: frozenset[str] = frozenset()
    sinks: bool = False
    normed: bool = False
    temperature: tuple[float, float] | None = None
    turns: tuple[tuple[str, Attr], ...] = ()
    path: str = "self_attn"

    @property
    def seen(self) -> str:
        return "window" if self.window else "chunked" if self.chunk else "full"

    def draw(self, g: Drawing, x: str, style: str = "rms", takes: bool = False) -> str:
        """q, k, v, softmax attention on the host, o, as `families.decoder` draws it.

        takes : keys and values are an earlier layer's.
        """
        path = self.path
        rows = {"q": self.heads} if takes else {"q": self.heads, "k": self.kv_heads, "v": self.kv_heads}
        wires = {
            role: g.linear(f"{path}.{role}_proj", x, n * self.dim, role, heads=n, bias=role in self.biases)
            for role, n in rows.items()
        }
        for role in ("q",) if takes else ("q", "k"):
            wire, norm = wires[role], f"{path}.{role}_norm"
            if self.qk_norm == "each":  # one norm of its own for every head
                wire = g.norm(norm, wire, "layer", parameters=rows[role] * self.dim)
            elif self.qk_norm:
                wire = g.norm(norm, wire, style, self.dim if self.qk_norm == "head" else 0)
            if self.rotary:
                wire = rope(g, f"{path}.{role}_rope", wire, rows[role], self.dim, self.turns)
            if self.normed:
                wire = g.norm(f"{path}.{role}_l2norm", wire, group=self.dim, parameters=0)
            if self.temperature and role == "q":
                scale, floor = self.temperature
                attrs: dict[str, Attr] = {"scale": scale, "floor_scale": floor}
                wire = g.host(f"{path}.q_temperature", "temperature", (wire,), g.sizes[wire], attrs)
            wires[role] = wire
        g.count(path, self.heads if self.sinks else 0)
        mixed = self.mixed(g, f"{path}.attention", list(wires.values()), self.heads * self.dim)
        return g.linear(f"{path}.o_proj", mixed, g.hidden, "o", bias="o" in self.biases)

    def mixed(self, g: Drawing, path: str, wires: Sequence[str], context: int) -> str:
        """The host's part."""
        attrs: dict[str, Attr] = {
            "heads": self.heads, "kv_heads": self.kv_heads, "head_dim": self.dim, "scale": 1.0, "window": self.window,
            "chunk": self.chunk,
        }  # fmt: skip
        return g.host(path, "attention", wires, context, attrs, weighted=False)


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
    seen: ClassVar[str] = "full"

    def draw(self, g: Drawing, x: str, style: str) -> str:
        """The projections as the checkpoint has them; attention on the host over keys and values made from the latent."""
        path, dim = "self_attn", self.nope + self.rope
        if self.q_rank:
            low = g.linear(f"{path}.q_a_proj", x, self.q_rank, "q", bias="q_a" in self.biases)
            low = g.norm(f"{path}.q_a_layernorm", low, style)
            q = g.linear(f"{path}.q_b_proj", low, self.heads * dim, "q", heads=self.heads)
        else:
            q = g.linear(f"{path}.q_proj", x, self.heads * dim, "q", heads=self.heads)
        shared = g.linear(f"{path}.kv_a_proj", x, self.kv_rank + self.rope, "k", bias="kv_a" in self.biases)
        low = g.extra(f"{path}.kv_latent", "slice", (shared,), self.kv_rank, 0, 8 * self.kv_rank)
        low = g.norm(f"{path}.kv_a_layernorm", low, style)
        kv = g.linear(f"{path}.kv_b_proj", low, self.heads * (self.nope + self.value), "v", heads=self.heads)
        for role, wire, count in (("q", q, self.heads), ("k", shared, 1)):
            rope(g, f"{path}.{role}_rope", wire, count, self.rope)
        whole = Attention(self.heads, self.heads, dim)
        mixed = whole.mixed(g, f"{path}.attention", (q, shared, kv), self.heads * self.value)
        return g.linear(f"{path}.o_proj", mixed, g.hidden, "o", bias="o" in self.biases)


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed-forward part: dense, or `experts` of `width` of which a token meets `chosen`, and a shared one beside them.

    biases : roles out of router, gate, up, down that have one; shared_biases : of the shared expert.
    shared_gate : the shared expert is weighed by a projection to one neuron. act : of the gate. path : its name.
    """

    width: int
    gated: bool = True
    experts: int = 0
    chosen: int = 0
    shared: int = 0
    shared_gate: bool = False
    biases: frozenset[str] = frozenset()
    shared_biases: frozenset[str] = frozenset()
    act: str = "silu"
    path: str = "mlp"

    def draw(self, g: Drawing, x: str) -> str:
        """The whole feed-forward part, a router and experts where it has them."""
        path = self.path
        if not self.experts:
            return self.expert(g, path, x)
        logits = g.linear(f"{path}.router", x, self.experts, "router", bias="router" in self.biases)
        routing = g.host(f"{path}.route", "moe_route", (logits,), self.experts, {"top_k": self.chosen})
        inside = g.value(f"{path}.experts.0.input", g.hidden)
        g.host(f"{path}.dispatch", "moe_dispatch", (x, routing), g.hidden, outputs=(inside,))
        part = self.expert(g, f"{path}.experts.0", inside)
        chosen = g.host(f"{path}.combine", "moe_combine", (routing, part), g.hidden)
        if not self.shared:
            return chosen
        shared = replace(self, width=self.shared, biases=self.shared_biases).expert(g, f"{path}.shared_expert", x)
        if self.shared_gate:
            g.linear(f"{path}.shared_expert_gate", x, 1, "gate")
        return g.add(f"{path}.experts_sum", shared, chosen)

    def expert(self, g: Drawing, path: str, x: str) -> str:
        """Gate and up read one population, their product feeds down; without a gate, up and an activation."""

        def linear(role: str, x: str, rows: int) -> str:
            return g.linear(f"{path}.{role}_proj", x, rows, role, bias=role in self.biases)

        if self.gated:
            wires = [linear(role, x, self.width) for role in ("gate", "up")]
            product = g.host(f"{path}.glu", "glu", wires, self.width, {"act": self.act})
        else:
            product = g.activation(f"{path}.act", linear("up", x, self.width))
        return linear("down", product, g.hidden)


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What may differ between layers."""

    attention: Mixer
    feed: Feed

    @property
    def name(self) -> str:
        return f"{self.attention.seen}, {self.feed.experts} experts" if self.feed.experts else self.attention.seen


def decoder(
    hidden: int, vocab: int, tied: bool, max_positions: int, layers: Sequence[LayerShape], norm: str = "rms",
    norms: str = "pre", **more: Any,
) -> Sketch:  # fmt: skip
    """A decoder of these layers.

    norm : a key of `draw.NORMS`. norms : "pre" before attention and feed-forward, "post" after each, "sandwich" both,
        "parallel" one before both, which then read the same population.
    more : further fields of `Sketch`.
    """
    kinds, names = tuple(dict.fromkeys(layers)), dict[Hashable, str]()
    for kind in kinds if len(kinds) > 1 else ():
        taken = kind.name in names.values()
        names[kind] = f"{kind.name} ({len(names)})" if taken else kind.name
    experts: dict[Hashable, tuple[int, int]] = {k: (k.feed.experts, k.feed.chosen) for k in kinds if k.feed.experts}

    def draw(g: Drawing, layer: LayerShape, h: str) -> str:
        before, after = norms != "post", norms in ("post", "sandwich")
        x = g.norm("input_layernorm", h, norm) if before else h
        mixed = layer.attention.draw(g, x, norm)
        if after:
            mixed = g.norm("post_attention_layernorm", mixed, norm)
        first = g.add("attention_residual", h, mixed)
        if before and norms != "parallel":
            x = g.norm(SANDWICH if after else PRE_NORM, first, norm)
        elif not before:
            x = first
        fed = layer.feed.draw(g, x)
        if after:
            fed = g.norm("post_feedforward_layernorm", fed, norm)
        return g.add("ffn_residual", first, fed)

    return Sketch(hidden, vocab, tied, max_positions, tuple(layers), draw, names, experts, **more)


def rope(g: Drawing, path: str, x: str, heads: int, dim: int, turns: Sequence[tuple[str, Attr]] = ()) -> str:
    attrs: dict[str, Attr] = {"head_dim": dim, "inv_freq": (1.0,) * (dim // 2), "style": "half", **dict(turns)}
    return g.host(path, "rope", (x,), heads * dim, attrs)
