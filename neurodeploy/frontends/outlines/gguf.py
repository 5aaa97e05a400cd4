"""The hollow program of a .gguf file from its metadata and its table of tensors: any architecture, no weight is read.

Every matrix of a layer is a projection; which of them read one population is known by llama.cpp's names. Rank 3 is a
stack of experts (experts, rows, columns).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.common import gguf_settings
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.gguf_store import GgufStore
from neurodeploy.frontends.outlines.draw import Drawing, Sketch, hollow
from neurodeploy.frontends.outlines.layers import Attention, rope
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import facts_of, weights_of, with_facts

#: What an expert reads.
EXPERT = "experts.0.input"
#: Tensor of a layer -> (population that it reads, role). Matrices that are not here read a population of their own.
ROLES: Mapping[str, tuple[str, str]] = {
    "attn_q": ("attn", "q"), "attn_k": ("attn", "k"), "attn_v": ("attn", "v"), "attn_qkv": ("attn", "q"),
    "attn_output": ("context", "o"), "ffn_gate_inp": ("ffn", "router"), "ffn_gate": ("ffn", "gate"),
    "ffn_up": ("ffn", "up"), "ffn_down": ("product", "down"), "ffn_gate_shexp": ("ffn", "gate"),
    "ffn_up_shexp": ("ffn", "up"), "ffn_down_shexp": ("shared product", "down"), "ffn_gate_exps": (EXPERT, "gate"),
    "ffn_up_exps": (EXPERT, "up"), "ffn_gate_up_exps": (EXPERT, "gate"),
    "ffn_down_exps": ("experts.0.product", "down"),
}  # fmt: skip
#: Matrices that are no projections: kernels of convolutions and tables.
NO_PROJECTION = ("conv1d", "rope_freqs", "rope_factors", "ssm_a", "ssm_d", "rel_b")
#: Tensors that are no parameters: factors of rotary positions.
CONSTANTS = ("rope_freqs", "rope_factors")
#: Most heads that a layer may have.
MOST_HEADS = 1 << 16
_NAME = re.compile(r"blk\.(\d{1,6})\.(.+)\.weight")

#: A layer: (name, shape) of its matrices in the order of the file, the number of its norms.
Kind = tuple[tuple[tuple[str, tuple[int, ...]], ...], int]


def gguf_hollow(path: Path) -> Program:
    """Raises what the reader of the format raises, ND1006 without an embedding table, ND1012 for settings."""
    store = GgufStore(path)
    metadata = store.metadata
    architecture = str(metadata.get("general.architecture", "unknown"))
    fields = Fields(gguf_settings(metadata, architecture), path, prefix=f"{architecture}.")
    names = set(store.names())
    if "token_embd.weight" not in names:
        raise ModelError("ND1006", "token_embd.weight", f"no such tensor in {path}", "give a language model's file")
    vocab, hidden = store.shape("token_embd.weight")[:2]
    kinds = _kinds(store, path)
    experts = {kind: stack for kind in set(kinds) if (stack := _experts(kind, fields)) is not None}
    sketch = Sketch(
        hidden, vocab, "output.weight" not in names, fields.natural("context_length", 2048), kinds,
        lambda g, kind, x: _draw(g, kind, fields, x), {}, experts,
        positions=store.shape("position_embd.weight")[0] if "position_embd.weight" in names else 0,
    )  # fmt: skip
    name = str(metadata.get("general.name") or path.stem)
    made = hollow(sketch, name, architecture, f"{path.name}: tensor shapes")
    stored = sum(math.prod(store.shape(each)) for each in names if not each.startswith(CONSTANTS))
    facts = facts_of(made)
    return with_facts(made, replace(facts, small=facts.small + stored - weights_of(made).total))


def _kinds(store: GgufStore, path: Path) -> tuple[Hashable, ...]:
    layers: dict[int, list[tuple[str, tuple[int, ...]]]] = {}
    norms: Counter[int] = Counter()
    for name in store.names():
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        index, part, shape = int(found[1]), found[2], store.shape(name)
        layers.setdefault(index, [])
        if len(shape) == 1:
            norms[index] += part.endswith("norm")
        elif not any(part.startswith(other) or part.endswith(other) for other in NO_PROJECTION):
            layers[index].append((part, shape))
    if not layers or max(layers) >= MOST_LAYERS or len(layers) != max(layers) + 1:
        problem = f"has {len(layers)} layers of tensors, numbered up to {max(layers, default=-1)}"
        raise ModelError("ND1006", path, problem, f"give a model of 1 to {MOST_LAYERS} layers with none missing")
    return tuple((tuple(sorted(layers[index])), norms[index]) for index in range(len(layers)))


def _experts(kind: Hashable, fields: Fields) -> tuple[int, int] | None:
    stacks = {shape[0] for name, shape in cast(Kind, kind)[0] if len(shape) == 3}
    if not stacks:
        return None
    count = max(stacks)
    return count, fields.natural("expert_used_count", 1, most=count)


def _draw(g: Drawing, kind: Kind, fields: Fields, x: str) -> str:
    """The projections of one layer, and the host operations that its tensors and the metadata imply."""
    matrices, norms = kind
    found = {name for name, _ in matrices}
    for index in range(norms):
        g.norm(f"norm_{index}", x)
    made: dict[str, str] = {}
    for name, shape in matrices:
        reads, role = ROLES.get(name, (f"{name}.input", "projection"))
        rows, columns = shape[-2:]
        if g.sizes.get(g.path(reads), columns) != columns:
            reads = f"{name}.input"
        made[name] = g.linear(f"experts.0.{name}" if len(shape) == 3 else name, g.value(reads, columns), rows, role)
    if "attn_q" in found or "attn_qkv" in found:
        _attention(g, fields, x)
    for end in ("", "_shexp", "_exps"):
        gate, up = (made.get(f"ffn_{role}{end}") for role in ("gate", "up"))
        path = f"{'experts.0.' if end == '_exps' else ''}ffn_gate{end}"
        if gate and up:
            g.host(f"{path}_glu", "glu", (gate, up), g.sizes[up], {"act": "silu"})
        elif up:
            g.activation(f"{path}_act", up)
    if "ffn_gate_inp" in found:
        experts, chosen = _experts(kind, fields) or (1, 1)
        routing = g.host("route", "moe_route", (made["ffn_gate_inp"],), experts, {"top_k": chosen})
        inside = g.path(EXPERT)
        g.host("dispatch", "moe_dispatch", (x, routing), g.hidden, outputs=(inside,) if inside in g.sizes else ())
        g.host("combine", "moe_combine", (routing, x), g.hidden)
    for index in range(2):
        g.add(f"residual_{index}", x, x)
    return x


def _attention(g: Drawing, fields: Fields, x: str) -> None:
    """Softmax attention with the number of heads that the metadata says; lists by layer count by their largest entry."""
    heads = _most(fields, "attention.head_count", 1)
    kv_heads = _most(fields, "attention.head_count_kv", heads)
    dim = fields.natural("attention.key_length", max(1, g.hidden // heads))
    window = fields.natural("attention.sliding_window", 0, least=0) or None
    if "rope.freq_base" in fields.values or "rope.dimension_count" in fields.values:
        for role, count in (("q", heads), ("k", kv_heads)):
            rope(g, f"{role}_rope", x, count, dim)
    Attention(heads, kv_heads, dim, window).mixed(g, "attention", (x,), heads * dim)


def _most(fields: Fields, name: str, default: int) -> int:
    value = fields.values.get(name, default)
    if not isinstance(value, list):
        return fields.natural(name, default, most=MOST_HEADS)
    heads = [item for item in value if type(item) is int and 0 < item <= MOST_HEADS]
    if not heads:
        raise fields.refuse(name, f"whole numbers from 1 to {MOST_HEADS} are needed")
    return max(heads)
