"""Which row of `fit` an answer speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def best(rows: Sequence[Row]) -> Row | None:
    """The row to name where it fits: the widest weights, then the smallest system."""
    fitting = [r for r in rows if r["fits"]]
    return min(fitting, key=lambda r: (-r["bits"], r["system_chips"], r["system"])) if fitting else None


def nearest(rows: Sequence[Row]) -> Row | None:
    """The row to talk about where nothing fits: the largest system, the widest weights."""
    known = [r for r in rows if r["chips"] is not None]
    return max(known, key=width) if known else None


def width(entry: Row) -> tuple[int, int]:
    """The larger the system, then the wider the weights."""
    return entry["system_chips"], entry["bits"]
