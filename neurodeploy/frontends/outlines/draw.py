"""From drawn operations to an `Outline`: projections of one population gathered into a class, host work counted.

Families draw one layer of each kind with `families.decoder.Built`, the same operations that the converter makes; here
they become shapes. Experts are drawn once and counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.decoder import Built
from neurodeploy.ir.graph import HostOp, ModelInfo, Population, Projection
from neurodeploy.ir.outline import Block, HostWork, Matrix, Outline, Part
from neurodeploy.ops import lookup
from neurodeploy.ops.host.operation import Load

#: Where nothing else is known: every input is an event. On real text SmolLM2-135M and Gemma 3 270M have 94 to 99 % of
#: their activations different from zero at payloads of 12 to 16 bits.
DENSE = (
    1.0,
    "every activation is taken as non-zero, the most there can be; real text gave 94 to 99 % at 12 to 16 bits",
)
#: Attribute of an operation whose work is an estimate of the family: see `extra`.
ESTIMATED = "flops"
#: Part of a path that stands for each expert of a layer: drawn once.
EXPERTS = ".experts."
#: Experts of all layers together: four times what the largest published model has.
MOST_EXPERTS = 1 << 17


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a family reads from a configuration.

    kinds : for each layer what tells it from layers of another kind.
    draw : (operations so far, kind, residual stream) -> residual stream, drawing one layer; experts drawn once.
    experts : kind -> (experts, chosen), where the kind has any.
    positions : rows of a learnt table of positions. embedding_width : columns of the embedding table, 0 for `hidden`.
    outside : parameters beside layers, tables and head: the last norm, the head's bias and the like.
    """

    hidden: int
    vocab: int
    tied: bool
    max_positions: int
    kinds: tuple[Hashable, ...]
    draw: Callable[[Built, Hashable, str], str]
    names: Mapping[Hashable, str] = field(default_factory=dict)
    experts: Mapping[Hashable, tuple[int, int]] = field(default_factory=dict)
    positions: int = 0
    embedding_width: int = 0
    outside: int = 0
    activity: tuple[float, str] = DENSE
    notes: tuple[str, ...] = ()


def outline(sketch: Sketch, name: str, family: str, source: str, context: int, left_out: Sequence[str] = ()) -> Outline:
    """The outline of a sketch; `context` tokens stand before the token that is priced."""
    count = sum(sketch.experts.get(kind, (1, 1))[0] for kind in sketch.kinds)
    if count > MOST_EXPERTS:
        fix = "check the configuration: no published model comes near"
        raise ModelError("ND2041", source, f"has {count} experts in all layers, at most {MOST_EXPERTS} are read", fix)
    layers: dict[Hashable, list[int]] = {}
    for index, kind in enumerate(sketch.kinds):
        layers.setdefault(kind, []).append(index)
    blocks, small = [], sketch.outside
    for number, (kind, where) in enumerate(layers.items()):
        built = Built()
        built.populations["h"] = Population("h", sketch.hidden)
        sketch.draw(built, kind, "h")
        called = sketch.names.get(kind) or ("layers" if len(layers) == 1 else f"kind {number}")
        experts = sketch.experts.get(kind, (1, 1))
        blocks.append(Block(called, tuple(where), _matrices(built, *experts), _host(built, context, *experts)))
        small += len(where) * _small(built, experts[0])
    info = ModelInfo(
        name=name, family=family, vocab_size=sketch.vocab, hidden_size=sketch.hidden, layers=len(sketch.kinds),
        max_positions=sketch.max_positions, source=source, tied_embeddings=sketch.tied,
    )  # fmt: skip
    width = sketch.embedding_width or sketch.hidden
    head = Matrix("lm_head", width, (Part("lm_head", sketch.vocab),))
    return Outline(
        info, tuple(blocks), head, (sketch.vocab, width), sketch.positions, small, context, _around(sketch),
        sketch.activity[0], sketch.activity[1], sketch.notes, tuple(left_out),
    )  # fmt: skip


def _small(built: Built, experts: int) -> int:
    """Parameters of a layer that are no weight of a projection: norms, biases, kernels of convolutions."""
    weights = {op.weight for op in built.ops if isinstance(op, Projection)}
    return sum(
        math.prod(shape) * (experts if EXPERTS in name else 1)
        for name, shape in built.tensors.items()
        if name not in weights
    )


