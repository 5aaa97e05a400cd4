"""Simulated annealing of a placement: exchanges in a shrinking window, in integers (Kirkpatrick et al. 1983).

The temperature falls as ``T0 * (1 - s)**3`` over the stages s, the window shrinks with it; both are integers computed with
exact arithmetic, and the Metropolis rule compares integers (`kernels.anneal_stage`). The same seed therefore gives the same
placement on every machine. Nothing is decided by the clock, except where a deadline cuts the search short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.place import kernels
from partitioner.place.problem import Problem
from partitioner.place.randomness import late

#: Stages of equal length in which temperature and window fall.
STAGES = 64

#: Proposals between two looks at the clock, where there is a deadline.
PATIENCE = 200_000

#: Of 256 proposals, those that aim next to a neighbour of the item.
NEAR = 224

#: -ln of 4096 midpoints of (0, 1) in units of 2**-12. Rounded so coarsely that every libm gives the same integers.
TABLE = np.array([round(-math.log((k + 0.5) / 4096) * 4096) for k in range(4096)], np.int64)

#: The fixed-point temperature starts with this many bits; times a table entry (17 bits) it stays in 63.
LEVEL_BITS = 40


@dataclass(slots=True, eq=False)
class Mesh:
    """The sites as cells of a grid, by rank of their coordinates, so that windows are rectangles of cells.

    cell (m,) : of each site. cell_start, cell_site : the sites of each cell. size (2,) : columns and rows.
    """

    cell: Ints
    cell_start: Ints
    cell_site: Ints
    size: Ints


def make_mesh(problem: Problem) -> Mesh:
    columns, x = np.unique(problem.sites[:, 0], return_inverse=True)
    rows, y = np.unique(problem.sites[:, 1], return_inverse=True)
    cell = (y * len(columns) + x).astype(np.int64)
    start = np.zeros(len(columns) * len(rows) + 1, np.int64)
    np.cumsum(np.bincount(cell, minlength=len(start) - 1), out=start[1:])
    return Mesh(
        cell, start, np.argsort(cell, kind="stable").astype(np.int64), np.array([len(columns), len(rows)], np.int64)
    )


class State:
    """A placement that the kernels change in place, with its exact cost."""

    def __init__(self, problem: Problem, mesh: Mesh, site: Ints, seed: int) -> None:
        self.problem, self.mesh = problem, mesh
        self.random = np.array([(seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % 2**64 or 1], np.uint64)
        self.load(site)

    def load(self, site: Ints) -> None:
        problem = self.problem
        self.place = np.array(site, np.int64)
        self.occupant = np.full(len(problem.sites), -1, np.int64)
        self.occupant[self.place] = np.arange(problem.n)
        where = np.concatenate((problem.scaled[self.place], problem.fixed))
        self.px, self.py = np.ascontiguousarray(where[:, 0]), np.ascontiguousarray(where[:, 1])
        self.cost = problem.cost(self.place)

    def stage(self, moves: int, level: int, shift: int, window: int) -> None:
        p, m = self.problem, self.mesh
        self.cost += int(kernels.anneal_stage(
            p.indptr, p.index, p.weight, self.place, self.occupant, self.px, self.py, p.scaled,
            m.cell, m.cell_start, m.cell_site, m.size, window, NEAR, level, shift, TABLE, moves, self.random,
        ))  # fmt: skip

    def polish(self, window: int, rounds: int = 50) -> None:
        p, m = self.problem, self.mesh
        self.cost += int(kernels.polish(
            p.indptr, p.index, p.weight, self.place, self.occupant, self.px, self.py, p.scaled,
            m.cell, m.cell_start, m.cell_site, m.size, window, rounds,
        ))  # fmt: skip

    def scale(self) -> int:
        """The mean size of the cost change of a random exchange."""
        p = self.problem
        return int(
            kernels.sample(
                p.indptr, p.index, p.weight, self.place, self.occupant, self.px, self.py, p.scaled, 256, self.random
            )
        )


def anneal(state: State, moves: int, heat: tuple[int, int], deadline: float | None = None) -> bool:
    """Anneal `state` with about `moves` proposals, keep its best placement. False where the deadline cut it short.

    heat : T0 as a fraction of the mean size of the cost change of a random exchange.
    deadline : of `time.monotonic`, looked at between stages.
    """
    widest = int(state.mesh.size.max())
    warmth = max(1, state.scale() * heat[0] // heat[1]) if heat[0] else 0
    shift = max(0, LEVEL_BITS - warmth.bit_length())
    top = min((state.scale() << shift) * heat[0] // heat[1], 2 ** (LEVEL_BITS + 5))
    best, best_cost = state.place.copy(), state.cost
    share, finished = max(1, moves // STAGES), True
    for left in range(STAGES, 0, -1):
        level = top * left**3 // STAGES**3
        span = 1 + (widest - 1) * left**3 // STAGES**3
        for done in range(0, share, PATIENCE):
            if late(deadline):
                finished = False
                break
            state.stage(min(PATIENCE, share - done), level, shift + 12, span)
        if state.cost < best_cost:
            best, best_cost = state.place.copy(), state.cost
        if not finished:
            break
    if best_cost < state.cost:
        state.load(best)
    return finished
