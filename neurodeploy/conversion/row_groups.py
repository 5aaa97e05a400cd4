"""Rows of a large head in groups, each of which is sent an input with thresholds of its own.

Most tokens of a vocabulary are rarely likely, and their rows need not know the input to the last digit. Tokenizers number
tokens by how often they were merged, so the groups are rows by number, each four times as many as all before it. A token
that nobody expects then costs few events, and every token can still be chosen.

With p the model's prediction, w_v its rows and ``m = sum_v p_v w_v``, an error e of what group r is sent costs
``(sum_j e_j**2 s_rj) / 2`` nats as far as columns have nothing in common, with::

    s_r = E[sum_(v in r) p_v (w_v - m)**2]

Added up over groups this is the sensitivity of all rows to one error. It counts by what a logit differs from the mean one,
so a row must not have a part that all have: the mean of m is taken out of all rows. Logits are then less by one number a
token, which no prediction depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.overlay import Derived, Overlay
from neurodeploy.ir.graph import Graph, HostOp, Op, Population, Projection, WeightStore
from neurodeploy.ir.synapse import Range

#: The first rows, as a share of all, and how many times as many there are up to the next end.
FIRST, TIMES = 1 / 64, 4


def groups(rows: int) -> list[Range]:
    """First and last row + 1 of each group."""
    ends = [0, *(max(1, int(rows * FIRST * TIMES**i)) for i in range(4))]
    ends[-1] = rows
    return [(start, stop) for start, stop in pairwise(ends) if start < stop]


def in_groups(graph: Graph, head: Projection, mean: NDArray[np.float32]) -> tuple[Graph, list[Projection]]:
    """The graph with a projection for each group of the head's rows, less `mean` (columns,) each, and these projections."""
    parts, made = list[Projection](), dict[str, Derived]()
    for number, (start, stop) in enumerate(groups(head.out_features)):
        path, weight = f"{head.path}.{number}", f"{head.path}.{number}.weight"
        made[weight] = _rows(graph.weights, head.weight, (start, stop), mean)
        bias = head.bias and f"{path}.bias"
        if bias and head.bias:
            made[bias] = _rows(graph.weights, head.bias, (start, stop), None)
        parts.append(
            replace(
                head, path=path, output=f"{head.output}.{number}", out_features=stop - start, weight=weight, bias=bias
            )
        )
    joined = HostOp(f"{head.path}.joined", "concat", tuple(p.output for p in parts), (head.output,))
    populations: Mapping[str, Population] = {
        **graph.populations, **{p.output: Population(p.output, p.out_features) for p in parts}
    }  # fmt: skip
    every: list[Op] = [*parts, joined]
    ops = tuple(part for op in graph.ops for part in (every if op is head else (op,)))
    return replace(graph, populations=populations, ops=ops, weights=Overlay(graph.weights, made)), parts


def _rows(store: WeightStore, name: str, own: Range, less: NDArray[np.float32] | None) -> Derived:
    first, last = own

    def rows(start: int, stop: int | None) -> NDArray[np.float32]:
        end = last if stop is None else min(first + stop, last)
        values = store.get(name, first + start, end)
        return values if less is None else values - less

    return Derived((last - first, *store.shape(name)[1:]), rows)
