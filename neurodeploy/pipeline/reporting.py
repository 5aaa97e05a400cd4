"""`report`: everything that is known of a bundle on one page, with its numbers as CSV and JSON beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurodeploy.accounting.neurobench import metrics
from neurodeploy.bundle import AnyPath, Bundle
from neurodeploy.bundle.files import check_place
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.devices import seen_by_chip
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.pipeline import evaluating, pricing
from neurodeploy.pipeline.counts import counts_of, size_of
from neurodeploy.pipeline.map_section import map_section
from neurodeploy.pipeline.report_streams import seen_of_stream
from neurodeploy.pipeline.session import STREAM, TEXT, Progress, read_mapping, suited
from neurodeploy.pipeline.verbs import verb
from neurodeploy.version import __version__


@verb
def report(
    bundle: AnyPath,
    out: str | Path,
    *,
    text: str | Path | None = None,
    input: Any = None,
    max_tokens: int | None = None,
    prompt_tokens: int | None = None,
    tokens: int | None = None,
    accuracy: dict[str, Any] | None = None,
    steps: int | None = None,
    layout: str | None = None,
    probes: Sequence[str] | None = None,
    labels: str | Path | None = None,
    host: str = "cpu-generic",
    measure_host: bool = False,
    beside: Sequence[AnyPath] | None = None,
    compare: bool = False,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write ``out`` (HTML, self-contained) and its JSON and CSV files beside it; returns their paths and the data.

    Of a language model: with `text` the accuracy on `max_tokens` of it (default: 2048) is measured too, or taken from
    `accuracy`, what `eval` returned before, or without a text from what ``eval --keep`` has left in the bundle;
    `prompt_tokens`, `tokens` (default: 32), `beside` and `compare` are as of `energy`.

    Of a spiking network: a run of `input`, with `steps` and `layout` of `run`. `probes` are the states to draw
    ("POPULATION.VARIABLE"), three neurons each; by default those of the last populations. Rasters and states show the
    first sample, all else is of all samples. `labels` as of `eval`: how many samples are put into the right class, and which
    are taken for which (ND3269).
    """
    from neurodeploy.reporting.render import render

    out = Path(out)
    opened, data, own = suited(bundle, text, input, {
        TEXT: {
            "max_tokens": max_tokens, "prompt_tokens": prompt_tokens, "tokens": tokens, "accuracy": accuracy,
            "beside": beside or None, "compare": compare or None,
        },
        STREAM: {"steps": steps, "layout": layout, "probes": probes or None, "labels": labels},
    }, optional=True)  # fmt: skip
    others, plan = own.pop("beside", ()), own.pop("compare", False)
    check_place(out, "report.html", parents=True)
    profile = pricing.host_profile(host, measure_host)
    placed = read_mapping(opened) if opened.is_mapped or others or plan else None
    seen: Callable[..., tuple[pricing.Counts, dict[str, Any]]] = seen_of_stream if opened.program.streamed else _text
    counts, compared = seen(opened, data, runner, progress, **own)
    program, last = opened.program, list(counts.phases.values())[-1]
    measured = metrics(program, last, exact=program.streamed)
    counted = counts_of(opened, counts.first)
    mapped = _mapped(opened, placed, counts, profile)
    rows = None
    if placed is not None and (others or plan):
        rows = pricing.variants(
            opened,
            text,
            runner,
            counts,
            (*placed, mapped["energy"]),
            profile,
            "used",
            others,
            plan=plan,
            accuracy=compared.get("accuracy"),
        )
    found = {
        "model": about(opened),
        "run": {**counts.told, "runner": runner, "notes": [*counts.questions, *counts.told["notes"]]},
        **mapped,
        "variants": rows,
        **counted,
        **compared,
        "experts": _experts(opened, counted["populations"]),
        "conversion": _conversion(opened),
        "neurobench": {name: value for name, value in _flat(measured) if not isinstance(value, str | bool)},
        "provenance": {
            "tool_version": __version__, "created": None, "seed": None if program.streamed else 0,
            "bundle": opened.path.name, "hashes": {"program.json": opened.digest},
        },
    }  # fmt: skip
    return {"paths": [str(path) for path in render(found, out)], "data": found}


