"""Answers in five lines of the verbs that run a model: run, eval, generate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.brief_made import extent
from neurodeploy.reporting.derive import differing
from neurodeploy.reporting.said import Said

#: Neurons or payloads that a line names.
MOST = 10
#: Files that a run has written, by key.
WRITTEN = {"out": "outputs", "checkpoint": "state", "measured": "measurements"}


def run(found: Mapping[str, Any]) -> list[Said]:
    """How much was run and where, what came out, what it took, what was written."""
    lines = [run_answer(found), *(Said(outcome(name, row)) for name, row in list(found.get("outputs", {}).items())[:1])]
    events = sum(row["events"] for row in found["projections"].values())
    synops = sum(row["synops"] for row in found["projections"].values())
    updates = sum(row["updates"] for row in found["populations"].values())
    clipped = sum(row["saturated"] for row in found["populations"].values())
    lines.append(
        Said(
            f"{units.some(events, 'event', units.si)}, {units.some(synops, 'synaptic operation', units.si)}, "
            f"{units.some(updates, 'update', units.si)} of neurons; {units.some(clipped, 'value')} clipped"
        )
    )
    if found["on_host"]:
        lines.append(Said(f"{units.some(len(found['on_host']), 'population')} on the host beside", "bold yellow"))
    written = [f"{what} written to {found[key]}" for key, what in WRITTEN.items() if found.get(key)]
    return [*lines, *([Said(", ".join(written))] if written else [])]


def run_answer(found: Mapping[str, Any]) -> Said:
    """Of what how much was run, and by whom."""
    samples = f" of {units.some(found['samples'], 'sample')}" if found["samples"] > 1 else ""
    begun = f" from step {found['first_step']}" if found.get("first_step", 1) > 1 else ""
    done = f", {extent(found['executed'])}" if "executed" in found else ""
    much = f"{units.some(found['steps'], found['unit'])}{samples}{begun} on {found['runner']}{done}"
    return Said(f"{found['model']}: {much}", "bold")


def outcome(name: str, row: Mapping[str, Any]) -> str:
    """The winner of each sample, or the last payloads of one sample where payloads have sizes."""
    late = f" ({units.some(row['latency'], 'step')} later than in the source)" if row["latency"] else ""
    if row["graded"] and len(row["last"]) == 1:
        values = row["last"][0]
        return f"{name}{late}: last payloads {', '.join(str(value) for value in values[:MOST])}{_more(values)}"
    most = ", ".join(str(neuron) for neuron in row["most_active"][:MOST])
    return f"{name}{late}: most active neuron {most}{_more(row['most_active'])}"


def _more(values: Sequence[Any]) -> str:
    return ", .." if len(values) > MOST else ""


def eval_(found: Mapping[str, Any]) -> list[Said]:
    """Chip against float: on a text, or spike by spike."""
    return _compared(found) if "comparison" in found else _scores(found)


def _scores(found: Mapping[str, Any]) -> list[Said]:
    before, after = found["float"], found["chip"]
    told = f"{units.digits(after['bits_per_byte'], 5)} bits per byte on the chip"
    if before is not None:
        change = units.percent(after["bits_per_byte"] / before["bits_per_byte"] - 1, 2, signed=True)
        told += f", {units.digits(before['bits_per_byte'], 5)} in float ({change})"
    lines = [Said(f"{told}: {units.some(found['tokens'], 'token')} of {found['text']}", "bold")]
    if found["top1_agreement"] is not None:
        apart = f"{units.digits(found['kl_per_token'], 2)} nats a token from float (KL)"
        lines.append(Said(f"same next token: {units.percent(found['top1_agreement'])}; {apart}"))
    lines.append(Said(f"clipped values: {units.count(found['saturations'])}"))
    if found.get("affinity"):
        drift, apart = (units.percent(found["affinity"][key]) for key in ("drift", "between_chips"))
        lines.append(
            Said(f"experts that follow one another: {drift} away from the mapping's text, {apart} between chips")
        )
    if found.get("windows_resumed"):
        resumed = units.some(found["windows_resumed"], "window")
        lines.append(Said(f"{resumed} finished by an earlier run that was broken off"))
    return lines


def _compared(found: Mapping[str, Any]) -> list[Said]:
    size = f"{units.some(found['samples'], 'sample')} of {units.some(found['steps'], 'step')}"
    rows = found.get("reference") or found["comparison"]
    against = f"chip against {found.get('against', 'float')}"
    lines = [Said(f"{found['model']}: {size}, {measured(rows)}{against}", "bold")]
    for rows, who in ((found.get("reference") or (), "reference"), (found["comparison"], "float")):
        for row in rows:
            name = f"{row['population']} against the reference" if who == "reference" else row["population"]
            lines += decision(name, row, who, found["samples"])
    return lines


def measured(rows: Sequence[Mapping[str, Any]]) -> str:
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


def decision(name: str, row: Mapping[str, Any], who: str, samples: int) -> list[Said]:
    """Of an output: values, decisions, classes."""
    lines = []
    if row["graded"]:
        late = units.some(row["latency"], "step")
        worst = f"at most {units.percent(row['worst'], 2)} of the largest value"
        lines.append(Said(f"{name}: values, {late} later, differ by {worst}"))
    elif not differing(row):
        lines.append(Said(f"{name}: every spike in its place"))
    if row["chip_correct"] is not None:
        right = (f"{side} {units.percent(row[f'{side}_correct'] / samples)}" for side in (who, "chip"))
        lines.append(Said(f"{name}: right class {', '.join(right)}"))
    same = (
        f"{row['same_decision']} of {units.some(samples, 'sample')} ({units.percent(row['same_decision'] / samples)})"
    )
    lines.append(Said(f"{name}: same most active neuron in {same}"))
    if row.get("early"):
        lines.append(Said(f"{name}: {units.some(row['early'], 'message')} before the latency was over", "yellow"))
    return lines


def generate(found: Mapping[str, Any]) -> list[Said]:
    """The prompt and what was written after it; then where the float model, if it wrote too, parts from it."""
    return [Said(found["prompt"] + found["text"]), *(Said(line) for line in parting(found))]


def parting(found: Mapping[str, Any]) -> list[str]:
    """Where the float model, if it continued the prompt too, wrote another token. Nothing where it did not continue it."""
    if "float" not in found:
        return []
    part, margin = (found["float"][key] for key in ("first_difference", "float_margin_there"))
    same = f"as the float model, all {units.some(len(found['tokens']), 'token')}"
    return [same if part is None else f"parts from the float model at token {part}, logit margin {margin:.4g}"]
