"""What a run counted, beside the float network and by the names of NeuroBench."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import POPULATION, PROJECTION, alike
from neurodeploy.reporting.html import Html, el, fact_list
from neurodeploy.reporting.sections.frame import MAX_ROWS, Body, bullets, cell, number, table
from neurodeploy.reporting.units import Data


def counts(data: Data) -> Body | None:
    populations = data.get("populations")
    if populations is None:
        return None
    rows = [
        [
            cell(el("b", name), class_="path"),
            cell(layers, class_="layers"),
            cell(row["model"]),
            *_numbers(row, POPULATION),
        ]
        for name, layers, row in alike(populations)[:MAX_ROWS]
    ]
    links = [
        [cell(el("b", name), class_="path"), cell(layers, class_="layers"), *_numbers(row, PROJECTION)]
        for name, layers, row in alike(data["projections"])[:MAX_ROWS]
    ]
    synops = sum(row["synops"] for row in data["projections"].values())
    dense = sum(row["synops"] / row["density"] for row in data["projections"].values() if row["density"])
    share = f", {units.percent(synops / dense)} of what dense products would do" if dense else ""
    lead = (
        f"{units.si(synops)} synaptic operations{share}; {units.count(data['saturations'])} values were clipped and "
        f"{units.count(data['wraps'])} wrapped. Rate is messages for each neuron, step and sample."
    )
    top = ["Population", "Layers", "Model", *(f"{head}>" for head in POPULATION.values())]
    below = ["Projection", "Layers", *(f"{head}>" for head in PROJECTION.values())]
    notes = bullets(data["run"]["notes"], "Input")
    tables = table("Populations", top, rows), el("h3", "Projections"), table("Projections", below, links)
    return [lead, *tables, notes]


def _numbers(row: Data, columns: Data) -> list[Html]:
    return [number(row[key]) for key in columns]


def comparison(data: Data) -> Body | None:
    found = data.get("comparison")
    if found is None:
        return None
    samples = data["run"]["samples"]
    rows = [_compared(row, samples) for row in found]
    heads = ["Output", "Latency>", "Float>", "Chip>", "Differing bins>", "of>", "First at step>", "Too early>"]
    heads += ["Same most active neuron>"]
    lead = (
        "Messages of the float network against the integers, which are moved earlier by the latency of the synapses. "
        "A bin is one neuron in one step of one sample."
    )
    return [lead, table("Outputs against the float network", heads, rows)]


def _compared(row: Data, samples: int) -> list[Html]:
    first = row["first_difference"]
    return [
        cell(row["population"]),
        *(number(row[key]) for key in ("latency", "float_spikes", "chip_spikes", "differing", "compared")),
        cell(units.DASH if first is None else units.count(first), -1.0 if first is None else float(first)),
        number(row["early"]),
        cell(f"{units.count(row['same_decision'])} of {units.count(samples)}", float(row["same_decision"])),
    ]


def neurobench(data: Data) -> Body | None:
    if not data.get("neurobench"):
        return None
    rows = [(name, units.DASH if value is None else f"{value:.6g}") for name, value in data["neurobench"].items()]
    return ["Under the names of the NeuroBench harness.", fact_list(rows)]