def _text(
    opened: Bundle, text: str | Path | None, runner: str, progress: Progress | None, max_tokens: int = 2048,
    prompt_tokens: int | None = None, tokens: int = 32, accuracy: dict[str, Any] | None = None,
) -> tuple[pricing.Counts, dict[str, Any]]:  # fmt: skip
    """Counts of a prompt and what follows it; the accuracy on a text, if one was given, and what was generated."""
    if accuracy is None and text is None:
        accuracy = opened.read_evaluation()
    if accuracy is None and text is not None and not opened.hollow:
        accuracy = evaluating.eval(opened.path, text, max_tokens=max_tokens, runner=runner, progress=progress)
    counts = pricing.count_text(opened, text, runner, progress, prompt_tokens, tokens)
    if accuracy is not None and accuracy["float"] is None:
        accuracy = None  # without a float baseline there is nothing to compare
    return counts, {"accuracy": accuracy, "sample": counts.sample}


def about(opened: Bundle) -> dict[str, Any]:
    """What a bundle holds: name, family, source, licence and sizes."""
    program, info = opened.program, opened.program.info
    preset: Any = program.conversion.get("preset", {})
    bits: Any = program.conversion.get("bits_a_weight", {"with_head": preset.get("weight_bits", 8)})
    weights = sum(p.synapse.count() for p in program.network.projections if not p.synapse.wire)
    return {
        "name": info.name, "family": info.family, "source": opened.manifest["source"]["model"], "licence": info.licence,
        **size_of(program.network), "weight_bytes": int(weights * bits["with_head"]) // 8,
        "outputs": list(program.network.outputs), "layers": info.layers, "hidden_size": info.hidden_size,
        "vocab_size": info.vocab_size,
    }  # fmt: skip


def _mapped(
    opened: Bundle, placed: tuple[Placement, SystemSpec] | None, counts: pricing.Counts, profile: HostSpec
) -> dict[str, Any]:
    """What needs a mapping: sections "map", "explain", "traffic" and "energy"; None where there is none."""
    from partitioner.classify import crossings
    from partitioner.judge.summary import explain
    from partitioner.nets.traffic import traffic

    if placed is None:
        return dict.fromkeys(("map", "explain", "traffic", "energy"))
    (mapping, system), program = placed, opened.program
    moved = traffic(mapping, seen_by_chip(program, mapping.assignments), system).to_json()
    size = {kind: entry["bytes"] for kind, entry in moved.items()}
    priced = pricing.price(program, mapping, system, counts.phases, profile, asked=())
    return {
        "map": map_section(program, mapping, system, counts.rates),
        "explain": explain(mapping),
        "traffic": {
            "unit": counts.told["unit"], "if": ", if every neuron sends" if program.streamed else "",
            "on_chip_bytes": size["events_to_cores"] + size["partials_between_cores"],
            "inter_chip_bytes": size["events_between_chips"] + size["partials_between_chips"],
            "to_host_bytes": size["host_out"], "to_chip_bytes": size["host_in"],
            "crossings": crossings(program, mapping.assignments),
        },
        "energy": {name: _phase(phase) for name, phase in priced.items() if isinstance(phase, dict) and "entries" in phase},
    }  # fmt: skip


def _phase(phase: dict[str, Any]) -> dict[str, Any]:
    """The ledger's JSON with its entries summed over layers."""
    entries: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in phase["entries"]:
        key = (entry["device"], entry["component"], entry["event"], entry["boundary"], entry["basis"])
        into = entries.setdefault(key, {**entry, "count": 0.0, "joules": dict.fromkeys(entry["joules"], 0.0)})
        into["count"] += entry["count"]
        for side in into["joules"]:
            into["joules"][side] += entry["joules"][side]
    return {**phase, "entries": list(entries.values())}


def _experts(opened: Bundle, populations: Mapping[str, Mapping[str, Any]]) -> dict[str, list[int]] | None:
    """Tokens by expert for each layer that has experts, from the populations that read an expert's input."""
    seen: dict[str, dict[int, int]] = {}
    for name, population in opened.program.network.populations.items():
        if population.expert is not None:
            layer = seen.setdefault(str(population.layer), {})
            layer[population.expert] = max(layer.get(population.expert, 0), populations[name]["steps"])
    return {layer: [found[e] for e in sorted(found)] for layer, found in seen.items()} or None


def _conversion(opened: Bundle) -> dict[str, Any]:
    """How the integers came about: what was lost or changed, and the worst error of each parameter or site."""
    found: Mapping[str, Any] = opened.program.conversion
    warnings = [line for key in ("open_questions", "losses", "warnings") for line in found.get(key, [])]
    kept = {key: found[key] for key in ("preset", "calibration", "sites") if key in found}
    if "largest_relative" in (found.get("check") or {}):
        kept["check"] = found["check"]
    return {**kept, "warnings": warnings, "errors": list(found.get("errors", []))}


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested metrics under dotted names."""
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return found
