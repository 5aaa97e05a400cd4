"""Summaries of what runs a model, for the terminal: one function per verb; see `terminal`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import brief_made, brief_run, units
from neurodeploy.reporting.derive import POPULATION, PROJECTION, alike, differing
from neurodeploy.reporting.said import Said
from neurodeploy.reporting.terminal_board import print_board
from neurodeploy.reporting.terminal_table import listed, say, show_table, told

#: Places that one gathered line names.
_PLACES = 3


def print_convert(found: Mapping[str, Any], console: Console) -> None:
    """The bundle, what is open, what the network holds and takes, the weakest places, every repair."""
    print_answer(console, found, brief_made.convert(found))
    calibration = found.get("calibration")
    if found.get("inputs"):
        ends = [
            f"{word} {', '.join(f'{name} {_shape(sides)}' for name, sides in found[key].items())}"
            for word, key in (("in:", "inputs"), ("out:", "outputs"))
        ]
        say(console, "; ".join(ends))
    if calibration:
        say(console, f"calibrated on {units.some(calibration['tokens'], 'token')} of {calibration['text']}")
    if found.get("wide_axons"):
        say(console, f"{units.some(found['wide_axons'], 'axon')} with the wide exponent")
    rows = [[site["path"], f"{site['output_sqnr_db']:.1f} dB"] for site in found.get("worst_sites", ())]
    show_table(console, ["Weakest sites", "Output SQNR>"], rows)
    rows = [
        [row["where"], row["parameter"], f"{row['absolute']:.3g}", units.percent(row["relative"])]
        for row in found.get("worst_errors", ())
    ]
    show_table(console, ["Worst rounding", "Parameter", "Error>", "Relative>"], rows)
    if "multiply_adds" in found:
        _tensors(found, console)
    listed(console, gathered(found["warnings"]), lead="warning: ")
    say(console, f"{found['seconds']:.1f} s", "dim")


def _tensors(found: Mapping[str, Any], console: Console) -> None:
    """Of a module or an ONNX file: what loses most, what stays on the host."""
    check = found["check"]
    _codes(found.get("codes"), console)
    widths = []
    for bits, n in found["payloads"]["weighed"].items():
        number, _, sign = bits.partition(" ")
        widths.append(f"{units.count(n)} of {units.some(int(number), 'bit')} {sign}".strip())
    if widths:
        say(console, f"payloads that weights multiply: {', '.join(widths)}")
    weak = [[row["path"], row["form"], row["where"], f"{row['sqnr_db']:.1f} dB"] for row in check["worst"]]
    show_table(console, ["Loses most", "Operation", "At", "SQNR>"], weak)
    kept: dict[tuple[str, str], int] = {}
    for row in found["on_host"]:
        kept[row["form"], row["reason"]] = kept.get((row["form"], row["reason"]), 0) + 1
    rows = [[form, units.count(count), reason] for (form, reason), count in kept.items()]
    show_table(console, ["On the host", "How many>", "Because"], rows)
    for name, count in check["saturated"].items():
        say(console, f"saturated: {name} {units.some(count, 'time')} on the samples")


def _codes(codes: Mapping[str, Any] | None, console: Console) -> None:
    """Ways to send values that were tried."""
    rows = []
    for row in (codes or {"tried": ()})["tried"]:
        counts = units.count(row["synaptic_events"]), units.count(row["messages"]), units.percent(row["loss"])
        rows.append([brief_made.code_name(row), *counts, units.si(row["joules"], "J") if row["joules"] else units.DASH])
    show_table(console, ["Code", "Synaptic events>", "Messages>", "Loss>", "Joules, board>"], rows)


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


def print_run(found: Mapping[str, Any], console: Console) -> None:
    """The answer, what is open, counts by population and projection, what the host did, outputs, the simulation's speed."""
    print_answer(console, found, brief_run.run(found))
    for head, table, columns in (
        ("Population", found["populations"], POPULATION), ("Projection", found["projections"], PROJECTION)
    ):  # fmt: skip
        rows = [[name, layers, *(units.si(row[key]) for key in columns)] for name, layers, row in alike(table)]
        show_table(console, [head, "Layers", *(f"{text}>" for text in columns.values())], rows)
    work, left = found["host_work"], found["on_host"].values()
    if work["flops"]:
        say(console, f"host: {units.si(work['flops'])} flop, {units.si(work['bytes'], 'B')} read and written")
    if left:
        flops, size = (sum(row[key] for row in left) for key in ("flops", "bytes"))
        text = (
            f"{units.some(len(left), 'population')} on the host beside: {units.si(flops)} flop, {units.si(size, 'B')}"
        )
        say(console, text, "bold yellow")
    for name, row in list(found.get("outputs", {}).items())[1:]:  # of the first the answer has told
        say(console, brief_run.outcome(name, row))
    if "board" in found:
        print_board(found["board"], console)
    listed(console, found.get("notes", ()))
    if found.get("steps_per_s"):
        say(console, f"{units.si(found['steps_per_s'])} steps/s simulated", "dim")


def print_eval(found: Mapping[str, Any], console: Console) -> None:
    """Chip against float: on a text, or spike by spike."""
    (_compared if "comparison" in found else _scores)(found, console)


def _scores(found: Mapping[str, Any], console: Console) -> None:
    """Chip against float on one text; without the float model the chip's own figures."""
    told(console, brief_run.eval_(found))
    before, after = found["float"], found["chip"]
    rows = []
    names = {"bits_per_byte": "bits per byte", "perplexity": "perplexity", "tokens_per_s": "simulated tokens/s"}
    for key, name in names.items():
        old, new = before[key] if before is not None else None, after[key]
        compared = old and new is not None and key != "tokens_per_s"
        change = units.percent(new / old - 1, 2, signed=True) if compared else ""
        rows.append([name, *(units.DASH if value is None else units.digits(value, 4) for value in (old, new)), change])
    show_table(console, ["", "Float>", "Chip>", "Change>"], rows)
    listed(console, found.get("notes", ()))


def _compared(found: Mapping[str, Any], console: Console) -> None:
    """What was compared with what, what is open, then output by output: against a reference, float against integers."""
    print_answer(console, found, brief_run.eval_(found))
    for rows, who in ((found.get("reference") or (), "reference"), (found["comparison"], "float")):
        _outputs(console, rows, who)
    listed(console, found["notes"])


def _outputs(console: Console, found: Sequence[Mapping[str, Any]], who: str) -> None:
    """One table of spikes of `who` against the chip's."""
    rows = [
        [
            row["population"],
            *(units.count(row[key]) for key in ("latency", f"{who}_spikes", "chip_spikes", "differing", "compared")),
            units.percent(differing(row), 2),
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


def print_generate(found: Mapping[str, Any], console: Console) -> None:
    """The prompt and what was written after it; then where the float model, if it wrote too, parts from it."""
    told(console, brief_run.generate(found))


def print_export(found: Mapping[str, Any], console: Console) -> None:
    """The file, what it holds, and what its format cannot say."""
    told(console, brief_made.export(found))
    listed(console, gathered(found["notes"]))


def print_answer(console: Console, found: Mapping[str, Any], lines: Sequence[Said]) -> None:
    """The lines of an answer, with all that is open right after the first."""
    told(console, lines[:1])
    print_open(console, found)
    told(console, lines[1:])


def print_open(console: Console, found: Mapping[str, Any]) -> None:
    """What a user must know before any figure: every line, in colour."""
    for line in gathered(found.get("open_questions", ())):
        say(console, f"open question: {line}", "bold yellow")
    for line in gathered(found.get("losses", ())):
        say(console, f"lost: {line}", "bold red")
