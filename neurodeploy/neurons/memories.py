"""Memories: states of a population as a whole (`neurons.model.StateVar.memory`), as they begin and what they take."""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons.model import Arrays, NeuronModel, Values


def at_rest(model: NeuronModel, params: Arrays, samples: int) -> Values:
    """Every memory at step 0: int16 (samples, 0, numbers)."""
    return {name: np.zeros((samples, 0, model.memory(params).numbers), np.int16) for name in model.memories}


def shape(model: NeuronModel, params: Arrays, step: int) -> tuple[int, int]:
    """Rows that are written after so many steps, and numbers of each."""
    found = model.memory(params)
    return min(step, found.rows), found.numbers


def in_bytes(model: NeuronModel, params: Arrays) -> int:
    """Bytes of all memories with every row written."""
    found = model.memory(params)
    return len(model.memories) * found.rows * -(-found.numbers * found.bits // 8)
