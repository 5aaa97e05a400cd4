"""What a page says to who cannot see it: its outline, its tables, the names of its drawings, what is where in the tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.reporting.reader import VOID


@dataclass
class Element:
    """An element with the text of all that lies in it."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[Element, ...]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def inside(self, *tags: str) -> bool:
        return any(parent.tag in tags for parent in self.parents)


class Structure(HTMLParser):
    """All elements of a page in order."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = self._add(tag, attrs)
        if tag not in VOID:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> Element:
        made = Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open))
        self.elements.append(made)
        if self._open:
            self._open[-1].children.append(made)
        return made

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]


def faults(markup: str) -> list[str]:
    """Everything that is wrong, in words; the rules are those of WCAG 2.2 that can be told from the markup."""
    page = Structure(markup)
    return [*_frame(page), *_headings(page), *_tables(page), *_drawings(page), *_controls(page)]


def _frame(page: Structure) -> list[str]:
    found = []
    if page.all("html")[0].attributes.get("lang") != "en":
        found.append("no language")
    if not page.all("title")[0].text.strip():
        found.append("no title")
    found += [f"{len(page.all(tag))} {tag}" for tag in ("main", "header") if len(page.all(tag)) != 1]
    found += ["a nav without a name" for nav in page.all("nav") if not nav.attributes.get("aria-label")]
    first = next((a for a in page.all("a", "button", "input", "select", "summary")), None)
    mains = [main.attributes.get("id") for main in page.all("main")]
    if first is None or first.attributes.get("href", "")[1:] not in mains:
        found.append("the first stop of the keyboard does not lead to the main part")
    outside = [e for e in page.elements if e.inside("body") and len(e.parents) == 2]
    found += [
        f"{e.tag} outside of all landmarks"
        for e in outside
        if e.tag not in ("header", "nav", "main", "script", "a") and e.attributes.get("aria-hidden") != "true"
    ]
    return found


def _headings(page: Structure) -> list[str]:
    found, before = [], 0
    heads = page.all("h1", "h2", "h3", "h4", "h5", "h6")
    if [head.tag for head in heads].count("h1") != 1:
        found.append("not one h1")
    for head in heads:
        level = int(head.tag[1])
        if level > before + 1:
            found.append(f"h{level} {head.text!r} after h{before}")
        if not head.text.strip():
            found.append(f"an empty h{level}")
        before = level
    return found


def _tables(page: Structure) -> list[str]:
    found = []
    for table in page.all("table"):
        caption = [child for child in table.children if child.tag == "caption"]
        if not caption or not caption[0].text.strip():
            found.append("a table without a caption")
        around = table.parents[-1].attributes
        if around.get("class") != "scroll" or around.get("tabindex") != "0" or not around.get("aria-label"):
            found.append("a table that the keyboard cannot scroll")
    for head in page.all("th"):
        wanted = "col" if head.inside("thead") else "row"
        if head.attributes.get("scope") != wanted:
            found.append(f"th {head.text!r} without scope={wanted}")
        if wanted == "col" and not head.text.strip():
            found.append("an empty head of a column")
    rows = [row for row in page.all("tr") if row.inside("tbody")]
    found += ["a row without a head" for row in rows if row.children[0].tag != "th"]
    found += [
        "pre that cannot be scrolled" for pre in page.all("pre") if pre.parents[-1].attributes.get("tabindex") != "0"
    ]
    return found


def _drawings(page: Structure) -> list[str]:
    found = []
    for svg in page.all("svg"):
        if svg.inside("svg") or svg.attributes.get("aria-hidden") == "true":
            continue
        if svg.attributes.get("role") != "img" or not svg.attributes.get("aria-label", "").strip():
            found.append(f"a drawing without a name: {svg.attributes}")
    found += ["img without alt" for img in page.all("img") if not img.attributes.get("alt")]
    return found


def _controls(page: Structure) -> list[str]:
    ids = {label.attributes.get("for") for label in page.all("label")}
    found = []
    for control in page.all("input", "select"):
        named = control.attributes.get("aria-label") or control.inside("label") or control.attributes.get("id") in ids
        if not named:
            found.append(f"{control.tag} {control.attributes.get('id')} without a name")
    found += ["details without a summary" for d in page.all("details") if d.children[0].tag != "summary"]
    return found
