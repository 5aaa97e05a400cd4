"""`Rule`: how one population shall be cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.budget import Limits


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How one population shall be cut.

    limits : of its cores. rows : at most so many neurons a tile. blocks : so many blocks of columns, None: as few as fit.
    most_blocks : not more than these. stops : rows where tiles should end, ascending. rate : the part of the axons that
    carries a message in a step. even : in tiles of `rows` rows, each meant to have a core to itself.
    """

    limits: Limits
    rows: int | None = None
    blocks: int | None = None
    most_blocks: int | None = None
    stops: Ints | None = None
    rate: Fraction = Fraction(1)
    even: bool = False


def with_stops(rules: dict[str, Rule], stops: dict[str, Ints]) -> dict[str, Rule]:
    return {name: replace(rule, stops=stops[name]) if name in stops else rule for name, rule in rules.items()}
