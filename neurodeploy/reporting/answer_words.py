"""What a verb returned in the words of the terminal and in sections of the report, for a `repr` and for notebooks."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from neurodeploy.reporting import page, units
from neurodeploy.reporting.brief import brief
from neurodeploy.reporting.derive import phases
from neurodeploy.reporting.diff_page import diff_page
from neurodeploy.reporting.exploration_page import exploration_page
from neurodeploy.reporting.fit_page import fit_page
from neurodeploy.reporting.html import el
from neurodeploy.reporting.sections.frame import scrolled, section
from neurodeploy.reporting.terminal import show

#: Columns of what is shown as text.
_WIDTH = 120
#: Height of a page in a notebook, in pixels.
_HEIGHT = 520
#: Verbs whose results have a page of their own.
_PAGES: Mapping[str, Callable[[Any], str]] = {
    "explore": exploration_page, "fit": fit_page, "diff": diff_page,
}  # fmt: skip
#: What a result raises that parts were taken out of.
_CHANGED = (KeyError, TypeError, AttributeError, ValueError, IndexError)


def headlines(verb: str, found: Any) -> list[str]:
    """The answer in five lines at most, each cut where it is long; nothing where parts were taken out."""
    try:
        return [shorten(units.breakable(line.text), _WIDTH) for line in brief(verb, found)]
    except _CHANGED:
        return []


def shorten(line: str, width: int) -> str:
    """The line, its end cut where it has more than `width` characters."""
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def page_of(verb: str, found: Any) -> str | None:
    """A page of the report's sections that the result has the data of; of the terminal's words where there are none."""
    try:
        if verb in _PAGES:
            return _PAGES[verb](found)
        said = headlines(verb, found)
        made = page.parts(_data(verb, found)) or [
            section(verb, verb, [None, scrolled(verb, el("pre", _words(verb, found)))])
        ]
        head = el("header", el("h1", said[0] if said else verb), class_="hero")
        return page.document(f"neurodeploy {verb}", head, [], made)
    except _CHANGED:
        return None


def framed(document: str) -> str:
    """A page inside another: its styles and scripts meet nothing of the notebook's."""
    return (
        f'<iframe srcdoc="{html.escape(document, quote=True)}" sandbox="allow-scripts" '
        f'style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'
    )


def _words(verb: str, found: Any) -> str:
    """The whole summary as the terminal shows it, without colours."""
    into = io.StringIO()
    show(verb, found, Console(file=into, width=_WIDTH, highlight=False, force_terminal=False, force_jupyter=False))
    return into.getvalue()


def _data(verb: str, found: Any) -> Mapping[str, Any]:
    """A result under the names that sections of the report have for it."""
    if verb == "report":
        return dict(found["data"])
    if verb == "explain":
        return {"explain": found}
    if verb == "energy":
        return {"energy": phases(found), "variants": found.get("variants")}
    if verb == "eval":
        return {"comparison": found["comparison"], "run": found} if "comparison" in found else _scored(found)
    if verb == "run":
        return {
            **{key: found[key] for key in ("populations", "projections", "saturations", "wraps")},
            "run": {"notes": [], **found},
        }
    return {"variants": found["compared"]} if verb == "demo" else {}


def _scored(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {} if found["float"] is None else {"accuracy": found}
