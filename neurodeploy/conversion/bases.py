"""Fewer events by other coordinates: a layer reads its input in a basis in which few axons carry most of what matters.

``y = W x`` is ``y = (W T^-1) (T x)`` for any invertible T. With the second moments of the input, C = E[x x^T], and of the
gradients there, G = E[g g^T] (`conversion.thresholds`), the basis is that of generalised eigenvectors::

    G = L L^T        L^T C L = V D V^T        T = D^-p V^T L^T,  T^-1 = L^-T V D^p

Coordinates are uncorrelated, and so are the gradients there; products of variance and squared gradient are D. They lie
decades apart, those of x itself do not, so the same share of events that is not sent weighs less.

It is done where T costs little or nothing:

- *Contexts of attention.* A context is a mean of values, so T goes into the rows of v (and the values of a prefix) and T^-1
  into the columns of o, one T for the heads that share keys and values. p = 1/4: neither v nor o gets all of the
  differences in size.
- *The head.* T is a layer of its own, of d**2 synapses, where the vocabulary is `WORTH` times d or more. p = 0: gradients
  of the coordinates are then equally large, so that no column of the head dwarfs the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.overlay import Derived, Overlay, held, of_inputs, of_outputs
from neurodeploy.ir.graph import Graph, HostOp, Op, Population, Projection
from neurodeploy.ops import lookup
from neurodeploy.ops.attention import PREFIX

#: Synapses of a head over those of its basis.
WORTH = 16
#: What is added to the diagonal of G: a share of itself, so that there is an inverse.
DAMPING = 1e-3
#: The least of D beside the largest.
FAINTEST = 1e-8


class Place(NamedTuple):
    """A value that may be sent in another basis. groups : parts of it that have a moment each; shared : parts that have one
    T; power : p."""

    groups: int
    shared: int
    power: float


@dataclass(slots=True, eq=False)
class Moments:
    """Of a place, (groups, k, k) each: E[x x^T] and E[g g^T], times the same number."""

    place: Place
    inputs: torch.Tensor
    slopes: torch.Tensor

    def basis(self) -> Coordinates | None:
        """None where no gradient is."""
        groups, width, _ = self.inputs.shape
        parts = groups // self.place.shared
        inputs, slopes = (t.reshape(parts, -1, width, width).sum(1) for t in (self.inputs, self.slopes))
        diagonal = slopes.diagonal(dim1=1, dim2=2)
        mean = diagonal.mean(1, keepdim=True)
        if not bool((mean > 0).all()) or not bool((inputs.diagonal(dim1=1, dim2=2).sum(1) > 0).all()):
            return None
        lower = torch.linalg.cholesky(slopes + torch.diag_embed(DAMPING * (diagonal + mean)))
        found, vectors = torch.linalg.eigh(lower.mT @ inputs @ lower)
        size = found.clamp_min(FAINTEST * float(found.max())).pow(self.place.power)
        there = vectors.mT @ lower.mT / size[:, :, None]
        back = torch.linalg.solve_triangular(lower.mT, vectors * size[:, None, :], upper=True)
        return Coordinates(self.place.shared, there, back)


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """T and T^-1, (parts, k, k); each part is that of `shared` groups."""

    shared: int
    there: torch.Tensor
    back: torch.Tensor

    def there_of(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, size) in the basis."""
        groups = x.reshape(len(x), len(self.there) * self.shared, -1)
        each = self.there.to(x.dtype).repeat_interleave(self.shared, 0)
        return torch.einsum("tgk,gjk->tgj", groups, each).reshape(x.shape)

    def squares(self, slopes: torch.Tensor) -> torch.Tensor:
        """(size,) squares of the gradients by the coordinates, of the gradients' second moments (groups, k, k)."""
        back = self.back.repeat_interleave(self.shared, 0)
        return torch.einsum("gkj,gkl,glj->gj", back, slopes, back).reshape(-1)

    def rows(self) -> NDArray[np.float32]:
        return self.there.float().numpy()

    def columns(self) -> NDArray[np.float32]:
        return self.back.repeat_interleave(self.shared, 0).float().numpy()


