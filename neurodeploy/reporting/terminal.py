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
from neurodeploy.reporting.brief import BRIEFS, brief, explain_answer
from neurodeploy.reporting.terminal_board import UNITS
from neurodeploy.reporting.terminal_checks import print_doctor, print_paths, print_verify
from neurodeploy.reporting.terminal_diff import print_diff
from neurodeploy.reporting.terminal_explore import print_explore
from neurodeploy.reporting.terminal_fit import print_fit, print_fit_models
from neurodeploy.reporting.terminal_metrics import print_metrics
from neurodeploy.reporting.terminal_offload import print_offload
from neurodeploy.reporting.terminal_run import (
    print_answer,
    print_convert,
    print_eval,
    print_export,
    print_generate,
    print_run,
)
from neurodeploy.reporting.terminal_table import listed, open_console, say, show_table, told


def print_map(found: Mapping[str, Any], console: Console) -> None:
    """Fit, chips and cores against the lower bound, and how full each budget is."""
    told(console, BRIEFS["map"](found))
    listed(console, found.get("open_questions", ()), "bold yellow", "  ")
    rows = [_budget(name, entry) for name, entry in found["utilisation"].items()]
    show_table(console, ["Budget of a core", "Mean>", "Fullest core>", "Limit>"], rows)
    listed(console, found["violations"], "red", "  ")
    if found.get("offload"):
        print_offload(found["offload"], console)
    if found.get("metrics"):
        print_metrics(found["metrics"], console)
    if "between_chips" in found.get("rates", {}):
        say(console, f"experts that follow one another: {units.percent(found['rates']['between_chips'])} between chips")


def _budget(name: str, entry: Mapping[str, Any]) -> list[str]:
    unit = "B" if name.endswith("bytes") else ""
    if entry["limit"] is None:
        return [units.words(name), units.DASH, units.si(entry["max_used"], unit), "not public"]
    shares = (units.percent(entry[key]) if entry["limit"] else units.DASH for key in ("mean", "max"))
    return [units.words(name), *shares, units.si(entry["limit"], unit)]


def print_energy(found: Mapping[str, Any], console: Console) -> None:
    """The answer, what is open, then each phase apart: joules and time at each boundary, and by component with basis."""
    print_answer(console, found, BRIEFS["energy"](found))
    texts: Mapping[str, str] = found.get("boundaries") or BOUNDARY_TEXT
    for name, phase in derive.phases(found).items():
        if phase is None:
            continue
        unit, seconds = derive.unit_of(name), phase["seconds_per_token"]
        speed = f"{units.si(phase['tokens_per_s'])} {unit}s/s ({units.span(derive.rate_band(seconds), '')})"
        head = f"{derive.PHASE_TEXT[name].capitalize()}: {units.spread(seconds, 's')}, {speed}"
        say(console, f"{head}, bound by {units.words(phase['bound_by'])}", "bold")
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
    if found.get("variants"):
        print_variants(found["variants"], console)


def print_explain(found: Sequence[Any], console: Console) -> None:
    """What runs where, by layer pattern with device and bytes, then each rule once with its text and its remedy."""
    say(console, *explain_answer(found))
    thing, unit = derive.steps_of(found)
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
        say(
            console,
            f"{rule}: {op['reason']}" + (f" (one of {units.some(wordings, 'wording')})" if wordings > 1 else ""),
        )
        if op["remedy"]:
            say(console, f"  to put it on the chip: {op['remedy']}", "dim")


def print_demo(found: Mapping[str, Any], console: Console) -> None:
    """The answer, then every step of the demo in order, each as its own verb prints it."""
    told(console, BRIEFS["demo"](found))
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
    told(console, BRIEFS["calibrate"](found))
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


#: Verbs that keep their answer as a page where they are asked to (`pipeline.saving`).
PAGED = ("diff", "fit")


def show(verb: str, found: Any, console: Console | None = None) -> None:
    """Print all of what a verb returned, its answer first."""
    _PRINTERS[verb](found, console or open_console())


def show_brief(verb: str, found: Any, console: Console | None = None) -> None:
    """Print the answer of a verb, five lines at most and where it was written; of one that lists (`fit --list`) the
    list."""
    if verb in BRIEFS:
        console = console or open_console()
        told(console, brief(verb, found))
        if verb in PAGED and "out" in found:
            say(console, f"written to {found['out']}")
    else:
        show(verb, found, console)
