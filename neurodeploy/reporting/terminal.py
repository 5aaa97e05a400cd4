"""Summaries for the terminal, one function per verb: they take what the verb returns (what ``--json`` prints).

Names come from strangers' files: they are printed as plain text, never as markup, and without control characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.accounting.report_json import BOUNDARY_TEXT
from neurodeploy.reporting import derive, side_by_side, units, what_if, without_chip
from neurodeploy.reporting.terminal_board import UNITS
from neurodeploy.reporting.terminal_checks import print_doctor, print_paths, print_verify
from neurodeploy.reporting.terminal_diff import print_diff
from neurodeploy.reporting.terminal_explore import print_explore
from neurodeploy.reporting.terminal_fit import print_fit, print_fit_models
from neurodeploy.reporting.terminal_metrics import print_metrics
from neurodeploy.reporting.terminal_offload import print_offload
from neurodeploy.reporting.terminal_run import (
    print_convert,
    print_eval,
    print_export,
    print_generate,
    print_open,
    print_run,
)
from neurodeploy.reporting.terminal_table import listed, open_console, say, show_table


def print_map(found: Mapping[str, Any], console: Console) -> None:
    """Fit, chips and cores against the lower bound, and how full each budget is."""
    used, bound = found["cores_used"], found["cores_lower_bound"]
    over = f", {units.percent(used / bound - 1, 2)} above the least possible {units.count(bound)}" if bound else ""
    verdict, left = derive.fit_of(found), units.some(found["host_islands"], "island")
    chips = f"{units.count(found['chips_used'])} of {units.some(found['chips_available'], 'chip')}"
    said = f"fits partly, {left} on the host, {chips}" if verdict == derive.PARTLY else f"{verdict}, {chips}"
    colour = {derive.PARTLY: " yellow", derive.NOT_FIT: " red"}.get(verdict, "")
    say(console, f"{found['system']}: {said}", f"bold{colour}")
    listed(console, found.get("open_questions", ()), "bold yellow", "  ")
    say(console, f"{units.some(used, 'core')}{over}; bound by {units.words(found['binding_resource'])}")
    rows = [_budget(name, entry) for name, entry in found["utilisation"].items()]
    show_table(console, ["Budget of a core", "Mean>", "Fullest core>", "Limit>"], rows)
    border = found.get("border_bytes_per_token")
    if border is not None:
        own = len(found["host_ops"]) - len((found.get("offload") or {}).get("on_host", ()))
        rest = f", {own} host operations" if "unit" not in found else " if every neuron sends"
        moved = ""
        if found.get("steps_per_token"):
            cross, steps = found["crossings_per_token"], found["steps_per_token"]
            moved = f" in {cross:,.4g} crossings, {steps:,.4g} steps of the chip"
        say(console, f"{units.si(border, 'B')} per {found.get('unit', 'token')} over the host border{moved}{rest}")
    listed(console, found["violations"], "red", "  ")
    if found.get("offload"):
        print_offload(found["offload"], console)
    if found.get("metrics"):
        print_metrics(found["metrics"], console)
    if "between_chips" in found.get("rates", {}):
        say(console, f"experts that follow one another: {units.percent(found['rates']['between_chips'])} between chips")
    if found.get("plan"):
        say(console, f"plan written to {found['plan']}")


def _budget(name: str, entry: Mapping[str, Any]) -> list[str]:
    unit = "B" if name.endswith("bytes") else ""
    if entry["limit"] is None:
        return [units.words(name), units.DASH, units.si(entry["max_used"], unit), "not public"]
    shares = (units.percent(entry[key]) if entry["limit"] else units.DASH for key in ("mean", "max"))
    return [units.words(name), *shares, units.si(entry["limit"], unit)]


def print_energy(found: Mapping[str, Any], console: Console) -> None:
    """What is open, then each phase apart: joules and time at each boundary, and by component with basis."""
    print_open(console, found)
    texts: Mapping[str, str] = found.get("boundaries") or BOUNDARY_TEXT
    notes: dict[str, set[str]] = {"assumptions": set(), "not_modelled": set()}
    for name, phase in derive.phases(found).items():
        if phase is None:
            continue
        unit, seconds = derive.unit_of(name), phase["seconds_per_token"]
        speed = f"{units.si(phase['tokens_per_s'])} {unit}s/s ({units.span(derive.rate_band(seconds), '')})"
        joules = phase["joules_per_token"].get(derive.HEADLINE_BOUNDARY)
        spent = f"{units.si(joules['nominal'], 'J')} at the {derive.HEADLINE_BOUNDARY} boundary, " if joules else ""
        head = f"{derive.PHASE_TEXT[name].capitalize()}: {spent}{units.spread(seconds, 's')}"
        say(console, f"{head}, {speed}, bound by {units.words(phase['bound_by'])}", "bold")
        rows = [
            [boundary, units.si(band["nominal"], "J"), units.span(band, "J"), texts.get(boundary, "")]
            for boundary in BOUNDARIES
            if (band := phase["joules_per_token"].get(boundary)) is not None
        ]
        show_table(console, ["Boundary", f"J per {unit}>", "Low – high>", "What it holds"], rows)
        parts = derive.components(phase)
        whole = sum(part.joules["nominal"] for part in parts)
        rows = [
            [
                units.words(part.name), part.boundary, units.si(part.joules["nominal"], "J"), units.span(part.joules, "J"),
                units.share(part.joules["nominal"] / whole) if whole else units.DASH, ", ".join(part.basis),
            ]
            for part in parts
        ]  # fmt: skip
        heads = ["Component", "Counts from", f"J per {unit}>", "Low – high>", "Share>", "Basis of unit cost"]
        show_table(console, heads, rows)
        shares = derive.basis_shares(phase["entries"])
        if shares:
            say(console, f"at the wall {derive.basis_sentence(shares)}", "dim")
        if changes := what_if.changes(phase, unit):
            show_table(console, *changes)
        if ways := without_chip.ways(phase, unit):
            show_table(console, *ways)
            listed(console, without_chip.verdicts(phase), lead="")
        for key, texts_of in notes.items():
            texts_of.update(phase[key])  # type: ignore[literal-required]
    count = [len(lines) for lines in notes.values()]
    said = f"{count[0]} assumptions and {count[1]} omissions stand beside these figures: see --json or report"
    say(console, f"modelled, not measured; {said}", "dim")
    if found.get("variants"):
        print_variants(found["variants"], console)


def print_explain(found: Sequence[Any], console: Console) -> None:
    """What runs where, by layer pattern with device and bytes, then each rule once with its text and its remedy."""
    chip = sum(op["device"] == "chip" for op in found)
    thing, unit = derive.steps_of(found)
    crossings, steps = (sum(op.get(f"{what}_per_token", 0) for op in found) for what in ("crossings", "steps"))
    moved = (
        f": {crossings:,.4g} crossings of the host border and {steps:,.4g} steps of the chip a {unit}" if steps else ""
    )
    say(console, f"{units.count(chip)} of {units.some(len(found), thing)} run on the chip{moved}", "bold")
    rows = [
        [
            group.pattern, group.layers, units.count(group.count), group.device, group.rule,
            units.si(group.bytes_per_token, "B"),
        ]
        for group in derive.op_groups(found)
    ]  # fmt: skip
    show_table(console, [thing.capitalize(), "Layers", "How many>", "Device", "Rule", f"Bytes a {unit}>"], rows)
    for rule, op in {op["rule"]: op for op in reversed(found) if op["device"] != "chip"}.items():
        wordings = len({other["reason"] for other in found if other["rule"] == rule})
        say(console, f"{rule}: {op['reason']}" + (f" (one of {wordings} wordings)" if wordings > 1 else ""))
        if op["remedy"]:
            say(console, f"  to put it on the chip: {op['remedy']}", "dim")


def print_demo(found: Mapping[str, Any], console: Console) -> None:
    """Every step of the demo in order, each as its own verb prints it."""
    for verb in ("convert", "map", "explain", "verify", "eval", "energy"):
        console.rule(verb, align="left", style="dim")
        show(verb, found[verb], console)
    console.rule("generate", align="left", style="dim")
    print_generate(found["generate"], console)
    console.rule("report", align="left", style="dim")
    print_paths(found["report"], console)
    last = found["compared"][-1]["on_chip"]
    console.rule(f"with --on-chip {last}", align="left", style="dim")
    print_generate(found[last]["generate"], console)
    others = [name for name, same in found["same_text"].items() if not same]
    say(console, f"other text with {', '.join(others)}" if others else "the same text whatever is on the chip", "bold")
    print_variants(found["compared"], console)
    for name, ops in found["host"].items():
        say(console, f"the host computes with {name}: {', '.join(ops)}", "dim")


def print_variants(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """What of a model is on the chip, side by side."""
    show_table(console, side_by_side.HEADS, [side_by_side.cells(row, rows) for row in rows])
    say(console, side_by_side.MEANING, "dim")
    listed(console, side_by_side.remarks(rows), "dim", "")


def print_calibrate(found: Mapping[str, Any], console: Console) -> None:
    """What was measured beside the account before and after, and the bands that have shrunk."""
    figures = units.some(found["figures"], "figure")
    said = f"{figures} explained to {units.si(found['missed'])} of their errors, root of the mean square"
    say(console, f"{found['out']}: {units.some(len(found['coefficients']), 'coefficient')} of {found['chip']}", "bold")
    rows = [
        [
            row["name"], row["phase"], f"{row['quantity']} {row['boundary'] or ''}".strip(),
            *(units.si(row[key], UNITS[row["quantity"]]) for key in ("measured", "before", "after")),
            *(units.percent(row[f"error_{when}"], 2, signed=True) for when in ("before", "after")),
        ]
        for row in found["rows"]
    ]  # fmt: skip
    heads = ["Run", "Phase", "Figure", "Measured>", "Account before>", "After>", "Error before>", "After>"]
    show_table(console, heads, rows)
    rows = [
        [
            row["name"],
            *_bands(row),
            units.percent(row["shrunk"], 2),
        ]
        for row in found["coefficients"]
    ]  # fmt: skip
    show_table(console, ["Coefficient", "Before>", "After>", "Band of before>"], rows)
    say(console, f"{said}; use it with energy --coefficients {found['out']}", "dim")


def _bands(row: Mapping[str, Any]) -> list[str]:
    """A coefficient before and after, nominal value and band."""
    unit = "" if row["unit"] == "1" else row["unit"]
    return [
        f"{units.si(row[when]['nominal'], unit)} ({units.span(row[when], unit)})" for when in ("before", "after")
    ]  # fmt: skip


#: Who prints what a verb returns.
_PRINTERS: dict[str, Callable[[Any, Console], None]] = {
    "convert": print_convert, "run": print_run, "eval": print_eval, "export": print_export, "energy": print_energy,
    "explain": print_explain, "verify": print_verify, "map": print_map, "fit": print_fit, "fit_models": print_fit_models,
    "report": lambda found, console: print_paths(found["paths"], console), "doctor": print_doctor, "demo": print_demo,
    "calibrate": print_calibrate, "generate": print_generate, "explore": print_explore,
    "diff": print_diff,
}  # fmt: skip


def show(verb: str, found: Any, console: Console | None = None) -> None:
    """Print what a verb returned."""
    _PRINTERS[verb](found, console or open_console())
