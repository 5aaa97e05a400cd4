"""Summaries for the terminal, one function per verb: they take what the verb returns (what ``--json`` prints).

Names come from strangers' files: they are printed as plain text, never as markup, and without control characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import derive, terminal_spiking, units
from neurodeploy.reporting.schema import BOUNDARIES, BOUNDARY_TEXT
from neurodeploy.reporting.terminal_checks import print_doctor, print_paths, print_run, print_verify
from neurodeploy.reporting.terminal_fit import print_fit, print_fit_models
from neurodeploy.reporting.terminal_metrics import print_metrics
from neurodeploy.reporting.terminal_offload import print_offload
from neurodeploy.reporting.terminal_table import listed, open_console, say, show_table


def print_convert(found: Mapping[str, Any], console: Console) -> None:
    """The bundle, what went on the chip, the calibration and the weakest sites."""
    preset, calibration = found["preset"], found["calibration"]
    say(console, f"{found['model']} ({found['family']}) -> {found['bundle']}", "bold")
    say(
        console,
        f"{units.si(found['weights_on_chip'])} weights in {units.count(found['islands'])} islands, "
        f"{preset['weight_bits']} bit; payloads {preset['payload_bits']} bit; preset {preset['name']}",
    )
    say(console, f"calibrated on {units.count(calibration['tokens'])} tokens of {calibration['text']}")
    if found["islands_resumed"]:
        resumed = units.count(found["islands_resumed"])
        say(console, f"{resumed} islands were finished by an earlier run that was broken off")
    if found["wide_axons"]:
        say(console, f"{units.count(found['wide_axons'])} axons carry the wide exponent")
    rows = [[site["path"], f"{site['output_sqnr_db']:.1f} dB"] for site in found["worst_sites"]]
    show_table(console, ["Weakest sites", "Output SQNR>"], rows)
    for warning in found["warnings"]:
        say(console, f"warning: {warning}", "yellow")
    say(console, f"{found['seconds']:.1f} s", "dim")


def print_map(found: Mapping[str, Any], console: Console) -> None:
    """Fit, chips and cores against the lower bound, and how full each budget is. Takes a mapping's section too."""
    used, bound = found["cores_used"], found["cores_lower_bound"]
    over = f", {units.percent(used / bound - 1, 2)} above the least possible {units.count(bound)}" if bound else ""
    verdict, left = derive.fit_of(found), units.count(found["host_islands"])
    chips = f"{units.count(found['chips_used'])} of {units.count(found['chips_available'])} chips"
    said = f"fits partly, {left} islands on the host, {chips}" if verdict == derive.PARTLY else f"{verdict}, {chips}"
    colour = {derive.PARTLY: " yellow", derive.NOT_FIT: " red"}.get(verdict, "")
    say(console, f"{found['system']}: {said}", f"bold{colour}")
    listed(console, found.get("open_questions", ()), "bold yellow", "  ")
    say(console, f"{units.count(used)} cores{over}; bound by {units.words(found['binding_resource'])}")
    rows = [_budget(name, entry) for name, entry in found["utilisation"].items()]
    show_table(console, ["Budget of a core", "Mean>", "Fullest core>", "Limit>"], rows)
    border = found.get("border_bytes_per_token")
    if border is not None:
        own = len(found["host_ops"]) - len((found.get("offload") or {}).get("on_host", ()))
        rest = f", {own} host operations" if "unit" not in found else " if every neuron sends"
        say(console, f"{units.si(border, 'B')} per {found.get('unit', 'token')} over the host border{rest}")
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
    """A row from fractions with `max_used` (a mapping's summary) or from amounts (a report's section)."""
    unit = "B" if name.endswith("bytes") else ""
    limit = entry["limit"]
    if limit is None:
        most = entry.get("max_used", entry["max"])
        return [units.words(name), units.DASH, units.si(most, unit), "not public"]
    scale = 1.0 if "max_used" in entry else limit
    shares = (units.percent(entry[key] / scale) if scale else units.DASH for key in ("mean", "max"))
    return [units.words(name), *shares, units.si(limit, unit)]


