"""Summaries of what runs a model, for the terminal: one function per verb; see `terminal`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import POPULATION, PROJECTION, alike, differing
from neurodeploy.reporting.terminal_board import print_board
from neurodeploy.reporting.terminal_table import LINES, extent, listed, say, show_table

#: Places that one gathered line names.
_PLACES = 3


def print_convert(found: Mapping[str, Any], console: Console) -> None:
    """What is open, the bundle, what the network holds and takes, the weakest places, every repair."""
    print_open(console, found)
    say(console, f"{found['model']} ({found['family']}) -> {found['bundle']}", "bold")
    preset, calibration = found.get("preset"), found.get("calibration")
    how = f"time step {units.si(found['dt_s'], 's')}" if found["dt_s"] else "no time step stated"
    if preset:
        how = f"{_bits(found, preset)}, payloads {preset['payload_bits']} bit, preset {preset['name']}"
    sent = found.get("synaptic_events_sent", 1.0)
    how += f", {units.percent(sent)} of synaptic events" if sent < 1 else ""
    say(
        console,
        f"{units.some(found['neurons'], 'neuron')} in {units.some(found['populations'], 'population')}, "
        f"{units.si(found['synapses'])} synapses in {units.some(found['projections'], 'projection')}; {how}",
    )
    if found.get("inputs"):
        ends = [
            f"{word} {', '.join(f'{name} {_shape(sides)}' for name, sides in found[key].items())}"
            for word, key in (("in:", "inputs"), ("out:", "outputs"))
        ]
        say(console, "; ".join(ends))
    if calibration:
        say(console, f"calibrated on {units.count(calibration['tokens'])} tokens of {calibration['text']}")
    if found.get("resumed"):
        say(console, f"{units.count(found['resumed'])} projections were finished by an earlier run that was broken off")
    if found.get("wide_axons"):
        say(console, f"{units.count(found['wide_axons'])} axons carry the wide exponent")
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
    """Of a module or an ONNX file: how far it is from its original, what loses most, what stays on the host."""
    check, share = found["check"], found["multiply_adds"]["on_chip"]
    for name, row in check["outputs"].items():
        same = f", the same largest in {units.percent(row['same_largest'])}" if "same_largest" in row else ""
        off = units.percent(row["largest_relative"])
        samples = units.some(check["samples"], "sample")
        say(console, f"{name}: at most {off} of the largest output off on {samples}{same} ({check['against']})")
    if share is not None:
        say(console, f"{units.percent(share)} of multiply-adds on the chip")
    widths = ", ".join(f"{units.count(n)} of {bits} bits" for bits, n in found["payloads"]["weighed"].items())
    if widths:
        say(
            console, f"payloads that weights multiply: {widths.replace(' without a sign bits', ' bits without a sign')}"
        )
    weak = [[row["path"], row["form"], row["where"], f"{row['sqnr_db']:.1f} dB"] for row in check["worst"]]
    show_table(console, ["Loses most", "Operation", "At", "SQNR>"], weak)
    kept: dict[tuple[str, str], int] = {}
    for row in found["on_host"]:
        kept[row["form"], row["reason"]] = kept.get((row["form"], row["reason"]), 0) + 1
    rows = [[form, units.count(count), reason] for (form, reason), count in kept.items()]
    show_table(console, ["On the host", "How many>", "Because"], rows)
    for name, count in check["saturated"].items():
        say(console, f"saturated: {name} {units.count(count)} times on the samples")


def _bits(found: Mapping[str, Any], preset: Mapping[str, Any]) -> str:
    """Of a weight; in the mean where weights share constants."""
    means = found.get("bits_a_weight") or {"body": preset["weight_bits"], "with_head": preset["weight_bits"]}
    if means["body"] == means["with_head"] == preset["weight_bits"]:
        return f"{preset['weight_bits']} bit"
    return f"{means['body']:.2f} bits a weight ({means['with_head']:.2f} with the head)"


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
    """What is open, counts by population and projection, what the host did, the outputs, the speed of the simulation."""
    print_open(console, found)
    samples = f" of {units.count(found['samples'])} samples" if found["samples"] > 1 else ""
    begun = f" from step {found['first_step']}" if found.get("first_step", 1) > 1 else ""
    done = f", {extent(found['executed'])}" if "executed" in found else ""
    much = f"{units.some(found['steps'], found['unit'])}{samples}{begun} on {found['runner']}{done}"
    say(console, f"{found['model']}: {much}", "bold")
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
    for name, row in found.get("outputs", {}).items():
        say(console, _outcome(name, row))
    if "board" in found:
        print_board(found["board"], console)
    listed(console, found.get("notes", ()))
    for key, what in (("out", "outputs"), ("checkpoint", "state"), ("measured", "measurements")):
        if found.get(key):
            say(console, f"{what} written to {found[key]}")
    if found.get("steps_per_s"):
        say(console, f"{units.si(found['steps_per_s'])} steps/s simulated", "dim")


def _outcome(name: str, row: Mapping[str, Any]) -> str:
    """The winner of each sample, or the last payloads of one sample where payloads have sizes."""
    late = f" ({units.some(row['latency'], 'step')} later than in the source)" if row["latency"] else ""
    if row["graded"] and len(row["last"]) == 1:
        return f"{name}{late}: last payloads {', '.join(str(value) for value in row['last'][0])}"
    most = ", ".join(str(neuron) for neuron in row["most_active"][:LINES])
    return f"{name}{late}: most active neuron {most}{', ..' if len(row['most_active']) > LINES else ''}"


def print_eval(found: Mapping[str, Any], console: Console) -> None:
    """Chip against float: on a text, or spike by spike."""
    (_compared if "comparison" in found else _scores)(found, console)


def _scores(found: Mapping[str, Any], console: Console) -> None:
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
        apart = f"{units.digits(found['kl_per_token'], 2)} nats a token from float (KL)"
        say(console, f"same next token: {units.percent(found['top1_agreement'])}; {apart}")
    say(console, f"clipped values: {units.count(found['saturations'])}")
    if found.get("affinity"):
        drift, apart = (units.percent(found["affinity"][key]) for key in ("drift", "between_chips"))
        say(console, f"experts that follow one another: {drift} away from the mapping's text, {apart} between chips")
    if found.get("windows_resumed"):
        resumed = units.count(found["windows_resumed"])
        say(console, f"{resumed} windows were finished by an earlier run that was broken off")
    listed(console, found.get("notes", ()))


def _compared(found: Mapping[str, Any], console: Console) -> None:
    """What was compared with what, what is open, then output by output: against a reference, float against integers."""
    size = f"{units.some(found['samples'], 'sample')} of {units.some(found['steps'], 'step')}"
    rows = found.get("reference") or found["comparison"]
    say(console, f"{found['model']}: {size}, {_measured(rows)}chip against {found.get('against', 'float')}", "bold")
    print_open(console, found)
    for rows, who in ((found.get("reference") or (), "reference"), (found["comparison"], "float")):
        _outputs(console, rows, who, found["samples"])
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


def _outputs(console: Console, found: Sequence[Mapping[str, Any]], who: str, samples: int) -> None:
    """One table of spikes of `who` against the chip's; values, decisions and labels as lines."""
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


def print_generate(found: Mapping[str, Any], console: Console) -> None:
    """The prompt and what was written after it; then where the float model, if it wrote too, parts from it."""
    say(console, found["prompt"] + found["text"])
    print_parting(found, console)


def print_parting(found: Mapping[str, Any], console: Console) -> None:
    """Where the float model, if it continued the prompt too, wrote another token. Nothing where it did not continue it."""
    if "float" not in found:
        return
    part, margin = (found["float"][key] for key in ("first_difference", "float_margin_there"))
    same = f"as the float model, all {len(found['tokens'])} tokens"
    say(console, same if part is None else f"parts from the float model at token {part}, logit margin {margin:.4g}")


def print_export(found: Mapping[str, Any], console: Console) -> None:
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
