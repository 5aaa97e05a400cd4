"""Rasters and states of a spiking network as inline SVG: lengths in percent, so that they reflow; no script needed."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Html, el, pct, svg
from neurodeploy.reporting.sections.frame import Body
from neurodeploy.reporting.units import Data

#: Height of one row of a raster in pixels, and of a trace.
ROW, TRACE = 3, 72
LEAST_HEIGHT = 24
#: Steps that a raster or trace resolves across its width; longer runs are drawn in as many bins.
RESOLUTION = 1200
#: Width of a mark in bins: marks of neighbouring steps stay apart.
WIDTH = 0.7


def rasters(data: Data) -> Body | None:
    if not data.get("rasters"):
        return None
    total = sum(row["messages"] for row in data["populations"].values())
    run, shown = data["run"], max(found["length"] for found in data["rasters"])
    samples = f" of {units.count(run['samples'])} samples" if run["samples"] > 1 else ""
    part = "" if shown == run["steps"] else f" in steps 1 to {units.count(shown)}"
    lead = f"{units.si(total)} messages in {units.count(run['steps'])} steps{samples}. "
    return [f"{lead}One mark is one message of the first sample{part}.", *map(raster, data["rasters"])]


def states(data: Data) -> Body | None:
    if not data.get("traces"):
        return None
    return ["State variables after each step, in the integers of the chip.", *map(trace, data["traces"])]


def _plot(kind: str, what: str, shape: Html, across: float, height: float, caption: Html, axis: Html) -> Html:
    """A drawing stretched over its place, with the numbers of the steps below."""
    box = {"viewbox": f"0 0 {across:.0f} {height}", "preserveAspectRatio": "none"}
    return el("figure", caption, svg(kind, height, what, shape, **box), axis)


def raster(found: Data) -> Html:
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
    shape, axis = el("path", d=marks, class_="spike"), _steps(length)
    return _plot("raster", f"raster of {found['population']}", shape, bins, height, caption, axis)


def trace(found: Data) -> Html:
    """A state variable over time; its least and largest value stand beside it."""
    values = found["values"]
    low, high = min(values, default=0), max(values, default=0)
    reach = max(1, high - low)
    points = " ".join(f"{i},{TRACE - (value - low) / reach * TRACE:.2f}" for i, value in _thinned(values))
    label = el("b", f"{found['population']}.{found['variable']}"), f" neuron {found['neuron']}, "
    caption = el("figcaption", *label, f"{units.count(low)} to {units.count(high)}")
    what, axis = f"{found['variable']} of {found['population']}", _steps(len(values))
    shape = el("polyline", points=points, class_="trace")
    return _plot("states", what, shape, max(1, len(values) - 1), TRACE, caption, axis)


def _thinned(values: list[int]) -> list[tuple[int, int]]:
    """At most 2 x `RESOLUTION` points: of each stretch its least and its largest value, in their order."""
    if len(values) <= 2 * RESOLUTION:
        return list(enumerate(values))
    width, kept = -(-len(values) // RESOLUTION), []
    for start in range(0, len(values), width):
        part = range(start, min(start + width, len(values)))
        kept.extend(sorted({min(part, key=values.__getitem__), max(part, key=values.__getitem__)}))
    return [(i, values[i]) for i in kept]


def _steps(length: int) -> Html:
    """Step numbers under a plot."""
    marks = sorted({0, length // 2, length - 1})
    texts = [
        el("text", units.count(1 + at), x=pct(at / max(1, length - 1)), y=12, text_anchor=anchor)
        for at, anchor in zip(marks, ("start", "middle", "end"), strict=False)
    ]
    return svg("axis", 16, "", *texts)
