"""The page of an exploration: the answer, loss against joules with the front, all points, what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.reporting import exploration, units
from neurodeploy.reporting.charts import COLOURS
from neurodeploy.reporting.html import Html, el, fact_list, join
from neurodeploy.reporting.page import document
from neurodeploy.reporting.scatter import Point, scatter
from neurodeploy.reporting.sections.frame import cell, section, table
from neurodeploy.reporting.units import Data


def exploration_page(found: Mapping[str, Any]) -> str:
    """One HTML file; equal data give equal bytes."""
    title = f"{found['model']}, {exploration.points(len(found['rows']))}"
    head = el(
        "header",
        el("p", el("span", "neurodeploy explore"), class_="over"),
        el("h1", el("b", found["model"]), ": ", found["answer"], "."),
        class_="hero",
    )
    parts = [("front", "Loss, joules, chips", _drawn(found)), ("points", "All points", _points(found))]
    sections = [section(anchor, name, ["", body]) for anchor, name, body in parts]
    sections.append(section("asked", "What was asked", ["", _asked(found)]))
    contents = [*((anchor, name) for anchor, name, _ in parts), ("asked", "What was asked")]
    return document(title, head, contents, sections)


def _drawn(found: Data) -> Html:
    rows = [row for row in found["rows"] if row["joules_wall"] and row["loss"] is not None]
    if not rows:
        return el("p", "No point could be priced: the reasons stand below.", class_="missing")
    chips = sorted({row["chips_used"] for row in rows})
    colours = {number: f"k{min(i, COLOURS - 1)}" for i, number in enumerate(chips)}
    points = [
        Point(row["joules_wall"], row["loss"], colours[row["chips_used"]], row["front"], exploration.told(found, row))
        for row in rows
    ]
    legend = [el("span", el("i", class_=colours[number]), f" {units.some(number, 'chip')} ") for number in chips]
    titles = f"joules a {found['unit']} at the wall, logarithmic", f"{found['loss_is']}; does not begin at zero"
    said = (
        "Large, and joined where chips are equal: the Pareto front over loss, joules at the wall and chips, points that no "
        "other equals in all three and betters in one. Colours are numbers of chips. Joules are modelled; their bands, "
        "often wider than the distance of two points, stand in the table."
    )
    drawing = scatter(points, "J", titles, "Loss against joules of every point")
    return join([el("p", *legend), drawing, el("p", said, class_="hint")])


def _points(found: Data) -> Html:
    names = exploration.axes_of(found)
    rows = []
    for row in exploration.ordered(found["rows"]):
        front, lost, wall, board, seconds, *counts = exploration.cells(found, row)
        keys = (row["loss"], row["joules_wall"], row["joules_board"], row["seconds"])
        figures = zip((lost, wall, board, seconds), keys, strict=True)
        numbers = zip(counts, (row[name] for name in exploration.COUNTS), strict=True)
        rows.append(
            [
                cell(row["point"], float(row["point"])),
                *(cell(str(row[name])) for name in names),
                cell(front),
                *(cell(text, -1.0 if key is None else float(key)) for text, key in [*figures, *numbers]),
                cell(row["error"] or ""),
            ]
        )
    return table("All points", ["Point>", *names, *exploration.HEADS, "Why figures are missing"], rows)


def _asked(found: Data) -> Html:
    over = ((name, ", ".join(str(value) for value in values)) for name, values in found["over"].items())
    rest = (("Points", found["chosen"]), ("Read and run", found["data"]), ("Loss", found["loss_is"]))
    return fact_list([*over, *rest, ("Host", found["host"]), ("Powered chips", found["powered"])])
