"""Rewrites of a `TensorGraph` that change no function: constants go into weights, activations to what makes their value.

- An `affine` by channel behind a convolution or matrix that nobody else reads goes into its weights (batch norm):
  ``scale * (W x + b) + shift = (scale W) x + (scale b + shift)``.
- A constant that is added before a softmax goes into it: a mask of -1e9 would leave no bits for what it is added to.
- A `rectify` behind a form that `bends` and that nobody else reads becomes its activation (`Fused.bends`).
- What nobody reads is left out, and what the host does last is left to whoever reads the outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.ir.tensors import Node, TensorGraph
from neurodeploy.ops.tensors import FORMS
from neurodeploy.ops.tensors.asking import Bend
from neurodeploy.ops.tensors.curve import bend_of


class Fused(NamedTuple):
    """bends : by the node that has it, its activation and the name of the value that comes out."""

    graph: TensorGraph
    bends: Mapping[str, tuple[Bend, str]]


def simplified(graph: TensorGraph) -> TensorGraph:
    """Without dead nodes, affines in weights."""
    graph = _alive(graph)
    nodes, renamed = {node.name: node for node in graph.nodes}, dict[str, str]()
    readers = graph.readers()
    for node in graph.nodes:
        current = replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))
        nodes[node.name] = current
        maker = nodes.get(current.inputs[0]) if current.inputs else None
        alone = maker is not None and len(readers[node.inputs[0]]) == 1 and node.inputs[0] not in graph.outputs
        if current.form == "softmax" and maker is not None and alone and _only_added(maker):
            arrays = {**current.arrays, "mask": maker.arrays["shift"]}
            nodes[node.name] = replace(current, inputs=maker.inputs, arrays=arrays)
            del nodes[maker.name]
        if current.form == "affine" and maker is not None and alone and maker.form in ("conv", "linear"):
            found = _folded(maker, current)
            if found is not None:
                nodes[maker.name] = found
                del nodes[node.name]
                renamed[node.name] = maker.name
                readers[maker.name] = readers[node.name]
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    kept = [replace(n, inputs=tuple(renamed.get(name, name) for name in n.inputs)) for n in nodes.values()]
    return replace(graph, nodes=tuple(kept), outputs=outputs)


def _only_added(maker: Node) -> bool:
    return maker.form == "affine" and bool((maker.arrays["scale"] == 1).all())


def _folded(maker: Node, affine: Node) -> Node | None:
    """None where the affine is not by output channel (convolution) or output feature (matrix)."""
    weight, shape = maker.arrays["weight"], maker.shape
    axis = 0 if maker.form == "conv" else len(shape) - 1
    both = []
    for name in ("scale", "shift"):
        array = np.asarray(affine.arrays[name], np.float64)
        array = array.reshape((1,) * (len(shape) - array.ndim) + array.shape) if array.ndim <= len(shape) else array
        if array.ndim != len(shape) or any(n != 1 for i, n in enumerate(array.shape) if i != axis):
            return None
        both.append(np.broadcast_to(array.reshape(-1), (shape[axis],)))
    scale, shift = both
    bias = np.asarray(maker.arrays.get("bias", np.zeros(shape[axis])), np.float64)
    if maker.settings.get("transposed"):
        groups = int(maker.settings.get("groups", 1))
        factor = np.repeat(scale.reshape(groups, 1, -1), weight.shape[0] // groups, axis=1).reshape(len(weight), -1)
        factor = factor.reshape(*factor.shape, *[1] * (weight.ndim - 2))
    else:
        factor = scale.reshape(-1, *[1] * (weight.ndim - 1))
    arrays = {"weight": (weight * factor).astype(np.float32), "bias": (bias * scale + shift).astype(np.float32)}
    return replace(maker, arrays={**maker.arrays, **arrays})


def _alive(graph: TensorGraph) -> TensorGraph:
    wanted, kept = set(graph.outputs), list[Node]()
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted |= set(node.inputs)
            kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))


def trimmed(graph: TensorGraph) -> tuple[TensorGraph, list[dict[str, Any]]]:
    """Without the operations of the host that nothing follows, such as the softmax of a classifier: whoever reads the
    outputs does them, and no value crosses twice. They are told in order, each with the output that it reads and makes."""
    tail: list[dict[str, Any]] = []
    while True:
        readers, nodes = graph.readers(), {node.name: node for node in graph.nodes}
        last = [
            nodes[name]
            for name in graph.outputs
            if name in nodes
            and (FORMS[nodes[name].form].lower is None or FORMS[nodes[name].form].by_reader)
            and not nodes[name].arrays
            and len(nodes[name].inputs) == 1
            and not readers[name]
            and nodes[name].inputs[0] in nodes
        ]
        if not last:
            return graph, tail
        node = last[0]
        told = {"form": node.form, "settings": dict(node.settings), "shape": list(node.shape), "where": node.where}
        tail.insert(0, {"output": node.inputs[0], "makes": node.name, **told})
        outputs = tuple(node.inputs[0] if name == node.name else name for name in graph.outputs)
        kept = tuple(n for n in graph.nodes if n.name != node.name)
        graph = replace(graph, nodes=kept, outputs=tuple(dict.fromkeys(outputs)))


def fused(graph: TensorGraph) -> Fused:
    """Activations at what makes their values; nodes keep their names, and the value of an activation that went has its
    maker's node."""
    readers, nodes = graph.readers(), {node.name: node for node in graph.nodes}
    bends: dict[str, tuple[Bend, str]] = {}
    gone = set[str]()
    for node in graph.nodes:
        maker = nodes.get(node.inputs[0]) if node.form == "rectify" else None
        if maker is None or maker.name in gone or maker.name in bends or maker.name in graph.outputs:
            continue
        bend = bend_of(node)
        if FORMS[maker.form].bends and len(readers[maker.name]) == 1 and bend.low <= 0 <= bend.high:
            bends[maker.name] = bend, node.name
            gone.add(node.name)
    return Fused(replace(graph, nodes=tuple(n for n in graph.nodes if n.name not in gone)), bends)
