"""`TensorGraph`: a network of tensors in floating point, as `torch.export` or an ONNX file describes it.

A value has a shape without its first axis, the samples: a batch axis is a batch axis. Nodes are in single-assignment order,
each a *form* of `neurodeploy.ops.tensors` with its settings and constant arrays; `where` is the line of the user's source or
the name of the node in the file, for messages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
#: How a conversion names a source of this kind.
FORMAT = "tensor"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation. name : of the value that it makes. inputs : names of values. settings : numbers, texts and tuples of
    them. arrays : constants by role, float32 or integers. where : the place in the source."""

    name: str
    form: str
    inputs: tuple[str, ...]
    shape: Shape
    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    where: str = ""

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class TensorGraph:
    """Nodes in order. inputs : shapes by name, without the samples. outputs : names of values. source : what it was read
    from. notes : sentences for whoever converts it. integers : inputs that are whole numbers, such as ids of tokens."""

    name: str
    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    source: str = ""
    notes: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()

    def shapes(self) -> dict[str, Shape]:
        """Of every value."""
        return {**self.inputs, **{node.name: node.shape for node in self.nodes}}

    def readers(self) -> dict[str, list[Node]]:
        """Who reads each value; the outputs of the network are read by nobody in here."""
        found: dict[str, list[Node]] = {name: [] for name in self.shapes()}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return found


def multiply_adds(node: Node, inputs: Mapping[str, Shape]) -> int:
    """Multiply-adds of a node for one sample: weights times the places where each is used; products of two values by their
    inner side. 0 of everything else."""
    weight = node.arrays.get("weight")
    if node.form in ("conv", "linear") and weight is not None:
        if node.form == "linear":
            return int(weight.size) * (node.size // len(weight))
        places = inputs[node.inputs[0]] if node.settings.get("transposed") else node.shape
        return int(weight.size * math.prod(places[1:]))
    if node.form == "matmul":
        return int(node.size * inputs[node.inputs[0]][-1])
    if node.form in ("gru", "lstm", "rnn"):
        return int(sum(np.asarray(array).size for array in node.arrays.values()))
    return 0
