"""Summaries of spiking networks for the terminal, one function per verb; see `terminal`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.schema import BOUNDARIES, BOUNDARY_TEXT
from neurodeploy.reporting.terminal_table import extent, open_console, say, show_table, soundness

#: Notes before the list is cut; `--json` has all.
_LINES = 10
#: Places that one gathered line names.
_PLACES = 3


def print_convert_network(found: Mapping[str, Any], console: Console | None = None) -> None:
    """What is open, the bundle, what the network holds and takes, the worst rounding of each parameter, every repair."""
    console = open_console(console)
    _open(console, found)
    say(console, f"{found['network']} ({found['family']}) -> {found['bundle']}", "bold")
    step = f"time step {units.si(found['dt_s'], 's')}" if found["dt_s"] else "no time step stated"
    say(
        console,
        f"{units.some(found['neurons'], 'neuron')} in {units.some(found['populations'], 'population')}, "
        f"{units.si(found['synapses'])} synapses in {units.some(found['projections'], 'projection')}; {step}",
    )
    ends = [
        f"{word} {', '.join(f'{name} {_shape(sides)}' for name, sides in found[key].items())}"
        for word, key in (("in:", "inputs"), ("out:", "outputs"))
    ]
    say(console, "; ".join(ends))
    rows = [
        [row["where"], row["parameter"], f"{row['absolute']:.3g}", _percent(row["relative"])]
        for row in found["worst_errors"]
    ]
    if rows:
        show_table(console, ["Worst rounding", "Parameter", "Error>", "Relative>"], rows)
    _notes(console, gathered(found["warnings"]))
    say(console, f"{found['seconds']:.1f} s", "dim")


def _shape(sides: Iterable[int]) -> str:
    return " x ".join(str(side) for side in sides)


def gathered(lines: Iterable[str]) -> list[str]:
    """Lines that differ only in what stands before the first colon as one: "layer 0, layer 1: the rest"."""
    places: dict[str, list[str]] = {}
    for line in lines:
        place, colon, rest = line.partition(": ")
        places.setdefault(rest if colon else line, []).extend([place] if colon else [])
    found = []
    for rest, names in places.items():
        names = list(dict.fromkeys(names))
        more = f" and {units.count(len(names) - _PLACES)} more" if len(names) > _PLACES else ""
        found.append(f"{', '.join(names[:_PLACES])}{more}: {rest}" if names else rest)
    return found


def _percent(value: float | None) -> str:
    return units.DASH if value is None else units.percent(value)


def print_run_network(found: Mapping[str, Any], console: Console | None = None) -> None:
    """What is open, counts by population and projection, what was clipped or wrapped, the speed of the simulation."""
    console = open_console(console)
    _open(console, found)
    samples = f" of {units.count(found['samples'])} samples" if found["samples"] > 1 else ""
    done = f", {extent(found['executed'])}" if "executed" in found else ""
    say(
        console,
        f"{found['network']}: {units.count(found['steps'])} steps{samples} from step {found['first_step']}{done}",
        "bold",
    )
    rows = [
        [
            name,
            row["model"],
            *(units.si(row[key]) for key in ("neurons", "messages")),
            f"{row['rate']:.4f}",
            *(units.count(row[key]) for key in ("saturated", "wrapped")),
        ]
        for name, row in found["populations"].items()
    ]
    heads = ["Population", "Model", "Neurons>", "Messages>", "Rate>", "Clipped>", "Wrapped>"]
    show_table(console, heads, rows)
    rows = [
        [name, *(units.si(row[key]) for key in ("events", "synops")), units.count(row["wrapped"])]
        for name, row in found["projections"].items()
    ]
    show_table(console, ["Projection", "Events>", "Synaptic operations>", "Wrapped>"], rows)
    for name, row in found["outputs"].items():
        say(console, _outcome(name, row))
    _notes(console, found["notes"])
    for key, what in (("out", "outputs"), ("checkpoint", "state")):
        if found[key]:
            say(console, f"{what} written to {found[key]}")
    if found["steps_per_s"]:
        say(console, f"{units.si(found['steps_per_s'])} steps/s simulated ({found['runner']})", "dim")


def _outcome(name: str, row: Mapping[str, Any]) -> str:
    """The winner of each sample, or the last payloads of one sample where payloads have sizes."""
    late = f" ({units.some(row['latency'], 'step')} later than in the source)" if row["latency"] else ""
    if row["graded"] and len(row["last"]) == 1:
        return f"{name}{late}: last payloads {', '.join(str(value) for value in row['last'][0])}"
    most = ", ".join(str(neuron) for neuron in row["most_active"][:_LINES])
    return f"{name}{late}: most active neuron {most}{', ..' if len(row['most_active']) > _LINES else ''}"


def print_eval_network(found: Mapping[str, Any], console: Console | None = None) -> None:
    """What was compared with what, what is open, then output by output: against a reference, float against integers."""
    console = open_console(console)
    size = f"{units.some(found['samples'], 'sample')} of {units.some(found['steps'], 'step')}"
    against = found.get("against", "float")
    rows = found.get("reference") or found["comparison"]
    say(console, f"{found['network']}: {size}, {_measured(rows)}chip against {against}", "bold")
    _open(console, found)
    for rows, who in ((found.get("reference") or (), "reference"), (found["comparison"], "float")):
        _compared(console, rows, who, found["samples"])
    _notes(console, found["notes"])


def _measured(rows: Sequence[Mapping[str, Any]]) -> str:
    """The share of bins that differ, with a reference also before rounding, and the rates, which may be equal even so."""
    spiking = [row for row in rows if not row["graded"]]
    bins = sum(row["compared"] for row in spiking)
    if not bins:
        return ""
    text = f"{units.percent(sum(row['differing'] for row in spiking) / bins, 2)} of bins differ"
    before = [row["float_differing"] for row in spiking if row.get("float_differing") is not None]
    if before:
        text += f" ({units.percent(sum(before) / bins, 2)} before rounding)"
    return f"{text}, rates by at most {max(row['rate_error'] for row in spiking):.3g} a step: "


def _compared(console: Console, found: Sequence[Mapping[str, Any]], who: str, samples: int) -> None:
    """One table of spikes of `who` against the chip's; values, decisions and labels as lines."""
    rows = [
        [
            row["population"],
            *(units.count(row[key]) for key in ("latency", f"{who}_spikes", "chip_spikes", "differing", "compared")),
            units.percent(row["differing"] / row["compared"], 2) if row["compared"] else units.DASH,
            units.DASH if row["first_difference"] is None else units.count(row["first_difference"]),
        ]
        for row in found
        if not row["graded"]
    ]
    heads = [
        "Output",
        "Latency>",
        f"{who.capitalize()}>",
        "Chip>",
        "Differing bins>",
        "of>",
        "Share>",
        "First at step>",
    ]
    if rows:
        show_table(console, heads, rows)
    for row in found:
        name = f"{row['population']} against the reference" if who == "reference" else row["population"]
        if row["graded"]:
            late = units.some(row["latency"], "step")
            worst = f"at most {units.percent(row['worst'], 2)} of the largest value"
            say(console, f"{name}: values, {late} later, differ by {worst}")
        _decision(console, name, row, who, samples)


