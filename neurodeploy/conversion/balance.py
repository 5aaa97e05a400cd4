"""Columns of weights that are far smaller or larger than the others give their size to the norm before them.

A layer behind a norm computes ``y_i = sum_j w_ij g_j n_j``, with gains g. For any c_j this is the same function::

    g'_j = g_j c_j        w'_ij = w_ij / c_j        (a bias of the norm likewise: b'_j = b_j c_j)

Weights have one scale a row: a column that is 60 times smaller than the rest would be left with two of 127 levels. Payloads
lose nothing in exchange, since an axon has an exponent of its own. c_j is a power of two, so that no bit of the float model
changes: the largest weight of column j over the median of all columns, where that is `FAR` or more away from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.layers import chunks
from neurodeploy.conversion.overlay import Derived, Overlay, scaled
from neurodeploy.ir.graph import Graph, HostOp, Op, Projection, WeightStore

#: Norms with gains, by operation.
NORMS = ("rmsnorm", "layernorm")
#: Factors below this are those of ordinary weights.
FAR = 4.0


def balanced(graph: Graph) -> Graph:
    """The same function with equal columns behind norms whose output only projections read; the graph itself where no
    column is far from the others."""
    readers: dict[str, list[Op]] = {}
    for op in graph.ops:
        for name in op.inputs:
            readers.setdefault(name, []).append(op)
    made: dict[str, Derived] = {}
    changed: dict[str, Op] = {}
    for norm in graph.ops:
        if not isinstance(norm, HostOp) or norm.op not in NORMS or not norm.weights:
            continue
        layers = [op for op in readers.get(norm.outputs[0], ()) if isinstance(op, Projection)]
        whole = len(layers) == len(readers.get(norm.outputs[0], ())) and bool(layers)
        if not whole or graph.populations[norm.outputs[0]].size != graph.weights.shape(norm.weights["weight"])[0]:
            continue
        size = _sizes(graph.weights, layers)
        if bool((size == 1).all()):
            continue
        ops: list[Op] = [norm, *layers]
        for op in ops:
            names = dict(op.weights) if isinstance(op, HostOp) else {"weight": op.weight}
            new = {role: f"{op.path}.balanced.{role}" for role in names}
            own = size if isinstance(op, HostOp) else np.reciprocal(size)
            made |= {new[role]: scaled(graph.weights, name, own) for role, name in names.items()}
            changed[op.path] = _renamed(op, new)
    if not changed:
        return graph
    every = tuple(changed.get(op.path, op) for op in graph.ops)
    return replace(graph, ops=every, weights=Overlay(graph.weights, made))


def _renamed(op: Op, names: Mapping[str, str]) -> Op:
    return replace(op, weights=names) if isinstance(op, HostOp) else replace(op, weight=names["weight"])


def _sizes(weights: WeightStore, layers: list[Projection]) -> NDArray[np.float32]:
    """(columns,) powers of two: how much larger the largest weight of a column is than that of most, 1 for ordinary ones."""
    most = np.zeros(layers[0].in_features, np.float32)
    for layer in layers:
        for start, stop in chunks(layer.out_features):
            most = np.maximum(most, np.abs(weights.get(layer.weight, start, stop)).max(axis=0))
    middle = np.median(most[most > 0]) if most.any() else np.float32(1)
    ratio = np.where(most > 0, most / middle, np.float32(1))
    far = np.maximum(ratio, 1 / ratio) >= FAR
    exponent = np.clip(np.rint(np.log2(ratio)), -12, 12)
    return np.where(far, np.exp2(exponent), 1).astype(np.float32)
