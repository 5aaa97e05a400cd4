"""`Rule`: how one population shall be cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.budget import Limits


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How one population shall be cut.

    limits : of its cores. rows : at most so many neurons a tile. blocks : so many blocks of columns, None: as few as fit.
    most_blocks : not more than these. stops : rows where tiles should end, ascending. banded : in bands of equal rows
    (`cut.uniform.banded`), where rows are alike, with the least by `objective` where this part of the axons, `rate`,
    carries a message in a step.
    """

    limits: Limits
    rows: int | None = None
    blocks: int | None = None
    most_blocks: int | None = None
    stops: Ints | None = None
    banded: bool = False
    objective: str = "cores"
    rate: Fraction = Fraction(1)


def with_stops(rules: dict[str, Rule], stops: dict[str, Ints]) -> dict[str, Rule]:
    return {name: replace(rule, stops=stops[name]) if name in stops else rule for name, rule in rules.items()}


def with_rows(rules: dict[str, Rule], rows: dict[str, int]) -> dict[str, Rule]:
    """At most so many rows a tile, and what was pinned before."""
    return {
        name: replace(rule, rows=int(np.minimum(rows[name], rule.rows or rows[name]))) if name in rows else rule
        for name, rule in rules.items()
    }
