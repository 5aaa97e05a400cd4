"""One decoder-only transformer as data, and the graph that it means. A family is a function from its settings to this.

A layer, with the parts that only some families have in brackets::

    x = norm(h);  q, k, v = W x
    [q, k = rmsnorm(q, k) with weights]  [q, k = rope(q, k)]  [q, k = rmsnorm(q, k) without]  [q = temperature(q)]
    h = h + [norm] W_o attention(q, k, v)
    x = norm(h);  h = h + [norm] ffn(x)

``ffn(x) = W_down (act(W_gate x) * W_up x)``, or ``W_down act(W_up x)`` without a gate, or with experts that of a shared
one plus those of the `top_k` chosen. `norm` is an RMS norm, or a layer norm with weights and biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurodeploy.ir.graph import Attr, HostOp, Op, Population, Projection
from neurodeploy.ops import OPERATIONS

#: Names of the two norms around the feed-forward part, without and with norms after the blocks.
PRE_NORM, SANDWICH = "post_attention_layernorm", "pre_feedforward_layernorm"


@dataclass(frozen=True, slots=True)
class Layer:
    """What may differ between layers.

    inv_freq : radians per token and pair, None for a layer without RoPE; rope_factor : of their cosine and sine
    window, chunk : bounds on what a query sees, in tokens
    norm_after_rope : q and k are normalised without weights after RoPE
    temperature : (scale, floor_scale) of the factor on q, or None
    score_factor : of the attention scores, beside the decoder's `attention_scale`
    ffn : neurons of the feed-forward part, or of each expert and the shared one
    experts, top_k : 0 for a dense layer
    """

    ffn: int
    inv_freq: tuple[float, ...] | None = None
    rope_factor: float = 1.0
    window: int | None = None
    chunk: int | None = None
    norm_after_rope: bool = False
    temperature: tuple[float, float] | None = None
    score_factor: float = 1.0
    experts: int = 0
    top_k: int = 0


@dataclass(frozen=True, slots=True)
class Decoder:
    """The whole network. `biases` are the roles whose projections have one; `ffn_name` is "mlp" or "feed_forward".

    norm : "rmsnorm" or "layernorm"; gated : the feed-forward part has a gate
    rotated : neurons of a head that RoPE turns, None for all of them
    positions : the longest text for which its positions are right, where that is not what the configuration says
    learnt_positions : a table of `positions` rows is added to the embeddings
    """

    vocab: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    act: str
    attention_scale: float
    layers: tuple[Layer, ...]
    tied: bool
    rope_style: str = "half"
    embed_scale: float = 1.0
    weighted_qk_norm: bool = False
    sandwich: bool = False
    biases: frozenset[str] = frozenset()
    ffn_name: str = "mlp"
    norm: str = "rmsnorm"
    gated: bool = True
    rotated: int | None = None
    positions: int | None = None
    learnt_positions: bool = False


@dataclass(slots=True, eq=False)
class Built:
    """Operations, populations, and the shape of every tensor that they need, by canonical name."""

    ops: list[Op] = field(default_factory=list)
    populations: dict[str, Population] = field(default_factory=dict)
    tensors: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def host(
        self, path: str, op: str, inputs: tuple[str, ...], size: int, attrs: Mapping[str, Attr] | None = None,
        weights: Mapping[str, str] | None = None, layer: int | None = None, outputs: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        """Add a host operation whose outputs (by default one, named like it) have `size` neurons; returns the first."""
        outputs = outputs or (path,)
        self.populations.update((name, Population(name, size)) for name in outputs)
        self.ops.append(HostOp(path, op, inputs, outputs, attrs or {}, weights or {}, layer))
        return outputs[0]

    def norm(
        self, path: str, x: str, eps: float, group: int, layer: int | None, weighted: bool = True, op: str = "rmsnorm"
    ) -> str:
        weights = {role: f"{path}.{role}" for role in (OPERATIONS[op].tensors if weighted else ())}
        self.tensors.update((name, (group,)) for name in weights.values())
        size = self.populations[x].size
        return self.host(path, op, (x,), size, {"eps": eps, "group": group}, weights, layer)

    def projection(
        self, path: str, x: str, size: int, role: str, layer: int | None = None, expert: int | None = None,
        heads: int = 0, bias: bool = False, weight: str = "", output: str = "",
    ) -> str:  # fmt: skip
        output, weight = output or path, weight or f"{path}.weight"
        fan_in = self.populations[x].size
        self.populations[output] = Population(output, size)
        self.tensors[weight] = (size, fan_in)
        offset = f"{path}.bias" if bias else None
        if offset:
            self.tensors[offset] = (size,)
        self.ops.append(Projection(path, x, output, fan_in, size, weight, offset, role, layer, expert, heads))
        return output


def build(net: Decoder) -> Built:
    """The operations of a decoder in order, from "tokens" to "logits"."""
    g = Built()
    g.populations["tokens"] = Population("tokens", 1)
    g.tensors["embed_tokens.weight"] = (net.vocab, net.hidden)
    table = {"weight": "embed_tokens.weight"}
    h = g.host("embed_tokens", "embedding", ("tokens",), net.hidden, {"scale": net.embed_scale}, table)
    if net.learnt_positions:
        learnt = {"weight": "embed_positions.weight"}
        g.tensors["embed_positions.weight"] = (net.positions or 0, net.hidden)
        h = g.host("embed_positions", "position_embedding", (h,), net.hidden, weights=learnt)

    def norm(path: str, x: str, layer: int | None) -> str:
        return g.norm(path, x, net.eps, net.hidden, layer, op=net.norm)

    for index, layer in enumerate(net.layers):
        path = f"layers.{index}"
        x = norm(f"{path}.input_layernorm", h, index)
        x = _attention(g, net, layer, index, x)
        if net.sandwich:
            x = norm(f"{path}.post_attention_layernorm", x, index)
        h = g.host(f"{path}.attention_residual", "add", (h, x), net.hidden, layer=index)
        x = norm(f"{path}.{SANDWICH if net.sandwich else PRE_NORM}", h, index)
        x = (_experts if layer.experts else _dense)(g, net, layer, index, x)
        if net.sandwich:
            x = norm(f"{path}.post_feedforward_layernorm", x, index)
        h = g.host(f"{path}.ffn_residual", "add", (h, x), net.hidden, layer=index)
    x = norm("norm", h, None)
    weight = "embed_tokens.weight" if net.tied else ""
    g.projection("lm_head", x, net.vocab, "lm_head", weight=weight, output="logits")
    return g


def _attention(g: Built, net: Decoder, layer: Layer, index: int, x: str) -> str:
    path = f"layers.{index}.self_attn"
    rows = {"q": net.heads, "k": net.kv_heads, "v": net.kv_heads}
    wires = {
        role: g.projection(
            f"{path}.{role}_proj", x, heads * net.head_dim, role, index, heads=heads, bias=role in net.biases
        )
        for role, heads in rows.items()
    }
    for role in ("q", "k"):
        wire, size = wires[role], rows[role] * net.head_dim
        if net.weighted_qk_norm:
            wire = g.norm(f"{path}.{role}_norm", wire, net.eps, net.head_dim, index)
        if layer.inv_freq is not None:
            attrs: dict[str, Attr] = {"head_dim": net.head_dim, "inv_freq": layer.inv_freq, "style": net.rope_style}
            if net.rotated is not None:
                attrs["rotated"] = net.rotated
            if layer.rope_factor != 1.0:
                attrs["factor"] = layer.rope_factor
            wire = g.host(f"{path}.{role}_rope", "rope", (wire,), size, attrs, layer=index)
        if layer.norm_after_rope:
            wire = g.norm(f"{path}.{role}_l2norm", wire, net.eps, net.head_dim, index, weighted=False)
        if layer.temperature is not None and role == "q":
            scale, floor = layer.temperature
            attrs = {"scale": scale, "floor_scale": floor}
            wire = g.host(f"{path}.q_temperature", "temperature", (wire,), size, attrs, layer=index)
        wires[role] = wire
    attrs = {
        "heads": net.heads, "kv_heads": net.kv_heads, "head_dim": net.head_dim,
        "scale": net.attention_scale * layer.score_factor, "window": layer.window, "chunk": layer.chunk,
    }  # fmt: skip
    size = net.heads * net.head_dim
    context = g.host(f"{path}.attention", "attention", tuple(wires.values()), size, attrs, layer=index)
    return g.projection(f"{path}.o_proj", context, net.hidden, "o", index, bias="o" in net.biases)


def _feed_forward(g: Built, net: Decoder, path: str, x: str, size: int, index: int, expert: int | None = None) -> str:
    """Gate, up, their product, down; without a gate up, activation, down."""
    act: dict[str, Attr] = {"act": net.act}
    if net.gated:
        gate = g.projection(f"{path}.gate_proj", x, size, "gate", index, expert, bias="gate" in net.biases)
    up = g.projection(f"{path}.up_proj", x, size, "up", index, expert, bias="up" in net.biases)
    if net.gated:
        product = g.host(f"{path}.glu", "glu", (gate, up), size, act, layer=index)
    else:
        product = g.host(f"{path}.act", "activation", (up,), size, act, layer=index)
    return g.projection(f"{path}.down_proj", product, net.hidden, "down", index, expert, bias="down" in net.biases)


def _dense(g: Built, net: Decoder, layer: Layer, index: int, x: str) -> str:
    return _feed_forward(g, net, f"layers.{index}.{net.ffn_name}", x, layer.ffn, index)


def _experts(g: Built, net: Decoder, layer: Layer, index: int, x: str) -> str:
    path = f"layers.{index}.{net.ffn_name}"
    logits = g.projection(f"{path}.router", x, layer.experts, "router", index)
    routing = g.host(f"{path}.route", "moe_route", (logits,), layer.experts, {"top_k": layer.top_k}, layer=index)
    inputs = tuple(f"{path}.experts.{e}.input" for e in range(layer.experts))
    g.host(f"{path}.dispatch", "moe_dispatch", (x, routing), net.hidden, layer=index, outputs=inputs)
    parts = [_feed_forward(g, net, f"{path}.experts.{e}", wire, layer.ffn, index, e) for e, wire in enumerate(inputs)]
    chosen = g.host(f"{path}.combine", "moe_combine", (routing, *parts), net.hidden, layer=index)
    shared = _feed_forward(g, net, f"{path}.shared_expert", x, layer.ffn, index)
    return g.host(f"{path}.experts_sum", "add", (shared, chosen), net.hidden, layer=index)
