"""Classes of islands cut into tiles by the mapper's own split, without weights; the tiles of a window of equal layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neurodeploy.ir.chip import Basis, ChipSpec, Limit, SystemSpec
from neurodeploy.ir.outline import Matrix
from neurodeploy.ir.program import Island, Slice
from neurodeploy.synapses.hollow import hollow_island
from partitioner.cost.budget import core_limits
from partitioner.cost.population import View, view_of
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


def hollow(matrix: Matrix, bits: int) -> Island:
    """One island of this class without weights."""
    start, slices = 0, []
    for part in matrix.parts:
        slices.append(Slice(part.role, part.role, start, start + part.rows, part.role, part.heads))
        start += part.rows
    return hollow_island(matrix.name, start, matrix.columns, slices=slices, weight_bits=bits)


class Cuts:
    """Tiles of layers on one chip at one width; what was cut once is remembered."""

    def __init__(self, chip: ChipSpec, bits: int) -> None:
        self.chip, self.bits = chip, bits
        self._views: dict[Matrix, View] = {}
        self._known: dict[tuple[tuple[Matrix, ...], ...], tuple[Tile, ...]] = {}

    def of(self, layers: Sequence[tuple[Matrix, ...]]) -> tuple[Tile, ...]:
        """The tiles of these layers' islands, one of each class, cut together as `map_model` cuts them. Those of layer n
        > 0 have "n:" before their island's name.

        Raises DoesNotFit ND2002 where not even one neuron of an island fits a core.
        """
        key = tuple(layers)
        if key not in self._known:
            views = []
            for number, matrices in enumerate(layers):
                for matrix in matrices:
                    if matrix not in self._views:
                        self._views[matrix] = view_of(hollow(matrix, self.bits), self.chip)
                    view = self._views[matrix]
                    name = f"{number}:{matrix.name}"
                    views.append(replace(view, name=name, group=name) if number else view)
            rules = dict.fromkeys((view.name for view in views), Rule(core_limits(self.chip)))
            system = SystemSpec("", self.chip, _CHIPS, (_CHIPS, 1), "")
            found = split_uniform(views, rules, system, Options(), _CHIPS)
            self._known[key] = tiles_of({view.name: view for view in views}, found.cuts)
        return self._known[key]
