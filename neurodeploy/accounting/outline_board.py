"""Chips on boards: where chip k stands, and the busiest link of messages from and to the host's port."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.chip import SystemSpec

Array = NDArray[np.int64]


class Board:
    """Chips on boards: where chip k stands, and the busiest link of messages from and to the host port at chip 0."""

    def __init__(self, system: SystemSpec) -> None:
        self.columns, self.size = system.grid[0], system.chips
        self.rows = -(-system.chips // self.columns)

    def place(self, chips: Array) -> tuple[Array, Array, Array]:
        """(board, column, row) of each chip."""
        inside = chips % self.size
        return chips // self.size, inside % self.columns, inside // self.columns

    def hops(self, chips: Array) -> Array:
        """Chip-to-chip links between a chip and its board's port."""
        _, x, y = self.place(chips)
        return np.asarray(x + y, np.int64)

    def busiest(self, chips: Array, entering: NDArray[np.float64], leaving: NDArray[np.float64]) -> float:
        """Messages over the busiest directed link. Rows first: into the board along row 0 and down a column, out of it
        along each row and up column 0."""
        if not len(chips):
            return 0.0
        board, x, y = self.place(chips)
        boards, at = np.unique(board, return_inverse=True)
        grid_in, grid_out = (np.zeros((len(boards), self.rows, self.columns)) for _ in range(2))
        np.add.at(grid_in, (at, y, x), entering)
        np.add.at(grid_out, (at, y, x), leaving)
        best = 0.0
        for along, down in (
            (grid_in.sum(1)[:, 1:].sum(1), grid_in[:, 1:, :].sum(1).max(1, initial=0.0)),
            (grid_out[:, :, 1:].sum(2).max(1, initial=0.0), grid_out[:, 1:, :].sum((1, 2))),
        ):
            best = max(best, float(along.max(initial=0.0)), float(down.max(initial=0.0)))
        return best
