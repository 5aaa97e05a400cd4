"""How what reaches a port of a population is had in a walk (`simulators.fast.walk`): mostly without a sum.

| what leads to a port | feed |
|---|---|
| one `Direct`, or one synapse of weight 1 a neuron | `Taken`: elements of the payload itself, each `repeat` times |
| one synapse a neuron at most | `Gathered`: elements by index, weighed |
| weights of 1 from equal blocks, each to one neuron | `Summed`: the sums of the blocks |
| anything else | `Added`: exact sums of all projections |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.synapses import Dense, Sparse

#: Elements of a stretch that are worth a loop of its own.
SHORT = 8


class Taken(NamedTuple):
    """Neuron i gets element ``first + i // repeat`` of the payload of `source`."""

    source: str
    first: int
    repeat: int


class Gathered(NamedTuple):
    """Neuron i gets ``weight[i]`` times element ``order[i]``."""

    source: str
    order: NDArray[np.int32]
    weight: NDArray[np.int32]

    def runs(self) -> NDArray[np.int32]:
        """Ends of stretches of one weight in which the elements follow one another, or none that are weighed; no stretch
        where they are short."""
        follow = (np.diff(self.order) == 1) | (self.weight[1:] == 0)
        ends = np.append(np.flatnonzero(~follow | (np.diff(self.weight) != 0)) + 1, self.order.size)
        return (ends if ends.size * SHORT <= self.order.size else ends[:0]).astype(np.int32)


class Summed(NamedTuple):
    """Neuron i gets the sum of the i-th of so many equal blocks."""

    source: str


class Added(NamedTuple):
    """Sums over these projections."""

    projections: Sequence[Projection]


Feed = Taken | Gathered | Summed | Added


def feed(into: Sequence[Projection]) -> Feed:
    """The feed of the projections into one port, all of them within the step."""
    p = into[0] if len(into) == 1 else None
    if p is None or not p.valued or p.weight_exp or p.axon_exp is not None:
        return Added(into)
    if p.synapse.wire:
        return Taken(p.source, 0, 1)
    if not _few(p):
        return Added(into)
    coo = p.synapse.coo()
    rows, columns, ones = p.synapse.rows, p.synapse.columns, bool((coo.weight == 1).all())
    if np.unique(coo.row).size == coo.row.size:
        order, weight = np.zeros((2, rows), np.int32)
        order[coo.row], weight[coo.row] = coo.column, coo.weight
        repeat = _run(order)
        runs = not rows % repeat and np.array_equal(order, order[0] + np.arange(rows) // repeat)
        if ones and coo.row.size == rows and runs:
            return Taken(p.source, int(order[0]), repeat)
        return Gathered(p.source, order, weight)
    axons = np.arange(columns)
    every = ones and not columns % rows and np.array_equal(np.sort(coo.column), axons)
    if every and np.array_equal(coo.row[np.argsort(coo.column)], axons // (columns // rows)):
        return Summed(p.source)
    return Added(into)


def _few(p: Projection) -> bool:
    """Whether its synapses are few enough to look at each."""
    synapse = p.synapse
    kind = isinstance(synapse, Sparse) or (isinstance(synapse, Dense) and 1 in (synapse.rows, synapse.columns))
    return kind and synapse.weight.size <= max(synapse.rows, synapse.columns)


def _run(index: Ints) -> int:
    """How often the first index stands at the beginning."""
    other = np.flatnonzero(index != index[0])
    return int(other[0]) if other.size else index.size
