"""What all sections share: the frame with title and first sentence, the note of a part that was not run, marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Child, Html, el, join
from neurodeploy.reporting.missing import how_to

#: Rows that a table shows before it refers to the files beside the page.
MAX_ROWS = 300


#: One sentence that says what a section found (None for none), then what shows it.
Body = Sequence[Child]


def section(name: str, title: str, body: Body) -> Html:
    lead, *rest = body
    return el("section", el("h2", title), el("p", lead, class_="lead") if lead else None, *rest, id=name)


def missing_note(data: Mapping[str, Any], name: str) -> Html:
    """Inside a section: one part of it was not run."""
    what, command = how_to(data, name)
    return el("p", f"Not run. {what}: ", el("code", command), class_="missing")


def basis_mark(basis: str) -> Html:
    """Where a number comes from, told by shape as well as by word."""
    return el("span", basis, class_=f"basis basis-{basis}")


def device_mark(device: str) -> Html:
    known = device if device in ("chip", "host") else "other"
    return el("span", device, class_=f"device device-{known}")


def table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[Html]],
    class_: str = "sortable",
    name: str | None = None,
) -> Html:
    """A table; a head that ends in ">" is of a column of numbers. Cells are made with `cell`, and sorted by the script.

    caption : what it shows, for who cannot see where it stands. The first cell of a row is its head. A column in which
    every cell is empty is left out.
    """
    shown = [i for i in range(len(heads)) if i == 0 or not all(_is_empty(row[i]) for row in rows)]
    kinds = ((heads[i].removesuffix(">"), "num" if heads[i].endswith(">") else None) for i in shown)
    head = el("tr", *(el("th", text, class_=kind, scope="col") for text, kind in kinds))
    body = join(el("tr", _head_of_row(row[0]), *(row[i] for i in shown[1:])) for row in rows)
    parts = el("caption", caption, class_="unseen"), el("thead", head), el("tbody", body)
    return scrolled(caption, el("table", *parts, class_=class_, id=name))


def scrolled(label: str, *body: Child) -> Html:
    """What may be wider than the page: it alone scrolls, by pointer or keyboard."""
    return el("div", *body, class_="scroll", role="group", aria_label=label, tabindex=0)


def _is_empty(made: Html) -> bool:
    return re.fullmatch(r"<td[^>]*></td>", made) is not None


def _head_of_row(made: Html) -> Html:
    """A cell (`cell`) as the head of its row."""
    return Html(f'<th scope="row"{made.removeprefix("<td").removesuffix("</td>")}</th>')


def cell(value: Child, key: float | None = None, class_: str = "") -> Html:
    """A cell; with `key` it is a number: right-aligned, and sorted by the key."""
    kind = f"num {class_}".strip() if key is not None else class_
    return el("td", value, class_=kind or None, data_v=key)


def texts(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[list[Html]]:
    """Cells of rows that are words already; those under a head of numbers are aligned as such, and not sorted."""
    kinds = ["num" if head.endswith(">") else "" for head in heads]
    return [[cell(text, class_=kind) for text, kind in zip(row, kinds, strict=True)] for row in rows]


def number(value: float | None, unit: str = "") -> Html:
    """A number in SI units; nothing at all is said softly."""
    if not value:
        return cell("0" if value == 0 else units.DASH, 0.0 if value == 0 else -1.0, "muted")
    return cell(units.si(value, unit), value)


def ratio(value: float | None, digits: int = 2) -> Html:
    return cell(f"{value:.{digits}f}" if value else units.DASH, value or 0.0)


def folded(said: str, *body: Child) -> Html:
    """What a reader opens by clicking on what is said."""
    return el("details", el("summary", said), *body)


def bullets(items: list[str], title: str) -> Html | None:
    if not items:
        return None
    return el("div", el("h3", title), el("ul", *(el("li", item) for item in items)), class_="notes")
