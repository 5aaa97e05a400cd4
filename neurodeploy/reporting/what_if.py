"""What page and terminal say of changes to an account (`accounting.whatif`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.units import Data

#: Changes that nobody asked for, beside those that were.
HELPS = 3


def changes(phase: Data, unit: str) -> tuple[list[str], list[list[str]]] | None:
    """Heads and rows of a table: what was asked for, together and alone, and the changes that would help most. None of an
    account that does not say it, or where nothing would change it."""
    found: Mapping[str, Any] = phase.get("what_if") or {}
    each: Sequence[Data] = found.get("each", ())
    alone = [row for row in each if row["asked"]]
    picked = [*alone, *[row for row in each if not row["asked"]][:HELPS]]
    picked.sort(key=lambda row: -row["saved"]["joules"])
    if len(alone) > 1:
        picked.insert(0, found["asked"])
    if not picked:
        return None
    at = str(found["ranked_at"])
    heads = ["What if", "That is", f"J per {unit}, {at}>", "Saved>", f"s per {unit}>", "Saved>"]
    return heads, [
        [
            row["change"] + (" (asked)" if row["asked"] else ""), row["text"],
            units.si(row["joules_per_token"][at]["nominal"], "J"), units.percent(row["saved"]["joules"], 2),
            units.si(row["seconds_per_token"]["nominal"], "s"), units.percent(row["saved"]["seconds"], 2),
        ]
        for row in picked
    ]  # fmt: skip
