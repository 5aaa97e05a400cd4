"""Charts as HTML rows and inline SVG with lengths in percent: they reflow with the page, and their text stays text.

A band is always drawn the same way: a bar up to the nominal value, a whisker from low to high.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Child, Html, el, pct
from neurodeploy.reporting.schema import Band

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
        name = tick_label(mark, top, unit, mark == top)
        anchor = "start" if mark == 0 else "end" if mark == top else "middle"
        labels.append(el("text", name, x=pct(mark / top), y=12, text_anchor=anchor))
    return el(
        "div",
        el("span"),
        el("svg", *labels, class_="axis", height=16, aria_hidden="true"),
        el("span"),
        class_="bar-row",
    )


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
    shapes = [el("line", x1=pct(m / top), x2=pct(m / top), y1=0, y2=26, class_="grid") for m in marks]
    start = 0.0
    for part in segments:
        shapes.append(
            el(
                "rect",
                x=pct(start / top),
                width=pct(part.value / top),
                y=4,
                height=18,
                class_=part.colour,
                data_tip=part.tip,
            )
        )
        start += part.value
    if band is not None:
        shapes += whisker(band, top)
    svg = el("svg", *shapes, class_="bar", height=26, role="img", aria_label=title or None)
    return el(
        "div",
        el("div", label, class_="bar-label"),
        svg,
        el("div", value, class_="bar-value"),
        class_=f"bar-row {row_class}".strip(),
    )


def whisker(band: Band, top: float) -> list[Html]:
    """Low to high as a line with caps, drawn twice so that it reads on any colour."""
    low, high = pct(band["low"] / top), pct(band["high"] / top)
    lines = ((low, high, 13, 13), (low, low, 9, 17), (high, high, 9, 17))
    return [el("line", x1=a, x2=b, y1=c, y2=d, class_=name) for name in ("halo", "whisk") for a, b, c, d in lines]


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
        return el("svg", *labels, class_="axis", height=16, aria_hidden="true")


def band_plot(band: Band | None, scale: LogScale, colour: str, label: str) -> Html:
    """A band on a logarithmic scale: a bar from low to high, a mark at the nominal value."""
    shapes = [el("line", x1=scale.at(m), x2=scale.at(m), y1=0, y2=26, class_="grid") for m in scale.decades()]
    if band is not None and band["high"] > 0:
        low, at, high = (scale.at(band[key]) for key in ("low", "nominal", "high"))
        shapes += [
            el("line", x1=low, x2=high, y1=13, y2=13, class_=f"band {colour}"),
            el("line", x1=at, x2=at, y1=4, y2=22, class_="halo"),
            el("line", x1=at, x2=at, y1=4, y2=22, class_="nominal"),
            el("line", x1=low, x2=high, y1=13, y2=13, class_="touch", data_tip=label),
        ]
    return el("svg", *shapes, class_="bar", height=26, role="img", aria_label=label)


def composition(segments: Sequence[Segment], label: str) -> Html:
    """Shares of a whole as one bar over the full width."""
    whole = sum(part.value for part in segments) or 1.0
    shapes, start = [], 0.0
    for part in segments:
        x, width = pct(start / whole), pct(part.value / whole)
        shapes.append(el("rect", x=x, width=width, y=5, height=16, class_=part.colour, data_tip=part.tip))
        start += part.value
    return el("svg", *shapes, class_="bar whole", height=26, role="img", aria_label=label)


def band_strip(band: Band) -> Html:
    """A band without a scale, for a key figure: where the nominal lies between low and high."""
    top = band["high"] * 1.08 or 1.0
    at = pct(band["nominal"] / top)
    return el(
        "svg",
        el("line", x1="0%", x2="100%", y1=6, y2=6, class_="strip-base"),
        el("line", x1=pct(band["low"] / top), x2=pct(band["high"] / top), y1=6, y2=6, class_="strip-band"),
        el("line", x1=at, x2=at, y1=0, y2=12, class_="strip-mark"),
        class_="strip",
        height=12,
        aria_hidden="true",
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a column chart: its label, its value (with a band or not) and its tooltip."""

    label: str
    value: float
    band: Band | None
    tip: str


