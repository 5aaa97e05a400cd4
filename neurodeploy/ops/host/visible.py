"""Which keys a query sees: plain integers, without torch, so that costs can be counted where nothing is computed."""

from __future__ import annotations


def oldest_visible(position: int, window: int | None, chunk: int | None) -> int:
    """First key that the query at `position` may see: all of them, the last `window`, or those of its own chunk."""
    first = 0
    if window:
        first = max(first, position - window + 1)
    if chunk:
        first = max(first, position - position % chunk)
    return first
