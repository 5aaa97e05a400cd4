"""The Pareto front of the rows of an exploration, and the sentence that answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.reporting import exploration

Row = dict[str, Any]
#: A point whose loss is so little above the reference counts as one that keeps the model's quality.
WITHIN = 0.01


def mark_front(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Set "front" of each row: whether none of the others is at most as large in all columns and smaller in one. A row that
    lacks one of them, or has an error, is neither on the front nor beats another."""
    known = [row for row in rows if row["error"] is None and all(row[name] is not None for name in columns)]
    ends = [tuple(row[name] for name in columns) for row in known]
    for row, own in zip(known, ends, strict=True):
        row["front"] = not any(
            other != own and all(theirs <= ours for theirs, ours in zip(other, own, strict=True)) for other in ends
        )


def answer(table: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The point on the front with the least joules at the wall among those within `WITHIN` of the reference: of a text the
    loss of the float model (the least, where a preset puts a token before the text), without it the least of the points; of
    other networks none."""
    front = [row for row in rows if row["front"]]
    done = f"{len(front)} of {exploration.points(len(rows))} on the front"
    if not front:
        errors = [row["error"] for row in rows if row["error"]]
        return f"no point of {len(rows)} could be priced" + (f": {errors[0]}" if errors else "")
    limit, said = _limit(table, front)
    good = [row for row in front if row["loss"] <= limit]
    if good:
        best = min(good, key=lambda row: (row["joules_wall"], row["point"]))
        return f"least joules {said}: {exploration.told(table, best)}; {done}"
    best = min(front, key=lambda row: (row["loss"], row["point"]))
    return f"least loss: {exploration.told(table, best)}; no point {said}; {done}"


def _limit(table: Mapping[str, Any], front: Sequence[Row]) -> tuple[float, str]:
    """The largest loss that counts as none, and what it is in words."""
    share = f"{WITHIN:.0%}".replace("%", " %")
    if table["float_loss"] is not None:
        return table["float_loss"] * (1 + WITHIN), f"within {share} of float"
    if table["relative"]:
        return min(row["loss"] for row in front) * (1 + WITHIN), f"within {share} of the least loss"
    return WITHIN, f"with a loss of at most {share}"
