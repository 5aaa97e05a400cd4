"""What a run of a spiking network counted, beside its float network and by the names of NeuroBench."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Html, el, fact_list
from neurodeploy.reporting.schema_run import Comparison, RunReport
from neurodeploy.reporting.sections.frame import Body, bullets, cell, number, table


def counts(data: RunReport) -> Body | None:
    if "populations" not in data:
        return None
    rows = [
        [
            cell(name),
            cell(row["model"]),
            *(number(row[key]) for key in ("neurons", "messages", "rate", "updates", "saturated", "wrapped")),  # type: ignore[literal-required]
        ]
        for name, row in data["populations"].items()
    ]
    top = ["Population", "Model", "Neurons>", "Messages>", "Rate>", "Updates>", "Clipped>", "Wrapped>"]
    links = [
        [
            *(cell(text) for text in (name, row["source"], row["target"])),
            *(number(value) for value in (row["events"], row["synops"], row["wrapped"])),
        ]
        for name, row in data["projections"].items()
    ]
    below = ["Projection", "From", "To", "Events>", "Synaptic operations>", "Wrapped>"]
    run = data["run"]
    synops = sum(row["synops"] for row in data["projections"].values())
    lead = (
        f"{units.si(synops)} synaptic operations; {units.count(run['saturations'])} values were clipped and "
        f"{units.count(run['wraps'])} wrapped. Rate is messages for each neuron, step and sample."
    )
    notes = bullets(run["notes"], "Input")
    return [lead, table(top, rows), el("h3", "Projections"), table(below, links), notes]


def comparison(data: RunReport) -> Body | None:
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
    return [lead, table(heads, rows)]


def _compared(row: Comparison, samples: int) -> list[Html]:
    first = row["first_difference"]
    return [
        cell(row["population"]),
        *(number(row[key]) for key in ("latency", "float_spikes", "chip_spikes", "differing", "compared")),  # type: ignore[literal-required]
        cell(units.DASH if first is None else units.count(first), -1.0 if first is None else float(first)),
        number(row["early"]),
        cell(f"{units.count(row['same_decision'])} of {units.count(samples)}", float(row["same_decision"])),
    ]


def neurobench(data: RunReport) -> Body | None:
    if not data.get("neurobench"):
        return None
    rows = [(name, units.DASH if value is None else f"{value:.6g}") for name, value in data["neurobench"].items()]
    return ["Under the names of the NeuroBench harness.", fact_list(rows)]
