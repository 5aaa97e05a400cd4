"""The chip map, the budgets of a core and what is known of their limits."""

from __future__ import annotations

from neurodeploy.reporting import chipmap, units
from neurodeploy.reporting.html import Child, Html, el, join, json_block, line, pct, rect, svg
from neurodeploy.reporting.sections.frame import Body
from neurodeploy.reporting.units import Data

#: Chips drawn -> class that sets the width of one (style.css).
_WIDTHS = ((1, "w1"), (4, "w4"), (12, "w12"), (40, "w40"))
_VIOLATIONS = 12


def chips(data: Data) -> Body | None:
    found = data.get("map")
    if found is None:
        return None
    chip_map = chipmap.build(found)
    drawn = [chipmap.draw_panel(chip_map, panel, i) for i, panel in enumerate(chip_map.panels)]
    width = "whole" if chip_map.by_chip else next((name for top, name in _WIDTHS if len(drawn) <= top), "w99")
    side = el(
        "aside",
        _colour_by(chip_map),
        _legend(chip_map),
        el("h3", "Budgets of a core"),
        join(_budget(name, use) for name, use in found["utilisation"].items()),
        el("p", "Bar: mean over the cores in use. Mark: the fullest core.", class_="hint"),
        _unknown(found["unknown_limits"]),
    )
    return [
        _lead(found, chip_map),
        _violations(found["violations"]),
        el("div", el("div", el("div", *drawn, class_=f"chips {width}"), _system(found, chip_map)), side, class_="map"),
        json_block("cores", chipmap.script_data(chip_map)),
    ]


def _lead(found: Data, chip_map: chipmap.ChipMap) -> str:
    used, bound = found["cores_used"], found["cores_lower_bound"]
    square = "One square is one chip." if chip_map.by_chip else "One square is one core."
    if not used:
        return "No core is in use."
    least = f", {units.percent(used / bound - 1, 2)} above {units.count(bound)}, the least that any mapper could use"
    said = f"{units.some(used, 'core')} of {found['cores_per_chip']} per chip {'is' if used == 1 else 'are'} in use"
    said += least if bound else ""
    return f"{said}; {units.words(found['binding_resource'])} run out first. {square}"


def _violations(items: list[str]) -> Html | None:
    if not items:
        return None
    more = len(items) - _VIOLATIONS
    rows = [el("li", item) for item in items[:_VIOLATIONS]]
    if more > 0:
        rows.append(el("li", f"and {units.count(more)} more, in the JSON file"))
    return el("div", el("h3", f"{units.count(len(items))} exceeded budgets"), el("ul", *rows), class_="violations")


def _colour_by(chip_map: chipmap.ChipMap) -> Html:
    options = [el("option", name, value=name) for name in chip_map.modes]
    return el("p", el("label", "Colour by ", el("select", *options, id="colour-by")), class_="colour-by scripted")


def _legend(chip_map: chipmap.ChipMap) -> Html:
    ramp = join(el("i", class_=f"u{step}") for step in range(chipmap.STEPS))
    over = any(v is not None and v > 1000 for values in chip_map.modes.values() for v in values)
    parts: list[Child] = [
        el("span", el("b", "0 %", id="ramp-low"), el("span", ramp, class_="ramp"), el("b", "100 %", id="ramp-high")),
        el("span", el("i", class_="uf"), " free"),
    ]
    if over:
        parts.append(el("span", el("i", class_="ux"), " over the limit"))
    what = "Mean of the fullest resource of its cores" if chip_map.by_chip else "Fullest resource of a core"
    return el("div", el("span", what, id="ramp-what"), *parts, class_="legend")


def _budget(name: str, use: Data) -> Html:
    limit, words, unit = use["limit"], units.words(name), "B" if name.endswith("bytes") else ""
    if limit is None:
        of, drawn = "limit not public", svg("budget", 8, "", rect("unknown", 0, 1, 0, 8))
    else:
        scale = max(limit, use["max_used"]) or 1.0
        at = pct(use["max_used"] / scale)
        average = units.percent(use["mean"])
        of, drawn = f"of {units.si(limit, unit)}", svg(
            "budget", 8, f"{words}: {average} of the limit on average",
            rect("track", 0, 1, 0, 8),
            rect("ux" if use["mean_used"] > limit else "k0", 0, use["mean_used"] / scale, 0, 8),
            line("over" if use["max_used"] > limit else "mark", (at, at), (-2, 10)),
        )  # fmt: skip
    numbers = f"{units.si(use['mean_used'], unit)} mean, {units.si(use['max_used'], unit)} most"
    return el("div", el("b", words), el("span", numbers, el("em", of)), drawn, class_="budget-row")


def _system(found: Data, chip_map: chipmap.ChipMap) -> Html | None:
    """All chips of the system, in use or free, where the map shows only those in use."""
    if chip_map.by_chip or found["chips_available"] <= found["chips_used"]:
        return None
    free = units.count(found["chips_available"] - found["chips_used"])
    text = join([el("b", found["system"]), f" {units.some(found['chips_available'], 'chip')}, {free} free"])
    return el("div", el("span", text, class_="hint"), chipmap.system_strip(found), class_="spare")


def _unknown(names: list[str]) -> Html | None:
    if not names:
        return None
    return el("p", f"No public limit, so not checked: {', '.join(units.words(name) for name in names)}.", class_="hint")