def column_chart(columns: Sequence[Column], unit: str, x_title: str, label: str) -> Html:
    """Columns with whiskers over a common axis; every n-th one is labelled so that labels never touch."""
    top_value = max(max(c.value, c.band["high"] if c.band else 0.0) for c in columns)
    marks = ticks(top_value, 4)
    top = marks[-1]
    plot = _HEIGHT - 34

    def y(value: float) -> float:
        return 8 + plot * (1 - value / top)

    shapes = [el("line", x1="0%", x2="100%", y1=y(m), y2=y(m), class_="grid") for m in marks]
    pitch = 1 / len(columns)
    every = max(1, math.ceil(len(columns) / 16))
    for i, column in enumerate(columns):
        middle = pct((i + 0.5) * pitch)
        shapes.append(
            el(
                "rect",
                x=pct((i + 0.18) * pitch),
                width=pct(0.64 * pitch),
                y=y(column.value),
                height=max(y(0) - y(column.value), 0.0),
                class_="k0",
                data_tip=column.tip,
            )
        )
        if column.band is not None:
            low, high = y(column.band["low"]), y(column.band["high"])
            left, right = pct((i + 0.38) * pitch), pct((i + 0.62) * pitch)
            shapes.append(el("line", x1=middle, x2=middle, y1=low, y2=high, class_="whisk"))
            shapes += [el("line", x1=left, x2=right, y1=end, y2=end, class_="whisk") for end in (low, high)]
        if i % every == 0:
            shapes.append(el("text", column.label, x=middle, y=_HEIGHT - 10, text_anchor="middle"))
    labels = [el("text", tick_label(m, top, unit, m == top), x="100%", y=y(m) + 4, text_anchor="end") for m in marks]
    return el(
        "figure",
        el("svg", *labels, class_="y-axis", width=64, height=_HEIGHT, aria_hidden="true"),
        el("svg", *shapes, class_="columns", height=_HEIGHT, role="img", aria_label=label),
        el("figcaption", x_title),
        class_="column-chart few" if len(columns) <= _FEW else "column-chart",
    )


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    colour: str
    tip: str


def dot_chart(dots: Sequence[Dot], x_title: str, y_title: str, label: str) -> Html:
    """Points over whole numbers x, with the y axis fitted to the data (it does not start at zero, and says so)."""
    low, high = min(d.y for d in dots), max(d.y for d in dots)
    steps = ticks(max(high - low, 1.0), 4)
    step = steps[1]
    base = math.floor(low / step) * step
    marks = [base + step * i for i in range(math.ceil((high - base) / step - 1e-9) + 1)]
    top = max(marks[-1], base + step)
    right = max(d.x for d in dots) + 1
    plot = _HEIGHT - 34

    def y(value: float) -> float:
        return 8 + plot * (1 - (value - base) / (top - base))

    shapes = [el("line", x1="0%", x2="100%", y1=y(m), y2=y(m), class_="grid") for m in marks]
    every = max(1, math.ceil(right / 16))
    shapes += [
        el("text", f"{x}", x=pct((x + 0.5) / right), y=_HEIGHT - 10, text_anchor="middle")
        for x in range(0, int(right), every)
    ]
    shapes += [
        el("circle", cx=pct((d.x + 0.5) / right), cy=y(d.y), r=4, class_=f"dot {d.colour}", data_tip=d.tip)
        for d in dots
    ]
    labels = [el("text", f"{m:g}", x="100%", y=y(m) + 4, text_anchor="end") for m in marks]
    return el(
        "figure",
        el("svg", *labels, class_="y-axis", width=64, height=_HEIGHT, aria_hidden="true"),
        el("svg", *shapes, class_="columns", height=_HEIGHT, role="img", aria_label=label),
        el("figcaption", x_title, el("span", y_title, class_="muted")),
        class_="column-chart",
    )
