"""How what reaches a port of a population is had in a walk (`simulators.fast.walk`): mostly without a sum.

| what leads to a port | feed |
|---|---|
| one `Direct`, or one synapse of weight 1 a neuron | `Taken`: elements of the payload itself, each `repeat` times |
| the same in any other order | `Gathered`: elements by index |
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


class Taken(NamedTuple):
    """Neuron i gets element ``first + i // repeat`` of the payload of `source`."""

    source: str
    first: int
    repeat: int


class Gathered(NamedTuple):
    """Neuron i gets element ``order[i]``."""

    source: str
    order: NDArray[np.int32]


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
    found = _ones(p)
    if found is None:
        return Added(into)
    row, column = found
    rows, columns = p.synapse.rows, p.synapse.columns
    neurons = np.arange(rows)
    if row.size == rows and np.array_equal(np.sort(row), neurons):
        index = column[np.argsort(row)]
        repeat = _run(index)
        if np.array_equal(index, index[0] + neurons // repeat) and not rows % repeat:
            return Taken(p.source, int(index[0]), repeat)
        return Gathered(p.source, index.astype(np.int32))
    axons = np.arange(columns)
    every = row.size == columns and not columns % rows and np.array_equal(np.sort(column), axons)
    if every and np.array_equal(row[np.argsort(column)], axons // (columns // rows)):
        return Summed(p.source)
    return Added(into)


def _ones(p: Projection) -> tuple[Ints, Ints] | None:
    """(row, column) of the synapses where there are not many and each weighs 1."""
    synapse = p.synapse
    few = isinstance(synapse, Sparse) or (isinstance(synapse, Dense) and 1 in (synapse.rows, synapse.columns))
    if not few or synapse.weight.size > max(synapse.rows, synapse.columns) or not (synapse.weight == 1).all():
        return None
    coo = synapse.coo()
    return coo.row, coo.column


def _run(index: Ints) -> int:
    """How often the first index stands at the beginning."""
    other = np.flatnonzero(index != index[0])
    return int(other[0]) if other.size else index.size
