"""Placement of communicating cores on a mesh, and of chips on a grid. `place_cores` is the entry."""

from __future__ import annotations

from partitioner.place.portfolio import Placed, Trial, place_cores
from partitioner.place.problem import Pairs, Problem, make_problem

__all__ = ["Pairs", "Placed", "Problem", "Trial", "make_problem", "place_cores"]
