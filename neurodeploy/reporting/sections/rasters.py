"""Rasters and states of a spiking network as inline SVG: lengths in percent, so that they reflow; no script needed."""

from __future__ import annotations

import math
from collections.abc import Iterable

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import ticks
from neurodeploy.reporting.html import Html, el, line, pct, svg
from neurodeploy.reporting.sections.frame import Body
from neurodeploy.reporting.units import Data

#: Height of one row of a raster in pixels, and of a trace.
ROW, TRACE = 3, 96
LEAST_HEIGHT = 24
#: Steps that a raster or trace resolves across its width; longer runs are drawn in as many bins.
RESOLUTION = 1200
#: Width of a mark in bins: marks of neighbouring steps stay apart.
WIDTH = 0.7


def rasters(data: Data) -> Body | None:
    if not data.get("rasters") or data["run"]["steps"] == 1:  # one step has no course of time
        return None
    total = sum(row["messages"] for row in data["populations"].values())
    run, shown = data["run"], max(found["length"] for found in data["rasters"])
    samples = f" of {units.count(run['samples'])} samples" if run["samples"] > 1 else ""
    part = "" if shown == run["steps"] else f" in steps 1 to {units.count(shown)}"
    lead = f"{units.si(total)} messages in {units.some(run['steps'], 'step')}{samples}. "
    dt = data["model"]["dt_s"]
    return [f"{lead}One mark is one message of the first sample{part}.", *(raster(row, dt) for row in data["rasters"])]


def states(data: Data) -> Body | None:
    if not data.get("traces") or data["run"]["steps"] == 1:
        return None
    drawn = any(row.get("thresholds") for row in data["traces"])
    lead = "State variables after each step, in the integers of the chip" + (
        "; dashed: the threshold." if drawn else "."
    )
    return [lead, *(trace(row, data["model"]["dt_s"]) for row in data["traces"])]


def _plot(kind: str, what: str, shapes: Iterable[Html], across: float, height: float) -> Html:
    """A drawing stretched over its place."""
    return svg(kind, height, what, *shapes, viewbox=f"0 0 {across:.0f} {height}", preserveAspectRatio="none")


def raster(found: Data, dt: float | None = None) -> Html:
    """One mark for each message: time to the right, neurons from top to bottom."""
    length, rows = max(1, found["length"]), max(1, len(found["neurons"]))
    height = max(LEAST_HEIGHT, ROW * rows)
    scale = length / min(length, RESOLUTION)
    seen = {(int((step - 1) / scale), row) for step, row in zip(found["steps"], found["rows"], strict=True)}
    bins, unit = length / scale, height / rows
    marks = "".join(f"M{x} {row * unit:.2f}h{WIDTH}v{unit:.2f}h-{WIDTH}z" for x, row in sorted(seen))
    shown = len(found["neurons"])
    size = units.count(found["size"])
    which = (
        f"all {size} neurons" if shown == found["size"] else f"{units.count(shown)} of {size} neurons, evenly spread"
    )
    more = f"; {units.count(found['dropped'])} more marks are not drawn" if found["dropped"] else ""
    what = f" {which}: {units.count(len(found['steps']))} messages{more}"
    caption = el("figcaption", el("b", found["population"]), what)
    drawn = _plot("raster", f"{found['population']}:{what}", [el("path", d=marks, class_="spike")], bins, height)
    return el("figure", caption, drawn, _steps(length, dt))


def trace(found: Data, dt: float | None = None) -> Html:
    """A state variable over time with its axes, and the thresholds that it must pass for a message."""
    values, thresholds = found["values"], found.get("thresholds", ())
    least, most = min(values, default=0), max(values, default=0)
    low, high = int(min((least, *thresholds))), int(max((most, *thresholds)))
    across, reach = max(1, len(values) - 1), max(1, high - low)

    def y(value: float) -> float:
        return TRACE - (value - low) / reach * TRACE

    marks = _round(low, high)
    points = " ".join(f"{i},{y(value):.2f}" for i, value in _thinned(values))
    shapes = [
        *(line("grid", ("0", f"{across}"), (y(mark), y(mark))) for mark in marks),
        *(line("passed", ("0", f"{across}"), (y(end), y(end))) for end in thresholds),
        el("polyline", points=points, class_="trace"),
    ]
    name, unit = f"{found['population']}.{found['variable']}", found.get("unit")
    said = f" neuron {found['neuron']}: {units.count(least)} to {units.count(most)}"
    if thresholds:
        said += f", threshold {' and '.join(_valued(end, unit) for end in thresholds)}"
    if unit:
        said += f"; 1 in the source is {units.si(1 / unit)}"
    names = [el("text", units.si(mark), x="100%", y=y(mark) + 4, text_anchor="end") for mark in marks]
    plot = el(
        "div", svg("y-axis", TRACE, "", *names), _plot("states", f"{name}{said}", shapes, across, TRACE), class_="axes"
    )
    return el("figure", el("figcaption", el("b", name), said), plot, el("div", _steps(len(values), dt), class_="below"))


def _valued(end: int, unit: float | None) -> str:
    return units.count(end) + (f" ({units.digits(end * unit)} in the source)" if unit else "")


def _round(low: int, high: int) -> list[float]:
    """Round numbers between both ends."""
    step = ticks(max(high - low, 1), 3)[1]
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _thinned(values: list[int]) -> list[tuple[int, int]]:
    """At most 2 x `RESOLUTION` points: of each stretch its least and its largest value, in their order."""
    if len(values) <= 2 * RESOLUTION:
        return list(enumerate(values))
    width, kept = -(-len(values) // RESOLUTION), []
    for start in range(0, len(values), width):
        part = range(start, min(start + width, len(values)))
        kept.extend(sorted({min(part, key=values.__getitem__), max(part, key=values.__getitem__)}))
    return [(i, values[i]) for i in kept]


def _steps(length: int, dt: float | None) -> Html:
    """Step numbers under a plot, and the time at its end where steps have one."""
    marks = sorted({0, length // 2, length - 1})
    names = [units.count(1 + at) for at in marks]
    names[0] = f"step {names[0]}"
    if dt and len(marks) > 1:
        names[-1] += f" ({units.si(length * dt, 's')})"
    texts = [
        el("text", name, x=pct(at / max(1, length - 1)), y=12, text_anchor=anchor)
        for name, at, anchor in zip(names, marks, ("start", "middle", "end"), strict=False)
    ]
    return svg("axis", 16, "", *texts)