def places(graph: Graph) -> dict[str, Place]:
    """By the path of the first that reads the value. Contexts that only one layer reads, of values that nothing else does;
    the input of a large head."""
    found = dict[str, Place]()
    for op, _, reader in _attentions(graph):
        heads, shared = (int(str(op.attrs[key])) for key in ("heads", "kv_heads"))
        found[reader.path] = Place(heads, heads // shared, 1 / 4)
    head = next(op for op in graph.projections() if op.output == graph.output)
    if head.out_features >= WORTH * head.in_features and _readers(graph, head.input) == [head]:
        found[head.path] = Place(1, 1, 0.0)
    return found


def _readers(graph: Graph, value: str) -> list[Op]:
    return [op for op in graph.ops if value in op.inputs]


def _attentions(graph: Graph) -> list[tuple[HostOp, Projection, Projection]]:
    """Operations of attention, the projection that makes the values, and the one that reads the context."""
    made = {op.output: op for op in graph.projections()}
    found = []
    for op in graph.ops:
        if not isinstance(op, HostOp) or not lookup(op).keeps or len(op.inputs) != 3:
            continue
        value, (reader, *others) = made.get(op.inputs[2]), _readers(graph, op.outputs[0])
        if isinstance(reader, Projection) and not others and value and _readers(graph, value.output) == [op]:
            found.append((op, value, reader))
    return found


@dataclass(slots=True)
class _Turning:
    """A graph that is being changed. changed : operations in place of others, by path; before : what comes before one."""

    graph: Graph
    made: dict[str, Derived] = field(default_factory=dict)
    changed: dict[str, Op] = field(default_factory=dict)
    before: dict[str, Projection] = field(default_factory=dict)

    def new(self, op: Op, role: str, made: Derived) -> str:
        name = f"{op.path}.turned.{role}"
        self.made[name] = made
        return name

    def attention(self, op: HostOp, value: Projection, reader: Projection, basis: Coordinates) -> None:
        store, (_, kept) = self.graph.weights, PREFIX
        if kept in op.weights:
            values = np.einsum("hjk,phk->phj", basis.rows(), store.get(op.weights[kept]))
            self.changed[op.path] = replace(op, weights={**op.weights, kept: self.new(op, kept, held(values))})
        weight = self.new(value, "weight", of_outputs(store, value.weight, basis.rows()))
        bias = value.bias and self.new(value, "bias", of_outputs(store, value.bias, basis.rows()))
        self.changed[value.path] = replace(value, weight=weight, bias=bias)
        own = self.new(reader, "weight", of_inputs(store, reader.weight, basis.columns()))
        self.changed[reader.path] = replace(reader, weight=own)

    def head(self, op: Projection, basis: Coordinates) -> None:
        path, size = f"{op.path}.basis", op.in_features
        weight = self.new(op, "basis", held(basis.rows()[0]))
        self.before[op.path] = Projection(path, op.input, path, size, size, weight)
        own = self.new(op, "weight", of_inputs(self.graph.weights, op.weight, basis.columns()))
        self.changed[op.path] = replace(op, input=path, weight=own)

    def done(self) -> Graph:
        populations = {**self.graph.populations, **{p.output: Population(p.output, p.out_features)
                                                    for p in self.before.values()}}  # fmt: skip
        ops = [
            part for op in self.graph.ops for part in (self.before.get(op.path), self.changed.get(op.path, op)) if part
        ]
        return replace(
            self.graph, populations=populations, ops=tuple(ops), weights=Overlay(self.graph.weights, self.made)
        )


def turned(graph: Graph, bases: Mapping[str, Coordinates]) -> Graph:
    """The same function, with these values (of `places`) in their bases."""
    turning = _Turning(graph)
    for op, value, reader in _attentions(graph):
        if reader.path in bases:
            turning.attention(op, value, reader, bases[reader.path])
    for head in graph.projections():
        if head.output == graph.output and head.path in bases:
            turning.head(head, bases[head.path])
    return turning.done() if bases else graph
