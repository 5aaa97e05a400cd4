"""Islands without weights cut into tiles by the mapper's own split; the tiles of a window of equal layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from neurodeploy.ir.chip import Basis, ChipSpec, Limit, SystemSpec
from partitioner.cost.budget import core_limits
from partitioner.cost.population import View
from partitioner.cut.joint import split_uniform
from partitioner.cut.rules import Rule
from partitioner.cut.settle import tiles_of
from partitioner.cut.stamp import Tile
from partitioner.options import Options

#: As many chips as the split may plan with: what fits is decided afterwards.
_CHIPS = 1 << 20


def with_memory(chip: ChipSpec, kib: int | None) -> ChipSpec:
    """The chip with so many KiB of synaptic memory a core instead of its own; None leaves it."""
    if kib is None:
        return chip
    limit = Limit(kib * 1024, Basis.GUESSED, f"asked for: {kib} KiB")
    return replace(chip, budget=replace(chip.budget, synapse_bytes=limit))


class Cuts:
    """Tiles of layers on one chip; what was cut once is remembered."""

    def __init__(self, chip: ChipSpec) -> None:
        self.chip = chip
        self._known: dict[tuple[tuple[View, ...], ...], tuple[Tile, ...]] = {}

    def of(self, layers: Sequence[tuple[View, ...]]) -> tuple[Tile, ...]:
        """The tiles of these layers' islands, one of each class, cut together as `map_model` cuts them. Those of layer n
        > 0 have "n:" before their island's name.

        Raises DoesNotFit ND2002 where not even one neuron of an island fits a core.
        """
        key = tuple(layers)
        if key not in self._known:
            views = []
            for number, members in enumerate(layers):
                for view in members:
                    name = f"{number}:{view.name}" if number else view.name
                    views.append(replace(view, name=name, group=name, expert=False, share=Fraction(1)))
            rules = dict.fromkeys((view.name for view in views), Rule(core_limits(self.chip)))
            system = SystemSpec("", self.chip, _CHIPS, (_CHIPS, 1), "")
            found = split_uniform(views, rules, system, Options(), _CHIPS)
            self._known[key] = tiles_of({view.name: view for view in views}, found.cuts)
        return self._known[key]
