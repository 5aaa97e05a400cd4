"""What a population remembers beside the state of its neurons: its memory, and the bytes of it."""

from __future__ import annotations

from neurodeploy.ir.population import Population
from neurodeploy.neurons import memories
from neurodeploy.neurons.model import Memory
from neurodeploy.neurons.registry import model_of, prepared_params


def memory_of(population: Population) -> Memory:
    """What each of its memories is; of no rows where it has none."""
    model = model_of(population)
    return model.memory(prepared_params(population)) if model.memories else Memory(0, 0, 0)


def memory_bytes(population: Population) -> int:
    """Bytes of its memories with every row written; 0 where it has none."""
    model = model_of(population)
    return memories.in_bytes(model, prepared_params(population)) if model.memories else 0
