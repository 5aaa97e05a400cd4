"""One phase of the energy in detail: by component with its basis, by layer, and the ledger itself."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import Column, LogScale, Segment, axis, band_plot, bar_row, column_chart, ticks
from neurodeploy.reporting.derive import PHASE_TEXT, components, unit_of
from neurodeploy.reporting.html import Child, Html, el, join
from neurodeploy.reporting.sections.frame import MAX_ROWS, basis_mark, bullets, cell, folded, number, table, texts
from neurodeploy.reporting.units import Band, Data
from neurodeploy.reporting.what_if import changes
from neurodeploy.reporting.without_chip import verdicts, ways

#: The boundary that an entry names -> where it counts.
_FROM = {"rails": "at every boundary", "chip": "from the chip boundary on", "board": "from the board on"}
_FROM["wall"] = "at the wall only"


def details(phase: Data, name: str, colours: dict[str, str]) -> list[Child]:
    parts: list[Child] = [
        el("h3", f"What a {PHASE_TEXT[name]} is made of", class_="print-only"),
        _by_component(phase, colours),
        _by_layer(phase, unit_of(name)),
        _changes(phase, unit_of(name)),
        _without_chip(phase, unit_of(name)),
    ]
    if phase["entries"]:
        count = units.count(len(phase["entries"]))
        said = f"The ledger: {count} entries, each with its source"
        parts.append(folded(said, _ledger(phase, unit_of(name))))
    assumed, left_out = phase["assumptions"], phase["not_modelled"]
    if assumed or left_out:
        notes = el("div", bullets(assumed, "Assumed"), bullets(left_out, "Not modelled"), class_="two")
        said = f"What was assumed ({len(assumed)}) and what is not modelled ({len(left_out)})"
        parts.append(folded(said, notes))
    return parts


def band_text(band: Band, share: str = "", unit: str = "J") -> Html:
    """The nominal value, and under it the band and the share."""
    nominal = el("b", units.si(band["nominal"], unit))
    return join([nominal, el("span", units.span(band, unit), f", {share}" if share else None)], " ")


def _by_component(phase: Data, colours: dict[str, str]) -> Html:
    rows = components(phase)
    if not rows:
        return el("p", "No components were listed.", class_="hint")
    whole = sum(row.joules["nominal"] for row in rows)
    scale = LogScale.over(row.joules for row in rows)
    drawn = []
    for row in rows:
        basis = join([basis_mark(key) for key in row.basis], " ")
        where = ", ".join(part for part in (row.device, _FROM.get(row.boundary)) if part)
        tip = f"{units.words(row.name)}: {units.si(row.joules['nominal'], 'J')}, {units.span(row.joules, 'J')}"
        share = units.share(row.joules["nominal"] / whole) if whole else ""
        label = el("div", el("b", units.words(row.name), " ", basis), el("span", where), class_="bar-label")
        figure = el("div", band_text(row.joules, share), class_="bar-value")
        plot = band_plot(row.joules, scale, colours[row.name], tip)
        drawn.append(el("div", label, plot, figure, class_="bar-row"))
    foot = el("div", el("span"), scale.axis("J"), el("span"), class_="bar-row")
    hint = "A mark is the basis of the unit cost. Amounts are counted or modelled, so that no joule is measured."
    told = el("p", hint, class_="hint") if any(row.basis for row in rows) else None
    return el("div", el("h3", "By component"), *drawn, foot, told, class_="chart components")


def _by_layer(phase: Data, unit: str) -> Html | None:
    numbered = [(int(name), band) for name, band in phase["by_layer"].items() if name.isdigit()]
    named = {name: band for name, band in phase["by_layer"].items() if not name.isdigit()}
    parts: list[Child] = []
    if numbered:
        columns = [
            Column(f"{layer}", j["nominal"], j, f"layer {layer}: {units.si(j['nominal'], 'J')}, {units.span(j, 'J')}")
            for layer, j in sorted(numbered, key=lambda row: row[0])
        ]
        parts.append(column_chart(columns, f"energy per {unit} by layer"))
    if named:
        marks = ticks(max(band["high"] for band in named.values()))
        for name, band in named.items():
            label = units.words(name)
            segment = Segment(band["nominal"], "k0", f"{label}: {units.si(band['nominal'], 'J')}")
            parts.append(bar_row(el("b", label), [segment], band, marks, band_text(band), label))
        parts.append(axis(marks, "J"))
    return el("div", el("h3", "By layer"), *parts, class_="chart") if parts else None


def _changes(phase: Data, unit: str) -> Html | None:
    found = changes(phase, unit)
    if found is None:
        return None
    heads, rows = found
    hint = "Each is the account made again with the change; what it would cost elsewhere is not part of it."
    return el("div", el("h3", "What if"), table("What if", heads, texts(heads, rows), ""), el("p", hint, class_="hint"))


def _without_chip(phase: Data, unit: str) -> Html | None:
    found = ways(phase, unit)
    if found is None:
        return None
    heads, rows = found
    return el(
        "div",
        el("h3", "Does the chip pay?"),
        table("Ways to do without the chip", heads, texts(heads, rows), ""),
        bullets(verdicts(phase), "Beside its host"),
    )


def _ledger(phase: Data, unit: str) -> Html:
    heads = [
        "Component",
        "Event",
        "Device",
        "Boundary",
        f"Per {unit}>",
        "Each>",
        "Joules>",
        "Low – high>",
        "Basis of each",
    ]
    heads += ["Source"]
    entries = sorted(phase["entries"], key=lambda entry: -entry["joules"]["nominal"])
    body = table("The ledger", heads, [_entry(entry) for entry in entries[:MAX_ROWS]], "sortable ledger")
    if len(entries) <= MAX_ROWS:
        return body
    return join([body, el("p", f"The {MAX_ROWS} largest are shown; all are in the CSV file.", class_="hint")])


def _entry(entry: Data) -> list[Html]:
    cost, joules = entry["unit_cost"], entry["joules"]
    band: Band = {"low": cost["low"], "nominal": cost["nominal"], "high": cost["high"]}
    each = join([units.si(cost["nominal"], cost["unit"]), el("small", units.span(band, cost["unit"]))], " ")
    return [
        cell(units.words(entry["component"])),
        cell(units.words(entry["event"])),
        cell(entry["device"]),
        cell(entry["boundary"]),
        number(entry["count"]),
        cell(each, cost["nominal"]),
        number(joules["nominal"], "J"),
        cell(units.span(joules, "J"), joules["high"]),
        cell(basis_mark(entry["basis"])),
        cell(entry["source"], class_="source"),
    ]
