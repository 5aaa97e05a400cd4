"""The quality of a mapping: its metrics beside their bounds, the null models, and where the messages travel."""

from __future__ import annotations

from collections.abc import Iterator

from neurodeploy.reporting import meshpicture, units
from neurodeploy.reporting.html import Html, el
from neurodeploy.reporting.judged import COUNTS, metric_rows, null_rows
from neurodeploy.reporting.sections.frame import MAX_ROWS, Body, bullets, cell, folded, number, ratio, table
from neurodeploy.reporting.units import Data


def quality(data: Data) -> Body | None:
    """The section of a mapping that was judged; None where there is none, or it was not."""
    found = data.get("map")
    metrics = None if found is None else found.get("metrics")
    if found is None or metrics is None:
        return None
    heads = ["Metric", "Value", "Least possible", "Of it>"]
    rows = [
        [cell(row.name), cell(row.value), cell(row.bound or units.DASH), ratio(row.ratio)]
        for row in metric_rows(metrics)
    ]
    mapper = metrics["mapper"]
    nulls = metrics["nulls"]
    notes = bullets([*mapper["notes"], *(nulls["notes"] if nulls else [])], "Notes")
    measures = table("Metrics of the mapping", heads, rows, ""), *_nulls(metrics), *_layers(metrics)
    return [_lead(metrics), *measures, *_pictures(found), notes]


def _lead(found: Data) -> str:
    hops = found["hops"]["unicast"]["total"]
    text = f"Counts of one {found['unit']}, {found['rates']}: {units.si(hops)} messages times hops"
    nulls = found["nulls"]
    if nulls and nulls["ratio_to_best"]:
        text += f"; transport is {nulls['ratio_to_best']:.2f} of the best null model, {nulls['best']}"
    return text + "."


def _nulls(found: Data) -> Iterator[Html]:
    nulls = found["nulls"]
    if nulls is None or not nulls["models"]:
        return
    heads = ["Placement of the same cores", "Transport>", "Messages times hops>", "Packets between chips>"]
    heads += ["Busiest link>", "Ours over it>"]
    rows = [
        [cell(name), cell(transport, row["transport"]), *(number(row[key]) for key in COUNTS), ratio(row["ratio"])]
        for name, transport, row in null_rows(found)
    ]
    yield el("h3", "Null models")
    yield table("Null models", heads, rows)


def _layers(found: Data) -> Iterator[Html]:
    layers = found["cores"]["by_layer"]
    if len(layers) < 2:
        return
    rows = [
        [
            cell(row["layer"]), number(row["cores"]), number(row["lower_bound"]), ratio(row["ratio"], 3),
            cell(units.words(row["binding_resource"])),
        ]
        for row in layers[:MAX_ROWS]
    ]  # fmt: skip
    heads = ["Layer", "Cores>", "Least possible>", "Of it>", "Bound by"]
    yield folded(f"Cores of {units.count(len(layers))} layers", table("Cores by layer", heads, rows))


def _pictures(found: Data) -> Iterator[Html]:
    picture = found.get("picture")
    if picture is None or not any(any(map(any, chip)) for chip in picture["links"]):
        return
    yield el("h3", "Load of the links")
    over = meshpicture.grid(picture)
    if over is not None:
        yield over
    drawn = meshpicture.meshes(found, picture)
    yield el("div", *drawn, class_="chips w12")
    left = len(picture["chips"]) - len(drawn)
    hint = "A line has the colour of its busier direction, in tenths of the largest load; a square that of its cores in use."
    if left:
        hint += f" {units.count(left)} chips with lighter loads are not drawn one by one."
    yield el("p", hint, class_="hint")