def print_energy(found: Mapping[str, Any], console: Console) -> None:
    """What is open, then each phase apart: joules and time at each boundary, and by component with basis."""
    terminal_spiking.print_open(console, found)
    texts: Mapping[str, str] = found.get("boundaries") or BOUNDARY_TEXT
    notes: dict[str, set[str]] = {"assumptions": set(), "not_modelled": set()}
    for name, phase in derive.phases(found).items():
        if phase is None:
            continue
        unit, seconds = derive.unit_of(name), phase["seconds_per_token"]
        speed = f"{units.si(phase['tokens_per_s'])} {unit}s/s ({units.span(derive.rate_band(seconds), '')})"
        head = f"{derive.PHASE_TEXT[name].capitalize()}: {units.spread(seconds, 's')}"
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
        for key, texts_of in notes.items():
            texts_of.update(phase[key])  # type: ignore[literal-required]
    count = [len(lines) for lines in notes.values()]
    said = f"{count[0]} assumptions and {count[1]} omissions stand beside these figures: see --json or report"
    say(console, f"modelled, not measured; {said}", "dim")


def print_eval(found: Mapping[str, Any], console: Console) -> None:
    """Chip against float on one text; without the float model the chip's own figures."""
    say(console, f"{units.count(found['tokens'])} tokens of {found['text']}", "bold")
    before, after = found["float"], found["chip"]
    rows = []
    names = {"bits_per_byte": "bits per byte", "perplexity": "perplexity", "tokens_per_s": "simulated tokens/s"}
    for key, name in names.items():
        old, new = before[key] if before is not None else None, after[key]
        compared = old and new is not None and key != "tokens_per_s"
        change = units.percent(new / old - 1, 2, signed=True) if compared else ""
        rows.append([name, *(units.DASH if value is None else units.digits(value, 4) for value in (old, new)), change])
    show_table(console, ["", "Float>", "Chip>", "Change>"], rows)
    if found["top1_agreement"] is not None:
        say(console, f"same next token: {units.percent(found['top1_agreement'])}")
    say(console, f"clipped values: {units.count(found['saturations'])}")
    if found.get("affinity"):
        drift, apart = (units.percent(found["affinity"][key]) for key in ("drift", "between_chips"))
        say(console, f"experts that follow one another: {drift} away from the mapping's text, {apart} between chips")
    if found.get("windows_resumed"):
        resumed = units.count(found["windows_resumed"])
        say(console, f"{resumed} windows were finished by an earlier run that was broken off")
    listed(console, found.get("notes", ()))


def print_explain(found: Sequence[Any], console: Console) -> None:
    """What runs where, by layer pattern with device and bytes, then each rule once with its text and its remedy."""
    chip = sum(op["device"] == "chip" for op in found)
    spiking = any(op["path"].startswith("populations.") for op in found)
    thing, unit = ("population", "step") if spiking else ("operation", "token")
    say(console, f"{units.count(chip)} of {units.some(len(found), thing)} run on the chip", "bold")
    rows = [
        [
            group.pattern.removeprefix("populations."), group.layers, units.count(group.count), group.device, group.rule,
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
        show(verb, "model", found[verb], console)
    console.rule("generate", align="left", style="dim")
    say(console, found["generate"]["prompt"] + found["generate"]["text"])
    console.rule("report", align="left", style="dim")
    print_paths(found["report"], console)


#: Who prints what a verb returns, by the kind of bundle where that matters.
_PRINTERS: dict[tuple[str, str], Callable[[Any, Console], None]] = {
    ("convert", "model"): print_convert, ("convert", "network"): terminal_spiking.print_convert_spiking,
    ("run", "model"): print_run, ("run", "network"): terminal_spiking.print_run_spiking,
    ("eval", "model"): print_eval, ("eval", "network"): terminal_spiking.print_eval_spiking,
    ("energy", ""): print_energy, ("explain", ""): print_explain, ("verify", ""): print_verify, ("map", ""): print_map,
    ("report", ""): print_paths, ("export", ""): terminal_spiking.print_export_spiking, ("fit", ""): print_fit,
    ("fit_models", ""): print_fit_models, ("doctor", ""): print_doctor, ("demo", ""): print_demo,
}  # fmt: skip


def show(verb: str, kind: str, found: Any, console: Console | None = None) -> None:
    """Print what a verb returned; `kind` is "model", "network", or "" where the verb does not ask."""
    printer = _PRINTERS.get((verb, "")) or _PRINTERS[verb, kind]
    printer(found, console or open_console())
