"""From drawn operations to a hollow `Program`: projections of one value gathered into an island, equal layers once.

Families draw one layer of each kind; experts are drawn once and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.ir.copies import Copies, island_name
from neurodeploy.ir.graph import Attr, HostOp, ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import HostStep
from neurodeploy.ops import OPERATIONS
from neurodeploy.synapses.hollow import Facts, hollow_layer

#: Where nothing else is known: every input is an event. On real text SmolLM2-135M and Gemma 3 270M have 94 to 99 % of
#: their activations different from zero at payloads of 12 to 16 bits.
DENSE = (
    1.0,
    "every activation is taken as non-zero, the most there can be; real text gave 94 to 99 % at 12 to 16 bits",
)
#: Part of a path that stands for each expert of a layer: drawn once.
EXPERTS = ".experts."
#: Experts of all layers together: four times what the largest published model has.
MOST_EXPERTS = 1 << 17
#: Parameters of a norm for each value that it scales; "rms" has a kernel here, the others are counted as LayerNorm.
NORMS = {"rms": 1, "layer": 2, "scale": 1, "bare": 0}


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a family reads from a configuration.

    kinds : for each layer what tells it from layers of another kind.
    draw : (drawing, kind, residual stream) -> residual stream, drawing one layer; experts drawn once.
    experts : kind -> (experts, chosen), where the kind has any.
    positions : rows of a learnt table of positions. width : columns of the embedding table, 0 for `hidden`.
    outside : parameters beside layers, tables and head: the last norm, the head's bias and the like.
    """

    hidden: int
    vocab: int
    tied: bool
    max_positions: int
    kinds: tuple[Hashable, ...]
    draw: Callable[[Drawing, Any, str], str]
    names: Mapping[Hashable, str] = field(default_factory=dict)
    experts: Mapping[Hashable, tuple[int, int]] = field(default_factory=dict)
    positions: int = 0
    width: int = 0
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
    g, hidden, width = Drawing(sketch.hidden), sketch.hidden, sketch.width or sketch.hidden
    x = g.host("embed_tokens", "embedding", ("tokens",), hidden, {"scale": 1.0})
    if sketch.positions:
        x = g.host("embed_positions", "position_embedding", (x,), hidden)
    for number, (kind, where) in enumerate(layers.items()):
        called = sketch.names.get(kind) or ("layers" if len(layers) == 1 else f"kind {number}")
        g.enter(Copies(called, tuple(where), *sketch.experts.get(kind, (1, 1))))
        x = sketch.draw(g, kind, x)
        g.leave()
    x = g.norm("norm", x)
    if width != hidden:
        work = 2 * width * hidden
        x = g.extra("project_out", "projection", (x,), width, work, 2 * work)
    g.linear("lm_head", x, sketch.vocab, "lm_head", output="logits")
    g.leave()
    info = ModelInfo(
        name=name, family=family, vocab_size=sketch.vocab, hidden_size=hidden, layers=len(sketch.kinds),
        max_positions=sketch.max_positions, source=source, tied_embeddings=sketch.tied,
    )  # fmt: skip
    small = g.small + sketch.outside
    facts = Facts(small, sketch.positions, width, *sketch.activity, sketch.notes, tuple(left_out))
    outputs = tuple(name for name, population in g.populations.items() if population.model != INPUT)
    network = Network(name, g.populations, tuple(g.projections), outputs)
    program = Program(info, network, g.ordered(), g.sizes, "tokens", "logits", {"hollow": facts.to_json()}, g.copies)
    program.check()
    return program


