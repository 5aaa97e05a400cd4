"""Decoders with gated feed-forward parts: the families of the converter through its own `Decoder`, and their relatives.

Relatives share Llama's layer; a row of `RELATIVES` says what differs. Shapes only: what changes arithmetic and no shape
(rotary scaling, biases, soft caps) does not matter here.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.decoder import Built, Decoder, Layer, build
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.outlines.draw import Sketch
from neurodeploy.ir.graph import HostOp, Population, Projection

LLAMA: dict[str, Any] = {
    "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relative:
    """How a family differs from Llama.

    defaults : settings that its config.json may leave out (transformers' defaults of that family).
    experts, chosen, width : names of the settings of its experts; "" without any.
    shared : name of the setting of the shared expert's width, "" without one.
    every : name of "every so many layers have experts", dense : of the list of layers that do not.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    qk_norm: bool = False
    sandwich: bool = False
    experts: str = ""
    chosen: str = ""
    width: str = "intermediate_size"
    shared: str = ""
    every: str = ""
    dense: str = ""


#: ``model_type`` -> what differs from Llama's layer.
RELATIVES: Mapping[str, Relative] = {
    "mistral": Relative({"num_key_value_heads": 8}),
    "qwen2": Relative(),
    "qwen3": Relative({"head_dim": 128}, qk_norm=True),
    "phi3": Relative(),
    "smollm3": Relative({"tie_word_embeddings": True, "num_key_value_heads": 4}),
    "granite": Relative(),
    "olmo2": Relative(qk_norm=True, sandwich=True),
    "gemma": Relative({"head_dim": 256, "tie_word_embeddings": True, "hidden_act": "gelu_pytorch_tanh"}),
    "gemma2": Relative(
        {"head_dim": 256, "tie_word_embeddings": True, "hidden_act": "gelu_pytorch_tanh"}, sandwich=True
    ),
    "mixtral": Relative(
        {"num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2},
        experts="num_local_experts", chosen="num_experts_per_tok",
    ),
    "qwen2_moe": Relative(
        {"num_experts": 60, "num_experts_per_tok": 4, "decoder_sparse_step": 1},
        experts="num_experts", chosen="num_experts_per_tok", width="moe_intermediate_size",
        shared="shared_expert_intermediate_size", every="decoder_sparse_step", dense="mlp_only_layers",
    ),
    "qwen3_moe": Relative(
        {"head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1}, qk_norm=True,
        experts="num_experts", chosen="num_experts_per_tok", width="moe_intermediate_size", every="decoder_sparse_step",
        dense="mlp_only_layers",
    ),
}  # fmt: skip
#: What newer files call the number of experts, whatever the family called it.
LOCAL = "num_local_experts"
#: Settings that a configuration must have to be taken for a relative of Llama without being known.
GENERIC = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")


def of_family(module: str, fields: Fields) -> Sketch:
    """A family of the converter, through its own reading of the settings; unread settings change no shape."""
    family: common.Family = importlib.import_module(f"neurodeploy.frontends.families.{module}").FAMILY
    net = family.huggingface(fields)
    return of_decoder(net, fields.natural("max_position_embeddings"))


def family_defaults(module: str) -> Mapping[str, Any]:
    family: common.Family = importlib.import_module(f"neurodeploy.frontends.families.{module}").FAMILY
    return family.defaults


def of_decoder(net: Decoder, max_positions: int) -> Sketch:
    """A sketch whose layers are drawn by the converter's own `build`, one layer of each kind, one expert of each layer."""

    def draw(g: Built, kind: Hashable, x: str) -> str:
        layer = cast(Layer, kind)
        one = replace(layer, experts=1, top_k=1) if layer.experts else layer
        drawn = build(replace(net, layers=(one,)))
        g.populations.update(drawn.populations)
        g.ops.extend(op for op in drawn.ops if op.layer == 0)
        return x

    kinds = tuple(dict.fromkeys(net.layers))
    names: dict[Hashable, str] = {kind: _name(kind) for kind in kinds} if len(kinds) > 1 else {}
    experts: dict[Hashable, tuple[int, int]] = {kind: (kind.experts, kind.top_k) for kind in kinds if kind.experts}
    return Sketch(net.hidden, net.vocab, net.tied, max_positions, net.layers, draw, names, experts)


def _name(layer: Layer) -> str:
    seen = "window" if layer.window else "chunked" if layer.chunk else "full"
    return f"{seen}, {layer.experts} experts" if layer.experts else seen


def relative(kind: str, fields: Fields) -> Sketch:
    """A relative of Llama: the same `Decoder`; experts without a shared one lose it again."""
    row = RELATIVES[kind]
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    kv_heads = fields.natural("num_key_value_heads", heads)
    common.check_heads(fields, heads, kv_heads, "num_key_value_heads")
    count = fields.natural("num_hidden_layers", most=MOST_LAYERS)
    dense, head_dim = fields.natural("intermediate_size"), fields.natural("head_dim", hidden // heads)
    layers = _layers(fields, row, count, dense)
    shared = fields.natural(row.shared, least=0) if row.shared else 0
    net = Decoder(
        vocab=fields.natural("vocab_size"), hidden=hidden, heads=heads, kv_heads=kv_heads, head_dim=head_dim, eps=1e-6,
        act=fields.choice("hidden_act", common.ACTIVATIONS), attention_scale=1.0, layers=layers,
        tied=fields.flag("tie_word_embeddings"), weighted_qk_norm=row.qk_norm, sandwich=row.sandwich,
    )  # fmt: skip
    sketch = of_decoder(net, fields.natural("max_position_embeddings"))
    return replace(sketch, draw=_shared(sketch, shared)) if row.experts else sketch


def _layers(fields: Fields, row: Relative, count: int, dense: int) -> tuple[Layer, ...]:
    """Windows and experts of each layer."""
    window = fields.natural("sliding_window", 0, least=0) if _windowed(fields) else 0
    kinds = fields.layer_types("layer_types", count, ("sliding_attention", "full_attention"))
    windows = [window if kinds is None or kinds[i] == "sliding_attention" else 0 for i in range(count)]
    named = LOCAL if fields.values.get(LOCAL) is not None else row.experts
    experts = fields.natural(named, least=0, most=MOST_LAYERS) if row.experts else 0
    if not experts:
        return tuple(Layer(ffn=dense, inv_freq=(1.0,), window=width or None) for width in windows)
    chosen = fields.natural(row.chosen)
    if chosen > experts:
        raise fields.refuse(row.chosen, f"there are {experts} experts")
    every = fields.natural(row.every) if row.every else 1
    without = set(fields.naturals(row.dense, 0) or []) if row.dense else set()
    width = fields.natural(row.width)
    sparse = Layer(ffn=width, inv_freq=(1.0,), experts=experts, top_k=chosen)
    plain = Layer(ffn=dense, inv_freq=(1.0,))
    return tuple(
        replace(sparse if (i + 1) % every == 0 and i not in without else plain, window=windows[i] or None)
        for i in range(count)
    )


def _windowed(fields: Fields) -> bool:
    return bool(fields.values.get("sliding_window")) and fields.values.get("use_sliding_window") is not False


def _shared(sketch: Sketch, width: int) -> Any:
    """Draw as the converter does, then give the shared expert its own width, or take it away where there is none."""

    def draw(g: Built, kind: Hashable, x: str) -> str:
        done = sketch.draw(g, kind, x)
        ops: list[Projection | HostOp] = []
        for op in g.ops:
            if ".shared_expert" in op.path or op.path.endswith("experts_sum"):
                if not width:
                    continue
                if isinstance(op, Projection):
                    rows, columns = (op.out_features, width) if op.role == "down" else (width, op.in_features)
                    op = replace(op, out_features=rows, in_features=columns)
                elif op.op == "glu":
                    g.populations[op.path] = Population(op.path, width)
            ops.append(op)
        g.ops[:] = ops
        return done

    return draw
