"""Memories: states of a population as a whole (`neurons.model.StateVar.memory`), as they begin and what they take."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np

from neurodeploy.ir.population import Population
from neurodeploy.neurons.model import Arrays, Memory, NeuronModel, Values

#: Asked once: a state is checked before every token that is generated.
_of: WeakKeyDictionary[Population, Memory] = WeakKeyDictionary()
Prepared = Callable[[Population], Values]


def _memory(model: NeuronModel, population: Population, prepared: Prepared) -> Memory:
    if population not in _of:
        _of[population] = model.memory(prepared(population))
    return _of[population]


def at_rest(model: NeuronModel, population: Population, prepared: Prepared, samples: int) -> Values:
    """Every memory at step 0: int16 (samples, 0, numbers). prepared : gives the parameters of a population."""
    numbers = _memory(model, population, prepared).numbers
    return {name: np.zeros((samples, 0, numbers), np.int16) for name in model.memories}


def shape(model: NeuronModel, population: Population, prepared: Prepared, step: int) -> tuple[int, int]:
    """Rows that are written after so many steps, and numbers of each."""
    found = _memory(model, population, prepared)
    return min(step, found.rows), found.numbers


def in_bytes(model: NeuronModel, params: Arrays) -> int:
    """Bytes of all memories with every row written."""
    found = model.memory(params)
    return len(model.memories) * found.rows * -(-found.numbers * found.bits // 8)
