"""The page: the sections in the order of a reader's questions, in one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from neurodeploy.reporting.html import Html, el, join
from neurodeploy.reporting.missing import MISSING
from neurodeploy.reporting.sections.accuracy import accuracy
from neurodeploy.reporting.sections.chips import chips
from neurodeploy.reporting.sections.conversion import conversion
from neurodeploy.reporting.sections.counts import comparison, counts, neurobench
from neurodeploy.reporting.sections.energy import energy
from neurodeploy.reporting.sections.experts import experts
from neurodeploy.reporting.sections.frame import Body, section
from neurodeploy.reporting.sections.hero import hero, name_of
from neurodeploy.reporting.sections.labelled import labelled
from neurodeploy.reporting.sections.notes import not_run, provenance
from neurodeploy.reporting.sections.ops import ops
from neurodeploy.reporting.sections.quality import quality
from neurodeploy.reporting.sections.rasters import rasters, states
from neurodeploy.reporting.sections.traffic import traffic
from neurodeploy.reporting.sections.variants import variants

#: key of the data, anchor on the page, title, maker
_PARTS: tuple[tuple[str, str, str, Callable[[Any], Body | None]], ...] = (
    ("map", "map", "Chip map", chips),
    ("map", "quality", "Mapping quality", quality),
    ("energy", "energy", "Energy", energy),
    ("variants", "variants", "What is on the chip, side by side", variants),
    ("populations", "counts", "Counts", counts),
    ("rasters", "raster", "Activity in time", rasters),
    ("traces", "states", "States", states),
    ("comparison", "comparison", "Float against integers", comparison),
    ("labelled", "labelled", "Right and wrong by class", labelled),
    ("accuracy", "accuracy", "Accuracy", accuracy),
    ("explain", "operations", "Operations", ops),
    ("traffic", "traffic", "Traffic", traffic),
    ("experts", "experts", "Experts", experts),
    ("conversion", "conversion", "Conversion", conversion),
    ("neurobench", "neurobench", "NeuroBench metrics", neurobench),
)
#: Sections whose absence means nothing: a model without experts lacks nothing, nor does a mapping that was not judged.
_OPTIONAL = ("experts", "quality")
#: What only a model that reads a text has.
_OF_TEXTS = ("accuracy", "sample")


def page(data: Mapping[str, Any], beside: dict[str, str]) -> str:
    """The whole page as text. `beside`: name and content of each file written next to it.

    Equal data give equal bytes. The content security policy forbids every request, and every script but our own.
    """
    bodies, contents, missing = [], [], []
    for key, anchor, title, made in _made(data):
        if made is not None:
            bodies.append(made)
            contents.append((anchor, title))
        elif key in MISSING and anchor not in _OPTIONAL and not (key in _OF_TEXTS and "traces" in data):
            missing.append((key, title))
    if missing:
        contents.append(("not-run", "Not run yet"))
    contents.append(("provenance", "Provenance"))
    sections = [*bodies, not_run(data, missing), provenance(data.get("provenance"), beside)]
    return document(f"{name_of(data)}{_where(data)}", hero(data), contents, sections)


def _made(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Html | None]]:
    """Every section in order: key of the data, anchor, title, and what was made of it; None where it was not run."""
    for key, anchor, title, part in _PARTS:
        body = part(data)
        yield key, anchor, title, None if body is None else section(anchor, title, body)


def parts(data: Mapping[str, Any]) -> list[Html]:
    """The sections that `data` has something for, with nothing about those that it lacks: of one verb's result."""
    return [made for _, _, _, made in _made(data) if made is not None]


def document(title: str, head: Html, contents: Sequence[tuple[str, str]], sections: Sequence[Html | None]) -> str:
    """One HTML file of a head, a table of contents as (anchor, title), and sections; it loads nothing."""
    folder = files("neurodeploy.reporting")
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    top = [
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("link", rel="icon", href="data:,"),
        el("title", title),
        Html(f"<style>{style}</style>"),
    ]
    links = [el("a", name, href=f"#{anchor}") for anchor, name in contents]
    body = [
        el("a", "Skip to the sections", href="#main", class_="skip"),
        head,
        el("nav", *links, aria_label="Contents") if links else None,
        el("main", *sections, id="main", tabindex=-1),
        el("div", id="tip", aria_hidden="true"),
        Html(f"<script>{script}</script>"),
    ]
    return "<!doctype html>\n" + el("html", el("head", *top), "\n", el("body", join(body, "\n")), lang="en") + "\n"


def _where(data: Mapping[str, Any]) -> str:
    section = data.get("map")
    return f" on {section['system'] if section is not None else 'no system yet'}"
