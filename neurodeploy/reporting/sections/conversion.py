"""Conversion: the preset, and for each place where activations become integers the payload and the error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import COLOURS, Dot, dot_chart
from neurodeploy.reporting.derive import middle, number_ranges, pattern
from neurodeploy.reporting.html import Child, Html, el, fact_list, join
from neurodeploy.reporting.sections.frame import MAX_ROWS, Body, bullets, cell, folded, number, table
from neurodeploy.reporting.units import Data


def conversion(data: Mapping[str, Any]) -> Body | None:
    found = data.get("conversion")
    if found is None:
        return None
    if "check" in found:
        return _of_tensors(found)
    if "sites" not in found:
        return _of_parameters(found)
    groups: dict[str, list[Data]] = {}
    for site in found["sites"]:
        groups.setdefault(pattern(site["path"]), []).append(site)
    colours = {name: f"k{min(i, COLOURS - 1)}" for i, name in enumerate(groups)}
    preset, calibration = found["preset"], found["calibration"]
    text = f"{calibration['text']}, {units.count(calibration['tokens'])} tokens" if calibration is not None else "none"
    facts = fact_list(
        [
            ("Preset", preset["name"]),
            ("Weights", _weights(preset, found.get("bits_a_weight"))),
            ("Payloads", f"{preset['payload_bits']} bits"),
            *_sent(found.get("synaptic_events_sent", 1.0)),
            ("Calibrated on", text),
            ("Sites", units.count(len(found["sites"]))),
        ]
    )
    body: list[Child] = [facts, _by_pattern(groups, colours), _dots(found, colours)]
    if any(len(sites) > 1 for sites in groups.values()):
        body.append(folded("Every site", *_all_sites(found["sites"])))
    return [_lead(found), *body, bullets(found["warnings"], "Repaired or changed")]


def _weights(preset: Data, means: Data | None) -> str:
    """How they are stored, in words."""
    if preset.get("weights", "rows") == "rows" or means is None:
        return f"{preset['weight_bits']} bits, a scale per output row"
    form = {"groups": "factors and offsets by group", "file": "integers and constants of the file"}[preset["weights"]]
    return f"{means['body']:.2f} bits in the mean, {means['with_head']:.2f} with the head, {form}"


def _sent(share: float) -> list[tuple[str, Child]]:
    """How many of the synaptic events of linear layers are left, where that is not all."""
    return [] if share == 1 else [("Synaptic events sent", f"{units.percent(share)} on the calibration text")]


def _lead(found: Data) -> str | None:
    known = [(site["output_sqnr_db"], site["path"]) for site in found["sites"] if site["output_sqnr_db"] is not None]
    if not known:
        return None
    median, _ = middle(value for value, _ in known)
    worst, path = min(known, key=lambda pair: pair[0] or 0.0)
    return (
        f"Half of the sites keep at least {median:.1f}{units.SPACE}dB between signal and rounding; "
        f"the weakest, {path}, keeps {worst:.1f}{units.SPACE}dB."
    )


def _db(value: float | None) -> str:
    return units.DASH if value is None else f"{value:.1f}{units.SPACE}dB"


def _by_pattern(groups: dict[str, list[Data]], colours: dict[str, str]) -> Html:
    heads = ["Site", "Layers", "Sites>", "Payload>", "Wide channels>", "Weight SQNR, median>", "least>"]
    heads += ["Output SQNR, median>", "least>"]
    rows = []
    for name, sites in groups.items():
        weight = middle(site["weight_sqnr_db"] for site in sites)
        output = middle(site["output_sqnr_db"] for site in sites)
        bits = sorted({site["payload_bits"] for site in sites})
        shown = units.ranges(bits) if len(bits) > 1 else f"{bits[0]}"
        wide = sum(site["wide_channels"] for site in sites)
        rows.append(
            [
                cell(join([el("i", class_=f"key {colours[name]}"), el("b", name)], " "), class_="path"),
                cell(number_ranges([site["path"] for site in sites]), class_="layers"),
                number(len(sites)),
                cell(f"{shown}{units.SPACE}bit", float(bits[0])),
                number(wide),
                *(cell(_db(value), value if value is not None else -1.0) for value in (*weight, *output)),
            ]
        )
    return table("Sites of the conversion", heads, rows)


def _dots(found: Data, colours: dict[str, str]) -> Html | None:
    dots = []
    for site in found["sites"]:
        number_found = re.search(r"(?<!\w)\d+(?!\w)", site["path"])
        if number_found is None or site["output_sqnr_db"] is None:
            continue
        tip = f"{site['path']}: {site['output_sqnr_db']:.1f} dB"
        dots.append(Dot(int(number_found.group()), site["output_sqnr_db"], colours[pattern(site["path"])], tip))
    if len(dots) < 3 or max(dot.x for dot in dots) > 4096:
        return None
    chart = dot_chart(dots, "dB; the axis does not start at zero", "output SQNR by layer")
    return el("div", el("h3", "Output SQNR by layer"), chart, class_="chart")


def _all_sites(sites: list[Data]) -> list[Child]:
    heads = ["Site", "Payload>", "Input scale>", "Wide channels>", "Weight SQNR>", "Output SQNR>"]
    rows = [
        [
            cell(site["path"], class_="path"),
            cell(f"{site['payload_bits']} bit", float(site["payload_bits"])),
            cell(f"{site['input_scale']:.4g}", site["input_scale"]),
            number(site["wide_channels"]),
            *(cell(_db(v), v if v is not None else -1.0) for v in (site["weight_sqnr_db"], site["output_sqnr_db"])),
        ]
        for site in sites[:MAX_ROWS]
    ]
    shown: list[Child] = [table("Every site of the conversion", heads, rows)]
    if len(sites) > MAX_ROWS:
        shown.append(el("p", f"The first {MAX_ROWS} sites are shown; all are in the JSON file.", class_="hint"))
    return shown


def _of_parameters(found: Data) -> Body:
    """Of a spiking network, whose parameters were rounded one by one."""
    rows = [
        [
            cell(row["where"]),
            cell(row["parameter"]),
            cell(f"{row['absolute']:.4g}", row["absolute"]),
            cell(units.DASH if row["relative"] is None else units.percent(row["relative"]), row["relative"] or 0.0),
        ]
        for row in found["errors"]
    ]
    heads = ["Where", "Parameter", "Worst error>", "Relative>"]
    lead = "What became of the parameters in integers." if rows else "The source holds integers: nothing was rounded."
    body = table("Errors of the parameters", heads, rows) if rows else None
    return [lead, body, bullets(found["warnings"], "Repaired or changed")]


def _of_tensors(found: Data) -> Body:
    """Of a module or ONNX file, which was run on the samples beside the chip."""
    check = found["check"]
    off = units.percent(check["largest_relative"], 2)
    lead = (
        f"On {units.some(check['samples'], 'sample')} the chip is at most {off} of the largest output off what "
        f"{check['against']} computes."
    )
    outputs = [
        [
            cell(name),
            cell(units.percent(row["largest_relative"], 2), row["largest_relative"]),
            cell(_db(row["sqnr_db"]), -1.0 if row["sqnr_db"] is None else row["sqnr_db"]),
            cell(
                units.DASH if row["least_cosine"] is None else f"{row['least_cosine']:.6f}", row["least_cosine"] or 0.0
            ),
            cell(units.percent(row["same_largest"]), row["same_largest"]) if "same_largest" in row else cell(""),
        ]
        for name, row in check["outputs"].items()
    ]
    heads = ["Output", "Largest error, of the largest output>", "SQNR>", "Least cosine>", "Same largest number>"]
    worst = [
        [
            cell(row["path"], class_="path"),
            cell(row["form"]),
            cell(row["where"]),
            cell(_db(row["sqnr_db"]), row["sqnr_db"]),
        ]
        for row in check["worst"]
    ]
    shown: list[Child] = [table("Outputs against the original", heads, outputs)]
    if worst:
        shown.append(el("h3", "Operations that lose most"))
        shown.append(table("Operations that lose most", ["Operation", "Form", "Where", "SQNR>"], worst))
    return [lead, *shown, bullets(found["warnings"], "Repaired or changed")]
