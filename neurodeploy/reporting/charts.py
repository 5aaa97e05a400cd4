"""Charts as HTML rows and inline SVG with lengths in percent: they reflow with the page, and their text stays text.

A band is always drawn the same way: a bar up to the nominal value, a whisker from low to high.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Child, Html, el, line, pct, rect, svg
from neurodeploy.reporting.units import Band

#: Number of categorical colours in style.css (k0..k7); k7 is the grey of "all others".
COLOURS = 8
#: A chart of so few columns does not need the whole width.
_FEW = 8
#: Pixels of a chart of columns or dots.
_HEIGHT = 190


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a bar: its value, its colour class and what the tooltip says."""

    value: float
    colour: str
    tip: str


def ticks(top: float, wanted: int = 4) -> list[float]:
    """Round numbers from 0 to the first one not below `top`, about `wanted` steps of 1, 2, 2.5 or 5."""
    if top <= 0 or not math.isfinite(top):
        return [0.0, 1.0]
    raw = top / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def axis(marks: Sequence[float], unit: str) -> Html:
    """Labels under bars. They share the prefix of the last one, which alone carries the unit."""
    top = marks[-1]
    labels = []
    for mark in marks:
        name = tick_label(mark, top, "J", mark == top)
        anchor = "start" if mark == 0 else "end" if mark == top else "middle"
        labels.append(el("text", name, x=pct(mark / top), y=12, text_anchor=anchor))
    return el("div", el("span"), svg("axis", 16, "", *labels), el("span"), class_="bar-row")


def tick_label(mark: float, top: float, unit: str, with_unit: bool = False) -> str:
    """A tick in the prefix of the top of its scale."""
    factor, suffix = units.scale(top, unit)
    text = f"{mark / factor:.6g}"
    return f"{text}{units.SPACE}{suffix}" if with_unit and suffix else text


def bar_row(
    label: Child,
    segments: Sequence[Segment],
    band: Band | None,
    marks: Sequence[float],
    value: Child,
    title: str = "",
    row_class: str = "",
) -> Html:
    """One horizontal bar: label, stacked segments under a whisker, value. `marks` are the ticks of the scale."""
    top = marks[-1] or 1.0
    shapes = [line("grid", (pct(m / top), pct(m / top)), (0, 26)) for m in marks]
    shapes += _stacked(segments, top, 4, 18)
    if band is not None:
        low, high = pct(band["low"] / top), pct(band["high"] / top)
        ends = (((low, high), (13, 13)), ((low, low), (9, 17)), ((high, high), (9, 17)))
        # drawn twice, so that it reads on any colour
        shapes += [line(kind, x, y) for kind in ("halo", "whisk") for x, y in ends]
    drawn = svg("bar", 26, title, *shapes)
    parts = el("div", label, class_="bar-label"), drawn, el("div", value, class_="bar-value")
    return el("div", *parts, class_=f"bar-row {row_class}".strip())


def _stacked(segments: Sequence[Segment], whole: float, y: float, height: float) -> Iterator[Html]:
    start = 0.0
    for part in segments:
        yield rect(part.colour, start / whole, part.value / whole, y, height, part.tip)
        start += part.value


@dataclass(frozen=True, slots=True)
class LogScale:
    """Whole decades from ``10**low`` to ``10**high``."""

    low: int
    high: int

    @classmethod
    def over(cls, bands: Iterable[Band]) -> LogScale:
        """The decades that hold all bands; what is zero has no place on the scale and does not widen it."""
        ends = [value for band in bands for value in (band["low"], band["nominal"], band["high"])]
        values = [value for value in ends if value > 0 and math.isfinite(value)]
        low = math.floor(math.log10(min(values, default=1.0)) + 1e-9)
        high = math.ceil(math.log10(max(values, default=10.0)) - 1e-9)
        return cls(low, max(high, low + 1))

    def at(self, value: float) -> str:
        """Position of a value as a share of the width; zero is at the left end."""
        return pct((math.log10(value) - self.low) / (self.high - self.low)) if value > 0 else "0%"

    def decades(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]

    def axis(self, unit: str) -> Html:
        """Labels for every decade, or every second one where there are many."""
        every = 1 if self.high - self.low <= 6 else 2
        shown = [mark for i, mark in enumerate(self.decades()) if i % every == 0]
        labels = []
        for mark in shown:
            anchor = "start" if mark == shown[0] else "end" if self.at(mark) == "100%" else "middle"
            labels.append(el("text", units.si(mark, unit, 1), x=self.at(mark), y=12, text_anchor=anchor))
        return svg("axis", 16, "", *labels)


