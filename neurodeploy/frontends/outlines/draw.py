"""From drawn operations to a hollow `Program`: projections of one population gathered into an island, equal layers once.

Families draw one layer of each kind with `families.decoder.Built`, the same operations that the converter makes. Experts
are drawn once and counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.decoder import Built
from neurodeploy.ir.copies import Copies, island_name
from neurodeploy.ir.graph import Attr, HostOp, ModelInfo, Population, Projection
from neurodeploy.ir.network import Network
from neurodeploy.ir.network import Projection as Synapses
from neurodeploy.ir.population import INPUT, Section
from neurodeploy.ir.population import Population as Chip
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import HostStep
from neurodeploy.synapses.hollow import Facts, hollow_layer

#: Where nothing else is known: every input is an event. On real text SmolLM2-135M and Gemma 3 270M have 94 to 99 % of
#: their activations different from zero at payloads of 12 to 16 bits.
DENSE = (
    1.0,
    "every activation is taken as non-zero, the most there can be; real text gave 94 to 99 % at 12 to 16 bits",
)
#: Tensors of the tables that the host keeps.
TABLE, LEARNT = {"weight": "embed_tokens.weight"}, {"weight": "embed_positions.weight"}
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


def hollow(sketch: Sketch, name: str, family: str, source: str, left_out: Sequence[str] = ()) -> Program:
    """The hollow program of a sketch: each kind of layer once, of its experts the first."""
    count = sum(sketch.experts.get(kind, (1, 1))[0] for kind in sketch.kinds)
    if count > MOST_EXPERTS:
        fix = "check the configuration: no published model comes near"
        raise ModelError("ND2041", source, f"has {count} experts in all layers, at most {MOST_EXPERTS} are read", fix)
    layers: dict[Hashable, list[int]] = {}
    for index, kind in enumerate(sketch.kinds):
        layers.setdefault(kind, []).append(index)
    made, small = _Made(), sketch.outside
    stream = made.host(
        HostOp("embed_tokens", "embedding", ("tokens",), ("embed_tokens",), {"scale": 1.0}, TABLE), sketch.hidden
    )
    if sketch.positions:
        stream = made.host(
            HostOp("embed_positions", "position_embedding", (stream,), ("embed_positions",), {}, LEARNT), sketch.hidden
        )
    for number, (kind, where) in enumerate(layers.items()):
        built = Built()
        built.populations["h"] = Population("h", sketch.hidden)
        result = sketch.draw(built, kind, "h")
        called = sketch.names.get(kind) or ("layers" if len(layers) == 1 else f"kind {number}")
        experts = sketch.experts.get(kind, (1, 1))
        stream = made.layer(built, Copies(called, tuple(where), *experts), stream, result)
        small += len(where) * _small(built, experts[0])
    attrs: dict[str, Attr] = {"eps": 1e-6, "group": sketch.hidden}
    stream = made.host(HostOp("norm", "rmsnorm", (stream,), ("norm",), attrs, {"weight": "norm.weight"}), sketch.hidden)
    width = sketch.embedding_width or sketch.hidden
    if width != sketch.hidden:
        attrs = {"what": "projection", "flops": 2 * width * sketch.hidden, "bytes": 4 * width * sketch.hidden}
        stream = made.host(HostOp("project_out", "estimate", (stream,), ("project_out",), attrs), width)
    made.linear([Projection("lm_head", stream, "logits", width, sketch.vocab, "lm_head.weight", role="lm_head")])
    info = ModelInfo(
        name=name, family=family, vocab_size=sketch.vocab, hidden_size=sketch.hidden, layers=len(sketch.kinds),
        max_positions=sketch.max_positions, source=source, tied_embeddings=sketch.tied,
    )  # fmt: skip
    facts = Facts(small, sketch.positions, width, *sketch.activity, sketch.notes, tuple(left_out))
    outputs = tuple(name for name, population in made.populations.items() if population.model != INPUT)
    network = Network(name, made.populations, tuple(made.projections), outputs)
    told = {"hollow": facts.to_json()}
    program = Program(info, network, made.ordered(), made.sizes, "tokens", "logits", told, made.copies)
    program.check()
    return program


def _small(built: Built, experts: int) -> int:
    """Parameters of a layer that are no weight of a projection: norms, biases, kernels of convolutions."""
    weights = {op.weight for op in built.ops if isinstance(op, Projection)}
    return sum(
        math.prod(shape) * (experts if EXPERTS in name else 1)
        for name, shape in built.tensors.items()
        if name not in weights
    )


class _Made:
    """Steps and islands of a hollow program, as they come."""

    def __init__(self) -> None:
        self.steps: list[tuple[HostStep, ...]] = []
        self.populations: dict[str, Chip] = {}
        self.projections: list[Synapses] = []
        self.sizes: dict[str, int] = {"tokens": 1}
        self.copies: dict[str, Copies] = {}

    def host(self, op: HostOp, size: int) -> str:
        self.steps.append((op,))
        self.sizes.update(dict.fromkeys(op.outputs, size))
        return op.outputs[0]

    def linear(self, group: Sequence[Projection]) -> str:
        """One population of the projections that read one value."""
        first, start, sections = group[0], 0, list[Section]()
        for op in group:
            sections.append(Section(op.path, start, start + op.out_features, op.role, op.heads))
            start += op.out_features
            self.sizes[op.output] = op.out_features
        name = island_name([op.path for op in group])
        self.sizes.setdefault(first.input, first.in_features)
        made = hollow_layer(
            name, start, first.input, first.in_features, sections, values=tuple(op.output for op in group),
            layer=first.layer, expert=first.expert,
        )  # fmt: skip
        self.populations |= {made.source.name: made.source, name: made.neurons}
        self.projections.append(made.synapses)
        self.steps.append((made.encode, made.decode))
        return name

    def layer(self, built: Built, copies: Copies, stream: str, result: str) -> str:
        """The drawn layer under the number of the first that it stands for; returns the residual stream behind it."""
        number, alone = copies.layers[0], replace(copies, experts=1, chosen=1)

        def called(name: str) -> str:
            return stream if name == "h" else f"layers.{number}.{name.removeprefix('layers.0.')}"

        groups: dict[str, list[Projection]] = {}
        for op in built.ops:
            if isinstance(op, Projection):
                groups.setdefault(op.input, []).append(op)
        for op in built.ops:
            inputs, outputs = tuple(map(called, op.inputs)), tuple(map(called, op.outputs))
            if isinstance(op, HostOp):
                routes = op.op == "moe_route"  # drawn for one expert
                attrs, size = (
                    ({"top_k": copies.chosen}, copies.experts)
                    if routes
                    else (op.attrs, built.populations[op.outputs[0]].size)
                )
                self.host(
                    replace(op, path=called(op.path), inputs=inputs, outputs=outputs, attrs=attrs, layer=number), size
                )
                self.copies[called(op.path)] = copies if EXPERTS in op.path else alone
            elif groups[op.input][0] is op:
                name = self.linear([
                    replace(
                        p, path=called(p.path), input=inputs[0], output=called(p.output), layer=number,
                        out_features=copies.experts if p.role == "router" else p.out_features,
                    )
                    for p in groups[op.input]
                ])  # fmt: skip
                self.copies |= dict.fromkeys((f"{name}.input", name), copies if op.expert is not None else alone)
        return called(result)

    def ordered(self) -> tuple[HostStep, ...]:
        """Every step behind those that make what it reads; what nobody makes comes from operations without work."""
        made = {name for steps in self.steps for name in steps[-1].outputs} | {"tokens"}
        lost = dict.fromkeys(name for steps in self.steps for name in steps[0].inputs if name not in made)
        nothing: dict[str, Attr] = {"what": "source", "flops": 0, "bytes": 0}
        left: list[tuple[HostStep, ...]] = [(HostOp(name, "estimate", ("tokens",), (name,), nothing),) for name in lost]
        left, ready, found = left + self.steps, {"tokens"}, list[HostStep]()
        while left:
            waiting = []
            for steps in left:
                if ready.issuperset(steps[0].inputs):
                    found.extend(steps)
                    ready.update(steps[-1].outputs)
                else:
                    waiting.append(steps)
            left = waiting
        return tuple(found)


def extra(
    g: Built, path: str, op: str, inputs: Sequence[str], size: int, flops: int, moved: int, parameters: int = 0,
) -> str:  # fmt: skip
    """A host operation that has no kernel here: its flops and bytes a token are estimates given by the family."""
    if parameters:
        g.tensors[f"{path}.weight"] = (parameters,)
    return g.host(path, "estimate", tuple(inputs), size, {"what": op, "flops": flops, "bytes": moved}, layer=0)


def layernorm(g: Built, path: str, x: str) -> str:
    return g.norm(path, x, 1e-5, g.populations[x].size, 0, op="layernorm")


def activation(g: Built, path: str, x: str) -> str:
    return g.host(path, "activation", (x,), g.populations[x].size, {"act": "gelu_tanh"}, layer=0)
