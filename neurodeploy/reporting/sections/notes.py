"""The end of the page: what was not run and how to run it, what made the page, and the files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from neurodeploy.reporting.html import Child, Html, el, fact_list
from neurodeploy.reporting.missing import how_to
from neurodeploy.reporting.sections.frame import section
from neurodeploy.reporting.units import Data
from neurodeploy.storage.tables import clean


def not_run(data: Mapping[str, Any], missing: list[tuple[str, str]]) -> Html | None:
    """All sections that were not run, as pairs of key and title, with the command for each."""
    if not missing:
        return None
    rows = []
    for name, title in missing:
        what, command = how_to(data, name)
        rows.append(el("li", el("b", title), el("span", what), el("code", command)))
    body = "This page grows with what has been run.", el("ul", *rows, class_="missing-list")
    return section("not-run", "Not run yet", body)


def provenance(found: Data | None, files: dict[str, str]) -> Html:
    """`files` maps the name of a file beside the page to what it holds."""
    beside = el("ul", *(el("li", el("a", name, href=_relative(name)), f" {what}") for name, what in files.items()))
    if found is None:
        facts = el("p", "Not recorded: version, seed and hashes.", class_="hint")
    else:
        rows: list[tuple[str, Child]] = [
            ("neurodeploy", found["tool_version"]),
            ("Made", found["created"]),
            ("Seed", found["seed"]),
            ("Bundle", found["bundle"]),
            *((name, el("code", value)) for name, value in found["hashes"].items()),
        ]
        facts = fact_list(rows)
    files_list = el("div", el("h3", "Files beside this page"), beside)
    return section("provenance", "Provenance", [None, el("div", facts, files_list, class_="two")])


def _relative(name: str) -> str:
    """A file name as a relative link that can never be read as a scheme or a path."""
    return "./" + quote(clean(name), safe="")