def _matrices(built: Built, experts: int, chosen: int) -> tuple[Matrix, ...]:
    groups: dict[str, list[Projection]] = {}
    for op in built.ops:
        if isinstance(op, Projection):
            groups.setdefault(op.input, []).append(op)
    return tuple(_matrix(group, experts, chosen) for group in groups.values())


def _matrix(group: Sequence[Projection], experts: int, chosen: int) -> Matrix:
    first = group[0]
    parts = tuple(Part(op.role, experts if op.role == "router" else op.out_features, op.heads) for op in group)
    count = (experts, chosen) if first.expert is not None else (1, 1)
    return Matrix(class_name([op.path for op in group]), first.in_features, parts, *count)


def class_name(paths: Sequence[str]) -> str:
    """The common path of projections without the number of layer and expert, then what differs: ``self_attn.q_k_v``."""
    words = [[word for word in path.split(".") if not word.isdigit() and word != "layers"] for path in paths]
    depth = 0
    while all(len(path) > depth + 1 and path[depth] == words[0][depth] for path in words):
        depth += 1
    tails = [path[-1].removesuffix("_proj") for path in words]
    return ".".join([*words[0][:depth], "_".join(tails)])


def _host(built: Built, context: int, experts: int, chosen: int) -> tuple[HostWork, ...]:
    sizes = {name: population.size for name, population in built.populations.items()}
    found: dict[str, HostWork] = {}
    for op in built.ops:
        if isinstance(op, HostOp):
            entry = host_work(op, sizes, context, chosen)
            if EXPERTS in op.path:  # drawn once, met by the token as often as it has experts
                entry = _times(entry, min(chosen, experts))
            found[op.op] = entry if op.op not in found else _added(found[op.op], entry)
    return tuple(found.values())


def _added(a: HostWork, b: HostWork) -> HostWork:
    generate = (a.generate[0] + b.generate[0], a.generate[1] + b.generate[1])
    return HostWork(a.op, generate, (a.prefill[0] + b.prefill[0], a.prefill[1] + b.prefill[1]), a.known and b.known)


def _times(a: HostWork, n: int) -> HostWork:
    return HostWork(a.op, (a.generate[0] * n, a.generate[1] * n), (a.prefill[0] * n, a.prefill[1] * n), a.known)


def host_work(op: HostOp, sizes: Mapping[str, int], context: int, chosen: int = 1) -> HostWork:
    """Work a token: of one after `context` others, and of a prompt of `context`, divided by it; `chosen` experts see it."""
    tokens = max(1, context)
    per: list[tuple[int, int]] = []
    for count, before in ((1, context), (tokens, 0)):
        if ESTIMATED in op.attrs:
            flops, moved = (int(str(op.attrs[key])) * count for key in ("flops", "bytes"))
        else:
            cost = lookup(op).work(Load(op, sizes, count, before, count * chosen))
            flops, moved = cost.flops, cost.bytes
        per.append((-(-flops // count), -(-moved // count)))
    return HostWork(op.op, per[0], per[1], ESTIMATED not in op.attrs)


def _around(sketch: Sketch) -> tuple[HostWork, ...]:
    """Embedding row, last norm, choice of the most likely token."""
    d, vocab = sketch.hidden, sketch.vocab
    return (
        HostWork("embedding", (d, 8 * d), (d, 8 * d)),
        HostWork("rmsnorm", (4 * d + 3, 8 * d + 4 * d), (4 * d + 3, 8 * d)),
        HostWork("sampling", (vocab, 4 * vocab), (0, 0)),
    )


def extra(
    g: Built, path: str, op: str, inputs: Sequence[str], size: int, flops: int, moved: int, parameters: int = 0,
) -> str:  # fmt: skip
    """A host operation that has no kernel here: its flops and bytes a token are estimates given by the family."""
    if parameters:
        g.tensors[f"{path}.weight"] = (parameters,)
    return g.host(path, op, tuple(inputs), size, {ESTIMATED: flops, "bytes": moved}, layer=0)


def layernorm(g: Built, path: str, x: str) -> str:
    return g.norm(path, x, 1e-5, g.populations[x].size, 0, op="layernorm")


def activation(g: Built, path: str, x: str) -> str:
    return g.host(path, "activation", (x,), g.populations[x].size, {"act": "gelu_tanh"}, layer=0)