class Drawing:
    """A hollow program as it is drawn. Within a layer paths begin with its number, and what is drawn stands for its copies.

    sizes : neurons of each value. small : parameters within layers that are no weight of a projection.
    """

    def __init__(self, hidden: int) -> None:
        self.hidden, self.small = hidden, 0
        self.steps: list[tuple[HostStep, ...]] = []
        self.populations: dict[str, Population] = {}
        self.projections: list[Projection] = []
        self.sizes: dict[str, int] = {"tokens": 1}
        self.copies: dict[str, Copies] = {}
        self._layer: Copies | None = None
        #: By what they read, the place of the island among the steps, its projections and what they make.
        self._reads: dict[str, tuple[int, list[Section], list[str]]] = {}

    def enter(self, layer: Copies) -> None:
        """What is drawn from here on stands in each of these layers."""
        self._layer = layer

    def leave(self) -> None:
        """The layer is drawn, and so is all that reads its values."""
        for value, (place, parts, outputs) in self._reads.items():
            self.steps[place] = self._island(value, parts, outputs)
        self._layer, self._reads = None, {}

    def path(self, path: str) -> str:
        return path if self._layer is None else f"layers.{self._layer.layers[0]}.{path}"

    @property
    def number(self) -> int | None:
        return None if self._layer is None else self._layer.layers[0]

    def count(self, path: str, parameters: int) -> None:
        """Parameters of every copy."""
        copies = self._stands_for(self.path(path))
        self.small += parameters * copies.count if copies else 0

    def _stands_for(self, path: str) -> Copies | None:
        layer = self._layer
        return layer if layer is None or EXPERTS in path else Copies(layer.kind, layer.layers)

    def value(self, name: str, size: int) -> str:
        """A value that nothing here makes."""
        self.sizes[self.path(name)] = size
        return self.path(name)

    def host(
        self, path: str, op: str, inputs: Sequence[str], size: int, attrs: Mapping[str, Attr] | None = None, *,
        weighted: bool = True, outputs: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        """A host operation whose outputs (by default one, named like it) have `size` neurons; returns the first."""
        name = self.path(path)
        outputs = outputs or (name,)
        weights = {role: f"{name}.{role}" for role in (OPERATIONS[op].tensors if weighted else ())}
        self.sizes.update(dict.fromkeys(outputs, size))
        self.steps.append((HostOp(name, op, tuple(inputs), outputs, attrs or {}, weights, self.number),))
        if copies := self._stands_for(name):
            self.copies[name] = copies
        return outputs[0]

    def extra(
        self, path: str, what: str, inputs: Sequence[str], size: int, flops: int, moved: int, parameters: int = 0
    ) -> str:
        """A host operation that has no kernel here: its flops and bytes a token are estimates given by the family."""
        self.count(path, parameters)
        return self.host(path, "estimate", inputs, size, {"what": what, "flops": flops, "bytes": moved})

    def norm(self, path: str, x: str, style: str = "rms", group: int = 0, parameters: int | None = None) -> str:
        """A norm over `group` values, by default the whole population; `parameters` where they are not the usual ones."""
        size = self.sizes[x]
        group = group or size
        self.count(path, NORMS[style] * group if parameters is None else parameters)
        if style == "rms":
            return self.host(path, "rmsnorm", (x,), size, {"eps": 1e-6, "group": group}, weighted=parameters != 0)
        return self.host(path, "layernorm", (x,), size, {"eps": 1e-5, "group": size})

    def add(self, path: str, a: str, b: str) -> str:
        return self.host(path, "add", (a, b), self.sizes[a])

    def activation(self, path: str, x: str) -> str:
        return self.host(path, "activation", (x,), self.sizes[x], {"act": "gelu_tanh"})

    def linear(
        self, path: str, x: str, rows: int, role: str, *, heads: int = 0, bias: bool = False, output: str = ""
    ) -> str:
        """A projection of the value `x`; an expert's where its path says so."""
        name = self.path(path)
        self.count(path, rows if bias else 0)
        if x not in self._reads:
            self._reads[x] = len(self.steps), [], []
            self.steps.append(())
        _, parts, outputs = self._reads[x]
        start = parts[-1].stop if parts else 0
        parts.append(Section(name, start, start + rows, role, heads))
        outputs.append(output or name)
        self.sizes[outputs[-1]] = rows
        return outputs[-1]

    def _island(self, value: str, parts: Sequence[Section], outputs: Sequence[str]) -> tuple[HostStep, ...]:
        made = hollow_layer(
            island_name([part.path for part in parts]), parts[-1].stop, value, self.sizes[value], parts,
            values=tuple(outputs), layer=self.number, expert=0 if EXPERTS in parts[0].path else None,
        )  # fmt: skip
        self.populations |= {population.name: population for population in (made.source, made.neurons)}
        self.projections.append(made.synapses)
        if copies := self._stands_for(parts[0].path):
            self.copies |= dict.fromkeys((made.source.name, made.name), copies)
        return made.encode, made.decode

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
            if len(waiting) == len(left):  # a circle: `Program.check` names it
                return (*found, *(step for steps in left for step in steps))
            left = waiting
        return tuple(found)
