"""HTML that is escaped unless it was made here: `el` escapes every child and attribute that is not already `Html`."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from neurodeploy.storage.tables import clean


class Html(str):
    """Markup that is safe to insert as it stands. Made by the functions of this file only."""

    __slots__ = ()


Child = str | int | float | None
Attr = str | int | float | bool | None

_VOID = frozenset({"meta", "input", "br", "rect", "line", "path", "circle", "link"})
_HTML_VOID = frozenset({"meta", "input", "br", "link"})


def text(value: Child) -> Html:
    """A value as escaped text; `Html` passes through, None is nothing."""
    if value is None:
        return Html("")
    if isinstance(value, Html):
        return value
    return Html(html.escape(clean(str(value)), quote=True))


def join(parts: Iterable[Child], between: str = "") -> Html:
    return Html(str(text(between)).join(text(part) for part in parts))


def el(tag: str, *children: Child, **attrs: Attr) -> Html:
    """``el("a", "x < y", class_="big", data_v=3)`` -> ``<a class="big" data-v="3">x &lt; y</a>``.

    A trailing underscore is dropped, others become dashes; True is a bare attribute, False and None are none.
    """
    written = []
    for key, value in attrs.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        if name == "viewbox":
            name = "viewBox"
        written.append(f" {name}" if value is True else f' {name}="{text(_number(value))}"')
    opening = f"<{tag}{''.join(written)}"
    if tag in _VOID and not children:
        return Html(opening + (">" if tag in _HTML_VOID else "/>"))
    return Html(f"{opening}>{join(children)}</{tag}>")


def _number(value: Attr) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def svg(kind: str, height: float, label: str, *shapes: Child, desc: str = "", **attrs: Attr) -> Html:
    """A drawing as wide as its place. `label` says what it shows; without one it repeats what is written beside it. `desc`
    tells its figures where they stand nowhere else."""
    said: dict[str, Attr] = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    told = el("desc", desc) if desc else None
    return el("svg", told, *shapes, class_=kind or None, height=height, **said, **attrs)


def line(kind: str, x: tuple[str, str], y: tuple[float, float], tip: str | None = None) -> Html:
    """From (x[0], y[0]) to (x[1], y[1]); `tip` is shown under the pointer."""
    return el("line", x1=x[0], x2=x[1], y1=y[0], y2=y[1], class_=kind, data_tip=tip)


def rect(kind: str, start: float, width: float, y: float, height: float, tip: str | None = None) -> Html:
    """`start` and `width` as shares of the drawing's width."""
    return el("rect", x=pct(start), width=pct(width), y=y, height=height, class_=kind, data_tip=tip)


def pct(fraction: float) -> str:
    """A length inside an SVG as a share of its width, so that charts reflow without scaling their text."""
    return f"{min(max(fraction, 0.0), 1.0) * 100:.3f}".rstrip("0").rstrip(".") + "%"


def json_block(name: str, value: Any) -> Html:
    """A ``<script type="application/json">`` that no string in `value` can close or turn into markup."""
    dumped = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for char in "<>&":
        dumped = dumped.replace(char, f"\\u{ord(char):04x}")
    return Html(f'<script type="application/json" id="{text(name)}">{dumped}</script>')


def fact_list(rows: Iterable[tuple[str, Child]]) -> Html:
    """A definition list of the rows whose value is not None."""
    return el("dl", *(el("div", el("dt", k), el("dd", v)) for k, v in rows if v is not None), class_="facts")
