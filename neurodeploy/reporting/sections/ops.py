"""Operations: device, reason and bytes; equal layers share a row, and rows can be filtered and sorted."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import Segment, axis, bar_row, ticks
from neurodeploy.reporting.derive import OpGroup, op_groups, steps_of
from neurodeploy.reporting.html import Html, el, join
from neurodeploy.reporting.sections.frame import MAX_ROWS, Body, cell, device_mark, number, table
from neurodeploy.reporting.units import Data

_RULES = 10


def ops(data: Data) -> Body | None:
    found = data.get("explain")
    if found is None:
        return None
    groups = op_groups(found)
    heads = ["Operation", "Layers", "Ops>", "Device", "Reason", f"Bytes per {steps_of(found)[1]}>"]
    hint = f"{units.count(len(found))} operations in {units.count(len(groups))} rows: equal layers share one. "
    hint += (
        "A chip operation shows all bytes that cross the border for it, a host operation those of them "
        "whose other end it is: two views of one traffic."
    )
    if len(groups) > MAX_ROWS:
        hint += f" The first {MAX_ROWS} rows are shown; all operations are in the CSV file."
    return [
        _lead(found),
        _by_rule(found),
        _filter(sorted({group.device for group in groups})),
        table("Operations", heads, [_row(group) for group in groups[:MAX_ROWS]], name="ops"),
        el("p", hint, class_="hint"),
    ]


def _lead(found: list[Data]) -> str:
    if not found:
        return "The model has no operations."
    chip = sum(op["device"] == "chip" for op in found)
    crossing = sum(op["bytes_per_token"] for op in found if op["device"] != "chip")
    thing, unit = steps_of(found)
    text = f"{units.count(chip)} of {units.some(len(found), thing)} run on the chip"
    if chip == len(found):
        return f"{text}; nothing falls to the host."
    return f"{text}; the others stay on the host, each for a reason, and move {units.si(crossing, 'B')} per {unit}."


def _by_rule(found: list[Data]) -> Html | None:
    """What each reason costs at the border; nothing where there is only one."""
    sums: dict[str, tuple[int, float]] = {}
    for op in found:
        if op["device"] != "chip":
            count, moved = sums.get(op["rule"], (0, 0.0))
            sums[op["rule"]] = (count + 1, moved + op["bytes_per_token"])
    ranked = sorted(sums.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
    if len(ranked) < 2 or not ranked[0][1][1]:
        return None
    marks, unit = ticks(ranked[0][1][1]), steps_of(found)[1]
    rows = [
        bar_row(
            join([el("code", rule), el("span", f"{units.count(count)} operation{'s' if count != 1 else ''}")]),
            [Segment(moved, "k1", f"{rule}: {units.si(moved, 'B')} per {unit}")],
            None,
            marks,
            el("b", units.si(moved, "B")),
            f"{rule}: {units.si(moved, 'B')} per {unit}",
        )
        for rule, (count, moved) in ranked[:_RULES]
    ]
    return el("div", el("h3", "Bytes over the host border, by reason"), *rows, axis(marks, "B"), class_="chart rules")


def _filter(devices: list[str]) -> Html:
    options = [el("option", "all devices", value=""), *(el("option", device, value=device) for device in devices)]
    hint, what = "Filter by name, rule or reason", "Filter operations"
    return el(
        "p",
        el("input", type="search", id="ops-filter", placeholder=hint, aria_label=what),
        el("select", *options, id="ops-device", aria_label="Device"),
        el("span", id="ops-count", class_="hint"),
        class_="filter scripted",
    )


def _row(group: OpGroup) -> list[Html]:
    many = el("small", f" (one of {group.wordings} wordings)") if group.wordings > 1 else None
    reason = join([el("code", group.rule), " ", group.reason, many])
    if group.remedy:  # folded away: it is long, and the same for many rows
        reason = el("details", el("summary", reason), el("span", group.remedy, class_="remedy"))
    return [
        cell(join([el("b", group.pattern), el("span", group.op)], " "), class_="path"),
        cell(group.layers, class_="layers"),
        cell(units.count(group.count), group.count, "times"),
        cell(device_mark(group.device), class_="device-cell"),
        cell(reason, class_="reason"),
        number(group.bytes_per_token, "B"),
    ]
