"""A line of an answer and its style, for terminals that have colours."""

from __future__ import annotations

from typing import NamedTuple


class Said(NamedTuple):
    """text : one sentence. style : of rich, "" for none."""

    text: str
    style: str = ""
