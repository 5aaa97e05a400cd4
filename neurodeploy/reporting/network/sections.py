"""The sections of a spiking network's page."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import LogScale, band_plot
from neurodeploy.reporting.html import Child, Html, el, fact_list, join
from neurodeploy.reporting.network import plots
from neurodeploy.reporting.network.schema import Comparison, NetworkReport
from neurodeploy.reporting.schema import BOUNDARIES, BOUNDARY_TEXT, Band
from neurodeploy.reporting.sections.frame import basis_mark, bullets, cell, number, section, table

HEADLINE = "chip"


def hero(data: NetworkReport) -> Html:
    about, run = data["network"], data["run"]
    clauses = [el("span", clause, class_="clause") for clause in _verdict(data)]
    facts: list[Child] = [
        about["family"],
        f"{units.count(about['neurons'])} neurons in {units.count(len(data['populations']))} populations",
        f"{units.si(about['synapses'])} synapses",
        f"time step {units.si(about['dt_s'], 's')}" if about["dt_s"] else "time step not stated",
        f"from {about['source']}",
        f"licence {about['licence']}",
    ]
    head = [el("span", "neurodeploy report"), el("span", f"{run['input']}, {run['samples']} x {run['steps']} steps")]
    return el(
        "header",
        el("p", join(head, " "), class_="over"),
        el("h1", el("b", about["name"]), " ", join(clauses, ", "), "."),
        el("p", join((el("span", fact) for fact in facts), " "), class_="model"),
        class_="hero",
    )


def _verdict(data: NetworkReport) -> list[str]:
    clauses = []
    found = data["map"]
    if found is not None:
        fits = "fits on" if found["fits"] else "does not fit:"
        clauses.append(f"{fits} {_some(found['cores_used'], 'core')} of {_some(found['chips_used'], 'chip')}")
    energy = data["energy"]
    band = energy["sample"]["joules"].get(HEADLINE) if energy is not None else None
    if band is not None:
        clauses.append(f"needs {units.si(band['nominal'], 'J')} a sample at the chip boundary (modelled)")
    for row in data["comparison"] or []:
        share = row["differing"] / row["compared"] if row["compared"] else 0.0
        clauses.append(f"differs from float in {units.percent(share, 2)} of the bins of {row['population']}")
    return clauses or [f"ran {units.count(data['run']['steps'])} steps"]


def _some(number: int, thing: str) -> str:
    return f"{units.count(number)} {thing}{'' if number == 1 else 's'}"


def rasters(data: NetworkReport) -> Html | None:
    if not data["rasters"]:
        return None
    total = sum(row["messages"] for row in data["populations"].values())
    run, shown = data["run"], max(found["length"] for found in data["rasters"])
    samples = f" of {units.count(run['samples'])} samples" if run["samples"] > 1 else ""
    part = "" if shown == run["steps"] else f" in steps 1 to {units.count(shown)}"
    lead = (
        f"{units.si(total)} messages in {units.count(run['steps'])} steps{samples}. "
        f"One mark is one message of the first sample{part}."
    )
    return section("raster", "Activity in time", lead, *(plots.raster(found) for found in data["rasters"]))


def states(data: NetworkReport) -> Html | None:
    if not data["traces"]:
        return None
    lead = "State variables after each step, in the integers of the chip."
    return section("states", "States", lead, *(plots.trace(found) for found in data["traces"]))


def counts(data: NetworkReport) -> Html:
    rows = [
        [
            cell(name),
            cell(row["model"]),
            *(number(row[key]) for key in ("neurons", "messages", "rate", "updates", "saturated", "wrapped")),  # type: ignore[literal-required]
        ]
        for name, row in data["populations"].items()
    ]
    heads = ("Neurons", "Messages", "Rate", "Updates", "Clipped", "Wrapped")
    top = [("Population", ""), ("Model", ""), *((head, "num") for head in heads)]
    links = [
        [
            *(cell(text) for text in (name, row["source"], row["target"])),
            *(number(value) for value in (row["events"], row["synops"], row["wrapped"])),
        ]
        for name, row in data["projections"].items()
    ]
    below = [
        ("Projection", ""),
        ("From", ""),
        ("To", ""),
        ("Events", "num"),
        ("Synaptic operations", "num"),
        ("Wrapped", "num"),
    ]
    run = data["run"]
    synops = sum(row["synops"] for row in data["projections"].values())
    lead = (
        f"{units.si(synops)} synaptic operations; {units.count(run['saturations'])} values were clipped and "
        f"{units.count(run['wraps'])} wrapped. Rate is messages for each neuron, step and sample."
    )
    notes = bullets(run["notes"], "Input")
    return section("counts", "Counts", lead, table(top, rows), el("h3", "Projections"), table(below, links), notes)


def energy(data: NetworkReport) -> Html | None:
    found = data["energy"]
    if found is None:
        return None
    bands = [b for phase in (found["step"], found["sample"]) for b in phase["joules"].values() if b is not None]
    scale = LogScale.over(bands)
    blocks = [
        _phase(title, phase["joules"], phase["seconds"], scale)
        for title, phase in (("One time step", found["step"]), ("One sample", found["sample"]))
    ]
    rows = [
        [
            cell(entry["component"]),
            cell(entry["event"]),
            cell(entry["boundary"]),
            number(entry["count"]),
            cell(
                f"{units.si(entry['unit_cost']['nominal'], entry['unit_cost']['unit'])}", entry["unit_cost"]["nominal"]
            ),
            number(entry["joules"]["nominal"], "J"),
            cell(units.span(entry["joules"], "J")),
            cell(basis_mark(entry["basis"])),
            cell(entry["source"]),
        ]
        for entry in found["entries"]
    ]
    heads = [
        ("Component", ""), ("Event", ""), ("Counts from", ""), ("A step", "num"), ("Each", "num"),
        ("Joules a step", "num"), ("Low to high", ""), ("Basis of each", ""), ("Source", ""),
    ]  # fmt: skip
    ledger = el("details", el("summary", f"All {len(rows)} entries"), table(heads, rows, "sortable ledger"))
    lead = (
        f"Modelled from exact counts, never measured on a board. A step is bound by {units.words(found['bound_by'])}."
    )
    return section(
        "energy", "Energy", lead, el("div", *blocks, class_="chart"), ledger,
        bullets(found["assumptions"], "Assumed"), bullets(found["not_modelled"], "Not modelled"),
    )  # fmt: skip


def _phase(title: str, joules: dict[str, Band | None], seconds: Band, scale: LogScale) -> Html:
    rows = []
    for boundary in BOUNDARIES:
        band = joules.get(boundary)
        label = el("div", el("b", boundary), el("span", BOUNDARY_TEXT[boundary]), class_="bar-label")
        if band is None:
            continue
        value = el(
            "div", el("b", units.si(band["nominal"], "J")), el("span", units.span(band, "J")), class_="bar-value"
        )
        rows.append(el("div", label, band_plot(band, scale, "u5", boundary), value, el("span"), class_="boundary"))
    time = f"{units.si(seconds['nominal'], 's')} ({units.span(seconds, 's')})"
    return el("div", el("h3", title), *rows, el("p", time, class_="hint"), class_="phase")


def comparison(data: NetworkReport) -> Html | None:
    found = data["comparison"]
    if found is None:
        return None
    samples = data["run"]["samples"]
    rows = [_compared(row, samples) for row in found]
    heads = [
        ("Output", ""), ("Latency", "num"), ("Float", "num"), ("Chip", "num"), ("Differing bins", "num"), ("of", "num"),
        ("First at step", "num"), ("Too early", "num"), ("Same most active neuron", "num"),
    ]  # fmt: skip
    lead = (
        "Messages of the float network against the integers, which are moved earlier by the latency of the synapses. "
        "A bin is one neuron in one step of one sample."
    )
    return section("comparison", "Float against integers", lead, table(heads, rows))


def _compared(row: Comparison, samples: int) -> list[Html]:
    first = row["first_difference"]
    return [
        cell(row["population"]),
        *(number(row[key]) for key in ("latency", "float_spikes", "chip_spikes", "differing", "compared")),  # type: ignore[literal-required]
        cell(units.DASH if first is None else units.count(first), -1.0 if first is None else float(first)),
        number(row["early"]),
        cell(f"{units.count(row['same_decision'])} of {units.count(samples)}", float(row["same_decision"])),
    ]


def conversion(data: NetworkReport) -> Html:
    found = data["conversion"]
    rows = [
        [
            cell(row["where"]),
            cell(row["parameter"]),
            cell(f"{row['absolute']:.4g}", row["absolute"]),
            cell(units.DASH if row["relative"] is None else units.percent(row["relative"]), row["relative"] or 0.0),
        ]
        for row in found["errors"]
    ]
    heads = [("Where", ""), ("Parameter", ""), ("Worst error", "num"), ("Relative", "num")]
    lead = "What became of the parameters in integers." if rows else "The source holds integers: nothing was rounded."
    body = table(heads, rows) if rows else None
    return section("conversion", "Conversion", lead, body, bullets(found["warnings"], "Repaired or changed"))


def neurobench(data: NetworkReport) -> Html | None:
    if not data["neurobench"]:
        return None
    rows = [(name, units.DASH if value is None else f"{value:.6g}") for name, value in data["neurobench"].items()]
    return section("neurobench", "NeuroBench metrics", "Under the names of the NeuroBench harness.", fact_list(rows))