def _decision(console: Console, name: str, row: Mapping[str, Any], who: str, samples: int) -> None:
    same = f"{row['same_decision']} of {samples} samples ({units.percent(row['same_decision'] / samples)})"
    say(console, f"{name}: same most active neuron in {same}")
    if row["chip_correct"] is not None:
        right = (f"{side} {units.percent(row[f'{side}_correct'] / samples)}" for side in (who, "chip"))
        say(console, f"{name}: right class {', '.join(right)}")
    if row.get("early"):
        say(console, f"{name}: {units.some(row['early'], 'message')} before the latency was over", "yellow")


def print_verify_network(found: Mapping[str, Any], console: Console | None = None) -> None:
    """What was checked, and what is wrong."""
    console = open_console(console)
    violations = found["violations"]
    say(console, soundness(found), "bold red" if violations else "bold")
    say(console, f"{units.some(found['members'], 'member')} with the digests of the manifest")
    source = {
        None: "no float network: the source holds integers",
        True: "the float network is read by nir",
        False: "the float network is not pure NIR: see the warnings of the conversion",
    }
    say(console, source[found["source_read_by_nir"]])
    steps = found["golden_steps"]
    if steps:
        outputs = units.some(max(found["golden_vectors"].values()), "output")
        runners = " and ".join(found["golden_vectors"])
        say(console, f"{outputs} over {units.some(steps, 'golden step')}: the same bits on {runners}")
    else:
        say(console, "no golden vectors: a single step of this network is too much work for the reference")
    if not found["mapped"]:
        say(console, "not mapped yet: neurodeploy map", "dim")
    _notes(console, violations, "red")


