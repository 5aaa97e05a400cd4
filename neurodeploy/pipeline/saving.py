"""Verbs whose option `out` keeps the answer: as a page, as JSON or as a table, whichever its ending says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle.files import check_place
from neurodeploy.reporting.answer import Result, check_ending


def check_out(out: str | Path | None) -> None:
    """ND5004 or ND5013, before the work, where the answer could not be kept there."""
    if out is not None:
        check_ending(Path(out))
        check_place(Path(out), "answer.html", parents=True)


def saved(verb: str, found: dict[str, Any], out: str | Path | None) -> dict[str, Any]:
    """The answer, kept where that was asked for; "out" is its file then."""
    if out is None:
        return found
    found = {**found, "out": str(out)}
    Result(verb, found).save(out)
    return found
