"""Classes of islands cut into tiles by the mapper's own split, without weights; the tiles of a window of equal layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neurodeploy.ir.chip import Basis, ChipSpec, Limit, SystemSpec
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.hollow import hollow_island, hollow_program
from neurodeploy.ir.outline import Matrix
from neurodeploy.ir.program import Island, Slice

from .options import Options
from .split import Tile, split_islands

#: Stands for the model in a program that only the split sees.
_INFO = ModelInfo("outline", "", 1, 1, 1, 1, "")
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
        self._islands: dict[Matrix, Island] = {}
        self._known: dict[tuple[tuple[Matrix, ...], ...], tuple[Tile, ...]] = {}

    def of(self, layers: Sequence[tuple[Matrix, ...]]) -> tuple[Tile, ...]:
        """The tiles of these layers' islands, one of each class, cut together as `map_program` cuts them. Those of layer n
        > 0 have "n:" before their island's name.

        Raises DoesNotFit ND2002 where not even one neuron of an island fits a core.
        """
        key = tuple(layers)
        if key not in self._known:
            islands = []
            for number, matrices in enumerate(layers):
                for matrix in matrices:
                    island = self._islands.setdefault(matrix, hollow(matrix, self.bits))
                    islands.append(replace(island, name=f"{number}:{matrix.name}") if number else island)
            system = SystemSpec("", self.chip, _CHIPS, (_CHIPS, 1), "")
            options = Options(weight_bits=self.bits)
            self._known[key] = tuple(
                split_islands(hollow_program(_INFO, islands), islands, system, options, _CHIPS).tiles
            )
        return self._known[key]
