"""Points over two figures: one on a logarithmic scale along the width, one fitted to the data along the height."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import LogScale, ticks
from neurodeploy.reporting.html import Html, el, line, pct, svg

#: Pixels of the drawing, of the names below it, and of the names beside it.
HEIGHT, _BELOW, _BESIDE = 320, 30, 64
#: A share of the width that stays free at both ends.
_MARGIN = 0.04


@dataclass(frozen=True, slots=True)
class Point:
    """front : drawn large, and joined with its neighbours of one colour on the front."""

    x: float
    y: float
    colour: str
    front: bool
    tip: str


def _across(points: Sequence[Point]) -> Callable[[float], str]:
    """Position of a value: a logarithm over what the points cover."""
    low, high = math.log10(min(p.x for p in points)), math.log10(max(p.x for p in points))
    wide = max(high - low, 0.1)
    return lambda value: pct(_MARGIN + (1 - 2 * _MARGIN) * (math.log10(value) - (low + high - wide) / 2) / wide)


def _marks(points: Sequence[Point]) -> list[float]:
    """Values of 1, 2 and 5 times a power of ten that lie between the points; the ends where there are none."""
    scale = LogScale.over({"low": p.x, "nominal": p.x, "high": p.x} for p in points)
    low, high = min(p.x for p in points), max(p.x for p in points)
    every = [first * decade for decade in scale.decades() for first in (1, 2, 5)]
    inside = [value for value in every if low <= value <= high]
    return inside if len(inside) > 1 else sorted({low, high})


def scatter(points: Sequence[Point], x_unit: str, titles: tuple[str, str], label: str) -> Html:
    """`points` have x above 0. titles : below and beside the drawing, whose height does not begin at zero."""
    low, high = min(p.y for p in points), max(p.y for p in points)
    step = ticks(max(high - low, abs(high) * 1e-3, 1e-9), 4)[1]
    base, top = math.floor(low / step) * step, math.ceil(high / step) * step
    top = max(top, base + step)

    def y(value: float) -> float:
        return 10 + (HEIGHT - _BELOW - 20) * (1 - (value - base) / (top - base))

    at = _across(points)
    rows = [base + step * i for i in range(round((top - base) / step) + 1)]
    shapes = [line("grid", ("0%", "100%"), (y(mark), y(mark))) for mark in rows]
    for mark in _marks(points):
        shapes.append(line("grid", (at(mark), at(mark)), (10, y(base))))
        shapes.append(el("text", units.si(mark, x_unit, 2), x=at(mark), y=HEIGHT - 10, text_anchor="middle"))
    for colour in dict.fromkeys(p.colour for p in points):
        front = sorted((p for p in points if p.front and p.colour == colour), key=lambda p: (p.x, p.y))
        shapes += [line("front", (at(one.x), at(two.x)), (y(one.y), y(two.y))) for one, two in pairwise(front)]
    shapes += [
        el(
            "circle", cx=at(p.x), cy=y(p.y), r=7 if p.front else 4,
            class_=f"dot {p.colour}{'' if p.front else ' behind'}", data_tip=p.tip,
        )
        for p in sorted(points, key=lambda p: p.front)
    ]  # fmt: skip
    names = [el("text", f"{mark:.6g}", x="100%", y=y(mark) + 4, text_anchor="end") for mark in rows]
    left = svg("y-axis", HEIGHT, "", *names, width=_BESIDE)
    caption = el("figcaption", titles[0], el("span", titles[1], class_="muted"))
    return el("figure", left, svg("columns", HEIGHT, label, *shapes), caption, class_="column-chart")