def band_plot(band: Band | None, scale: LogScale, colour: str, label: str) -> Html:
    """A band on a logarithmic scale: a bar from low to high, a mark at the nominal value."""
    shapes = [line("grid", (scale.at(m), scale.at(m)), (0, 26)) for m in scale.decades()]
    if band is not None and band["high"] > 0:
        low, at, high = (scale.at(band[key]) for key in ("low", "nominal", "high"))
        shapes += [
            line(f"band {colour}", (low, high), (13, 13)),
            line("halo", (at, at), (4, 22)),
            line("nominal", (at, at), (4, 22)),
            line("touch", (low, high), (13, 13), label),
        ]
    return svg("bar", 26, label, *shapes)


def composition(segments: Sequence[Segment], label: str) -> Html:
    """Shares of a whole as one bar over the full width."""
    whole = sum(part.value for part in segments) or 1.0
    return svg("bar whole", 26, label, *_stacked(segments, whole, 5, 16))


def band_strip(band: Band) -> Html:
    """A band without a scale, for a key figure: where the nominal lies between low and high."""
    top = band["high"] * 1.08 or 1.0
    low, at, high = (pct(band[key] / top) for key in ("low", "nominal", "high"))
    shapes = line("strip-base", ("0%", "100%"), (6, 6)), line("strip-band", (low, high), (6, 6))
    return svg("strip", 12, "", *shapes, line("strip-mark", (at, at), (0, 12)))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a column chart: its label, its value (with a band or not) and its tooltip."""

    label: str
    value: float
    band: Band | None
    tip: str


def column_chart(columns: Sequence[Column], label: str) -> Html:
    """Columns of layers, in joules, with whiskers over a common axis; every n-th is labelled so that labels never touch."""
    top_value = max(max(c.value, c.band["high"] if c.band else 0.0) for c in columns)
    marks = ticks(top_value, 4)
    top = marks[-1]
    y = _height(0.0, top)
    shapes, pitch = [], 1 / len(columns)
    every = max(1, math.ceil(len(columns) / 16))
    for i, column in enumerate(columns):
        middle, at = pct((i + 0.5) * pitch), y(column.value)
        shapes.append(rect("k0", (i + 0.18) * pitch, 0.64 * pitch, at, max(y(0) - at, 0.0), column.tip))
        if column.band is not None:
            low, high = y(column.band["low"]), y(column.band["high"])
            ends = pct((i + 0.38) * pitch), pct((i + 0.62) * pitch)
            shapes += [
                line("whisk", (middle, middle), (low, high)),
                *(line("whisk", ends, (e, e)) for e in (low, high)),
            ]
        if i % every == 0:
            shapes.append(el("text", column.label, x=middle, y=_HEIGHT - 10, text_anchor="middle"))
    names = {mark: tick_label(mark, top, "J", mark == top) for mark in marks}
    kind = "column-chart few" if len(columns) <= _FEW else "column-chart"
    told = "; ".join(column.tip for column in columns)
    return _chart(names, y, shapes, label, el("figcaption", "layer"), kind, told)


def _height(base: float, top: float) -> Callable[[float], float]:
    """Where a value stands in a chart from `base` to `top`, in pixels from above."""
    return lambda value: 8 + (_HEIGHT - 34) * (1 - (value - base) / (top - base))


def _chart(
    marks: Mapping[float, str],
    y: Callable[[float], float],
    shapes: Sequence[Html],
    label: str,
    caption: Html,
    kind: str,
    desc: str,
) -> Html:
    """Shapes over a grid at the marks, whose names stand to the left; `desc` tells their figures."""
    grid = [line("grid", ("0%", "100%"), (y(m), y(m))) for m in marks]
    names = [el("text", name, x="100%", y=y(m) + 4, text_anchor="end") for m, name in marks.items()]
    left = svg("y-axis", _HEIGHT, "", *names, width=64)
    return el("figure", left, svg("columns", _HEIGHT, label, *grid, *shapes, desc=desc), caption, class_=kind)


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    colour: str
    tip: str


def dot_chart(dots: Sequence[Dot], y_title: str, label: str) -> Html:
    """Points over the numbers of layers, with the y axis fitted to the data (it does not start at zero, and says so)."""
    low, high = min(d.y for d in dots), max(d.y for d in dots)
    steps = ticks(max(high - low, 1.0), 4)
    step = steps[1]
    base = math.floor(low / step) * step
    marks = [base + step * i for i in range(math.ceil((high - base) / step - 1e-9) + 1)]
    top = max(marks[-1], base + step)
    right = max(d.x for d in dots) + 1
    y = _height(base, top)
    every = max(1, math.ceil(right / 16))
    shapes = [
        el("text", f"{x}", x=pct((x + 0.5) / right), y=_HEIGHT - 10, text_anchor="middle")
        for x in range(0, int(right), every)
    ]
    shapes += [
        el("circle", cx=pct((d.x + 0.5) / right), cy=y(d.y), r=4, class_=f"dot {d.colour}", data_tip=d.tip)
        for d in dots
    ]
    caption = el("figcaption", "layer", el("span", y_title, class_="muted"))
    told = "; ".join(dot.tip for dot in dots)
    return _chart({m: f"{m:g}" for m in marks}, y, shapes, label, caption, "column-chart", told)
