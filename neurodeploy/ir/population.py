"""`Population`: neurons of one model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from neurodeploy.ir.fixedpoint import Ints

#: Name of the model of a population that is fed from outside.
INPUT = "input"


@dataclass(frozen=True, slots=True)
class Section:
    """Neurons ``start:stop`` of a population: one projection of the model, `path`, with what a mapper keeps together: its
    role and the number of its attention heads."""

    path: str
    start: int
    stop: int
    role: str = ""
    heads: int = 0

    @property
    def rows(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one model (`neurodeploy.neurons.registry.MODELS`), or the model "input": payloads come from outside.

    params : by name an int for all neurons or an integer array (size,) in index order, within the ranges of the model; a
        table of all neurons is an array (1, entries).
    initial : state variables that do not start at the model's own value, likewise.
    sections, layer, expert : what of the model it is, for mappers and reports; no arithmetic asks for them.
    """

    name: str
    shape: tuple[int, ...]
    model: str
    params: Mapping[str, int | Ints] = field(default_factory=dict)
    initial: Mapping[str, int | Ints] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    layer: int | None = None
    expert: int | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)