def print_explain_network(found: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Each population with its device and its bytes over the host border in a step, then each reason once."""
    console = open_console(console)
    chip = sum(row["device"] == "chip" for row in found)
    say(console, f"{units.count(chip)} of {units.some(len(found), 'population')} run on the chip", "bold")
    rows = [
        [row["path"].removeprefix("populations."), row["device"], row["rule"], units.si(row["bytes_per_token"], "B")]
        for row in found
    ]
    show_table(console, ["Population", "Device", "Rule", "Bytes a step>"], rows)
    for rule, row in {row["rule"]: row for row in reversed(found) if row["device"] != "chip"}.items():
        say(console, f"{rule}: {row['reason']}")
        if row["remedy"]:
            say(console, f"  to put it on the chip: {row['remedy']}", "dim")


def print_export_network(found: Mapping[str, Any], console: Console | None = None) -> None:
    """The file, what it holds, and what its format cannot say."""
    console = open_console(console)
    say(console, f"{found['file']}: {found['what']}, {units.si(found['bytes'], 'B')}", "bold")
    _notes(console, gathered(found["notes"]))


def print_energy_network(found: Mapping[str, Any], console: Console | None = None) -> None:
    """What is open, joules and seconds of a time step and of a sample at each boundary."""
    console = open_console(console)
    _open(console, found)
    for unit in ("step", "sample"):
        phase = found[unit]
        seconds = phase["seconds"]
        time = f"{units.si(seconds['nominal'], 's')} ({units.span(seconds, 's')})"
        say(console, f"One {'time step' if unit == 'step' else 'sample'}: {time}", "bold")
        rows = [
            [boundary, units.si(band["nominal"], "J"), units.span(band, "J"), BOUNDARY_TEXT[boundary]]
            for boundary in BOUNDARIES
            if (band := phase["joules"].get(boundary)) is not None
        ]
        show_table(console, ["Boundary", "J>", "Low – high>", "What it holds"], rows)
    say(console, f"bound by {units.words(found['bound_by'])}; modelled, not measured")
    counts = [len(found[key]) for key in ("assumptions", "not_modelled")]
    say(
        console,
        f"{counts[0]} assumptions and {counts[1]} omissions stand beside these figures: see --json or report",
        "dim",
    )


def _open(console: Console, found: Mapping[str, Any]) -> None:
    """What a user must know before any figure: every line, in colour."""
    for line in gathered(found.get("open_questions", ())):
        say(console, f"open question: {line}", "bold yellow")
    if found.get("command_as_meant"):
        say(console, f"type: {found['command_as_meant']}", "bold yellow")
    for line in gathered(found.get("losses", ())):
        say(console, f"lost: {line}", "bold red")


def _notes(console: Console, notes: Iterable[str], style: str = "yellow") -> None:
    lines = list(notes)
    for line in lines[:_LINES]:
        say(console, f"note: {line}" if style == "yellow" else f"  {line}", style)
    if len(lines) > _LINES:
        say(console, f"and {units.count(len(lines) - _LINES)} more: see --json", style)
