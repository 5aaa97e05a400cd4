"""Messages between the host and the chips of a unit, from its tiles: what a link or a port carries at full activity.

One event for each column enters every chip that holds it, and is delivered to every core that holds it; one message for each
word of a row's output leaves. Partial sums stay between cores and are not counted here (`accounting` counts them).
"""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.border import BorderLoads, union
from neurodeploy.flow.words import messages_of
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import STATE_BITS

from .fit import Unit
from .fit_chips import Spot


class Flows:
    """Flows of copies; those that begin at the same place of a chip are equal but for the chips' numbers."""

    def __init__(self, units: list[Unit], chip: ChipSpec) -> None:
        self.units, self.chip = units, chip
        self.words = messages_of(STATE_BITS, chip)
        self._known: dict[tuple[int, int, int], list[BorderLoads]] = {}

    def of(self, spot: Spot) -> list[BorderLoads]:
        """A flow for each island of the unit, in order."""
        per_chip, unit = self.chip.cores, self.units[spot.unit]
        apart = spot.tail[0] % per_chip if spot.tail is not None else -1
        key = (spot.unit, spot.start % per_chip, apart)
        if key not in self._known:
            self._known[key] = self._flows(unit, spot)
        base = self._chip(spot, 0)
        tail = spot.tail[0] // per_chip if spot.tail is not None else 0
        full = spot.cores // per_chip
        return [
            flow._replace(
                chips=np.where(flow.chips < full, base + flow.chips, tail) if apart >= 0 else base + flow.chips
            )
            for flow in self._known[key]
        ]

    def _chip(self, spot: Spot, core: int) -> int:
        return (spot.start + core) // self.chip.cores

    def _flows(self, unit: Unit, spot: Spot) -> list[BorderLoads]:
        """With chips counted from the copy's first."""
        per_chip, first = self.chip.cores, spot.start // self.chip.cores
        columns: dict[tuple[str, int], set[tuple[int, int]]] = {}
        totals: dict[tuple[str, int], list[int]] = {}
        for tile, core in zip(unit.tiles, unit.core_of, strict=True):
            chip = core // per_chip if spot.tail is not None else (spot.start + core) // per_chip - first
            key = (tile.island, chip)
            delivered, leaving = totals.setdefault(key, [0, 0])
            rows, width = tile.rows[1] - tile.rows[0], tile.cols[1] - tile.cols[0]
            if tile.kind == "synapses":
                columns.setdefault(key, set()).add(tile.cols)
                totals[key][0] = delivered + width
            if self._sends(unit, tile.island, tile.kind, width):
                totals[key][1] = leaving + rows * self.words
        found = []
        for matrix in unit.matrices:
            table = []
            for chip in sorted(chip for name, chip in totals if name == matrix.name):
                entering = sum(stop - start for start, stop in union(columns.get((matrix.name, chip), ())))
                table.append((chip, entering, *totals[matrix.name, chip]))
            found.append(BorderLoads(*np.array(table, np.int64).reshape(-1, 4).T))
        return found

    @staticmethod
    def _sends(unit: Unit, island: str, kind: str, width: int) -> bool:
        """Whether a tile's rows leave for the host: reducers', or those of a tile with all columns."""
        whole = next(matrix.columns for matrix in unit.matrices if matrix.name == island)
        return kind == "reducer" or width == whole
