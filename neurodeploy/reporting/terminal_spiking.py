"""Summaries of spiking networks for the terminal, one function per verb; see `terminal`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.terminal_table import LINES, extent, listed, say, show_table

#: Places that one gathered line names.
_PLACES = 3


def print_convert_spiking(found: Mapping[str, Any], console: Console) -> None:
    """What is open, the bundle, what the network holds and takes, the worst rounding of each parameter, every repair."""
    print_open(console, found)
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
        [row["where"], row["parameter"], f"{row['absolute']:.3g}", units.percent(row["relative"])]
        for row in found["worst_errors"]
    ]
    show_table(console, ["Worst rounding", "Parameter", "Error>", "Relative>"], rows)
    listed(console, gathered(found["warnings"]))
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


def print_run_spiking(found: Mapping[str, Any], console: Console) -> None:
    """What is open, counts by population and projection, what was clipped or wrapped, the speed of the simulation."""
    print_open(console, found)
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
    listed(console, found["notes"])
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
    most = ", ".join(str(neuron) for neuron in row["most_active"][:LINES])
    return f"{name}{late}: most active neuron {most}{', ..' if len(row['most_active']) > LINES else ''}"


def print_eval_spiking(found: Mapping[str, Any], console: Console) -> None:
    """What was compared with what, what is open, then output by output: against a reference, float against integers."""
    size = f"{units.some(found['samples'], 'sample')} of {units.some(found['steps'], 'step')}"
    against = found.get("against", "float")
    rows = found.get("reference") or found["comparison"]
    say(console, f"{found['network']}: {size}, {_measured(rows)}chip against {against}", "bold")
    print_open(console, found)
    for rows, who in ((found.get("reference") or (), "reference"), (found["comparison"], "float")):
        _compared(console, rows, who, found["samples"])
    listed(console, found["notes"])


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


def print_export_spiking(found: Mapping[str, Any], console: Console) -> None:
    """The file, what it holds, and what its format cannot say."""
    say(console, f"{found['file']}: {found['what']}, {units.si(found['bytes'], 'B')}", "bold")
    listed(console, gathered(found["notes"]))


def print_open(console: Console, found: Mapping[str, Any]) -> None:
    """What a user must know before any figure: every line, in colour."""
    for line in gathered(found.get("open_questions", ())):
        say(console, f"open question: {line}", "bold yellow")
    if found.get("command_as_meant"):
        say(console, f"type: {found['command_as_meant']}", "bold yellow")
    for line in gathered(found.get("losses", ())):
        say(console, f"lost: {line}", "bold red")
