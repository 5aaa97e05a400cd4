"""`Graph`: a network in floating point, as a frontend reads it. Nothing here knows a chip or an integer.

A graph is a list of operations in single-assignment order. Every value is a *population*: one activation per
neuron and token. An operation is either a `Projection` (static synapses, ``y = W x + b``: what a chip is for) or a
`HostOp` of the table in `neurodeploy.ops`. A layer of a language model is then, in order,
``rmsnorm -> q, k, v -> rope -> attention -> o -> add -> rmsnorm -> gate, up -> glu -> down -> add``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from neurodeploy.errors import InternalError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scalar = int | float | str | bool | None
Attr = Scalar | tuple[float, ...] | tuple[int, ...]


@runtime_checkable
class WeightStore(Protocol):
    """Tensors by name, read lazily from memory-mapped files; nothing is kept once the caller drops the array."""

    def names(self) -> tuple[str, ...]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def get(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Rows ``start:stop`` of a tensor as a new, C-contiguous float32 array, checked to be finite."""
        ...

    def release(self) -> None:
        """Give mapped pages back to the system; every tensor can still be read afterwards."""
        ...

    def files(self) -> tuple[str, ...]:
        """Paths of the files behind it, for provenance."""
        ...


@dataclass(frozen=True, slots=True)
class Population:
    """A value: `size` neurons, one activation each per token."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Projection:
    """Static synapses ``y = W x (+ b)`` with W of shape (out_features, in_features).

    `role` is one of q, k, v, o, gate, up, down, router, lm_head; `heads` > 0 says that the rows are that many attention
    heads, kept together by the mapper; `expert` is the index of the expert it belongs to.
    """

    path: str
    input: str
    output: str
    in_features: int
    out_features: int
    weight: str
    bias: str | None = None
    role: str = ""
    layer: int | None = None
    expert: int | None = None
    heads: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,)


@dataclass(frozen=True, slots=True)
class HostOp:
    """An operation of `neurodeploy.ops`; `weights` maps a role of the operation to a tensor name of the store."""

    path: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    layer: int | None = None


Op = Projection | HostOp


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a reader of a report wants to know of the model, and what a generator needs. prefix : tokens that have been read
    before every text (`conversion.prefix`)."""

    name: str
    family: str
    vocab_size: int
    hidden_size: int
    layers: int
    max_positions: int
    source: str
    licence: str = "unknown"
    bos_token: int | None = None
    eos_tokens: tuple[int, ...] = ()
    tied_embeddings: bool = False
    prefix: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network in floating point. `input` is the population of token ids, `output` that of the logits.

    `notes` are sentences for whoever converts it: what of the model is not as its file says.
    """

    info: ModelInfo
    populations: Mapping[str, Population]
    ops: tuple[Op, ...]
    weights: WeightStore
    input: str = "tokens"
    output: str = "logits"
    notes: tuple[str, ...] = ()

    def projections(self) -> tuple[Projection, ...]:
        return tuple(op for op in self.ops if isinstance(op, Projection))

    def check(self) -> None:
        """Single assignment, defined before use, sizes and tensor shapes that agree. Operations: `ops.check_operations`."""
        defined = {self.input}
        names = set(self.weights.names())

        def fail(path: str, problem: str) -> None:
            raise InternalError("ND9001", path, problem, "the frontend built an inconsistent graph")

        for op in self.ops:
            for name in op.inputs:
                if name not in defined:
                    fail(op.path, f"uses {name!r} before it is defined")
            for name in op.outputs:
                if name in defined:
                    fail(op.path, f"defines {name!r} a second time")
                if name not in self.populations:
                    fail(op.path, f"output {name!r} has no population")
                defined.add(name)
            if isinstance(op, Projection):
                tensors = [op.weight] + ([op.bias] if op.bias else [])
                shape = self.weights.shape(op.weight) if op.weight in names else None
                if shape is not None and shape != (op.out_features, op.in_features):
                    fail(op.path, f"weight has shape {shape}, the projection {(op.out_features, op.in_features)}")
                sizes = (self.populations[op.input].size, self.populations[op.output].size)
                if sizes != (op.in_features, op.out_features):
                    fail(op.path, f"populations of {sizes} neurons, features {(op.in_features, op.out_features)}")
            else:
                tensors = list(op.weights.values())
            for tensor in tensors:
                if tensor not in names:
                    fail(op.path, f"tensor {tensor!r} is not in the store")
        if self.output not in defined:
            fail(self.output, "is never computed")
