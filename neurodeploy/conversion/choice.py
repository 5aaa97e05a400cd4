"""Inputs of a layer that send only the N largest of each M, on the chip (`neurons/graded_choice.py`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.graded_choice import CHOICE, OTHERS
from neurodeploy.ops.host.lowering import Signal

#: What all neurons send, where a population chooses among them which is named without it.
EVERY = "{}.every"


def choice_of(population: Population) -> dict[str, int]:
    """How many of how many an input sends; nothing where it sends all."""
    return {key: int(np.max(population.params[key])) for key in CHOICE if key in population.params}


def chosen(name: str, every: Signal, choice: Mapping[str, int]) -> tuple[Population, list[Projection]]:
    """The population of that name, and what leads into it from a whole population."""
    places, of = np.arange(every.size), choice["of"]
    own = places % of
    params: dict[str, int | Ints] = {**choice, "place": own, "out_bits": every.unit.bits}
    population = Population(name, (every.size,), "graded_choice", params, layer=every.population.layer)
    projections = [every.into(population)]
    for k, port in enumerate(OTHERS[: of - 1], 1):
        other = places - own + (own + k) % of
        rows = np.flatnonzero(other < every.size)
        projections.append(every.onto(population, port, rows, other[rows]))
    return population, projections
