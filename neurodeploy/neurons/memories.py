"""Memories: states of a population as a whole (`neurons.model.StateVar.memory`), as they begin and what they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodeploy.ir.fixedpoint import signed_max
from neurodeploy.neurons.model import Memory, NeuronModel, Values


def first_rows(model: NeuronModel, kept: Memory, initial: Mapping[str, Any]) -> Values:
    """What each memory holds before anything runs: integers (rows, numbers), no row where `initial` has none."""
    empty = np.zeros((0, kept.numbers), np.int16)
    return {name: np.asarray(initial.get(name, empty)) for name in model.memories}


def contradiction(model: NeuronModel, kept: Memory, initial: Mapping[str, Any]) -> str:
    """What is wrong with the rows that its memories begin with; nothing where they are in order."""
    rows = first_rows(model, kept, initial)
    for name, array in rows.items():
        if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != kept.numbers:
            return f"{name} begins with {array.dtype} of shape {array.shape}, not with integers (rows, {kept.numbers})"
        if np.abs(array.astype(np.int64)).max(initial=0) > signed_max(kept.bits):
            return f"{name} begins with numbers of more than {kept.bits} bits"
    lengths = {len(array) for array in rows.values()}
    if len(lengths) > 1 or max(lengths, default=0) > kept.rows:
        return f"its memories begin with {sorted(lengths)} rows, each has {kept.rows}"
    return ""


def begun(model: NeuronModel, initial: Mapping[str, Any]) -> int:
    """Rows that its memories begin with."""
    return max((len(np.asarray(initial[name])) for name in model.memories if name in initial), default=0)


def at_rest(model: NeuronModel, kept: Memory, initial: Mapping[str, Any], samples: int) -> Values:
    """Every memory before anything runs: int16 (samples, rows, numbers)."""
    found = first_rows(model, kept, initial)
    return {name: np.repeat(rows.astype(np.int16)[None], samples, axis=0) for name, rows in found.items()}


def shape(kept: Memory, step: int) -> tuple[int, int]:
    """Rows that are written after so many steps, and numbers of each."""
    return min(step, kept.rows), kept.numbers


def in_bytes(model: NeuronModel, kept: Memory) -> int:
    """Bytes of all memories with every row written."""
    return len(model.memories) * kept.rows * -(-kept.numbers * kept.bits // 8)
