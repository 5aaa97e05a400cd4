"""The data of a language model's report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle import Bundle
from neurodeploy.frontends.text import read_text
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.pipeline import evaluating, pricing
from neurodeploy.pipeline.map_section import map_section
from neurodeploy.pipeline.session import Progress, provenance, read_mapping
from neurodeploy.pipeline.texts import encode_text, tokenizer_of


def of_text(
    opened: Bundle, text: str | Path | None, profile: HostSpec, *, runner: str, progress: Progress | None,
    max_tokens: int = 2048, prompt_tokens: int | None = None, tokens: int = 32, accuracy: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """See `report`."""

    def step(number: int) -> None:
        if progress:
            progress("report", number, 3)

    mapping, system = read_mapping(opened)
    prompt, runs = "", not opened.hollow
    if runs:
        words, tokenizer = pricing.default_text() if text is None else read_text(text), tokenizer_of(opened)
        read = encode_text(tokenizer, words, prompt_tokens or pricing.default_prompt_tokens(opened, tokens))
        prompt = tokenizer.decode(read[-64:])
    step(0)
    if accuracy is None and text is not None and runs:
        accuracy = evaluating.eval(opened.path, text, max_tokens=max_tokens, runner=runner, progress=progress)
    step(1)
    counts = pricing.count_text(opened, text, runner, None, prompt_tokens, tokens)
    priced = pricing.price(opened.program, mapping, system, counts.phases, profile)
    step(2)
    activity: dict[str, Any] = counts.last["activity"]
    return {
        **sections(opened, mapping, system),
        "accuracy": _accuracy(accuracy),
        "energy": {phase: _phase(priced[phase]) for phase in ("prefill", "generate")},
        "activity": activity,
        "experts": experts(
            opened.program, {name: row["tokens"] for name, row in (activity | counts.last["host_islands"]).items()}
        ),
        "sample": {"prompt": prompt, "text": counts.last["sample"]},
    }


def sections(opened: Bundle, mapping: Mapping, system: SystemSpec) -> dict[str, Any]:
    """The parts of a report that need no run: model, conversion, map, explain, traffic, provenance."""
    from partitioner.judge.summary import explain

    program, conversion = opened.program, opened.program.conversion
    preset: Any = conversion["preset"]
    calibration: Any = conversion["calibration"]
    info = program.info
    weights = sum(p.synapse.count() for p in program.network.projections if not p.synapse.wire)
    return {
        "model": {
            "name": info.name, "family": info.family, "source": opened.manifest["source"]["model"],
            "licence": info.licence, "layers": info.layers, "hidden_size": info.hidden_size,
            "vocab_size": info.vocab_size, "parameters_on_chip": weights,
            "weight_bytes": weights * int(preset["weight_bits"]) // 8,
        },
        "conversion": {
            "preset": preset["name"], "payload_bits": preset["payload_bits"], "weight_bits": preset["weight_bits"],
            "calibration": {"name": calibration["text"], "tokens": calibration["tokens"]},
            "sites": [
                {key: site[key] for key in (
                    "path", "payload_bits", "input_scale", "wide_channels", "weight_sqnr_db", "output_sqnr_db"
                )}
                for site in conversion["sites"]  # type: ignore[attr-defined]
            ],
        },
        "map": map_section(program, mapping, system),
        "explain": explain(mapping),
        "traffic": _traffic(program, mapping, system),
        "provenance": provenance(opened, 0),
    }  # fmt: skip


def experts(program: Program, tokens: dict[str, int]) -> dict[str, list[int]] | None:
    """Tokens by expert for each layer that has experts, from the populations that read an expert's input."""
    seen: dict[str, dict[int, int]] = {}
    for name, population in program.network.populations.items():
        if population.expert is not None:
            layer = seen.setdefault(str(population.layer), {})
            layer[population.expert] = max(layer.get(population.expert, 0), tokens.get(name, 0))
    return {layer: [found[e] for e in sorted(found)] for layer, found in seen.items()} or None


def _traffic(program: Program, mapping: Mapping, system: SystemSpec) -> dict[str, float]:
    from partitioner.classify import crossings
    from partitioner.nets.traffic import traffic

    found = {kind: entry["bytes"] for kind, entry in traffic(mapping, program, system).to_json().items()}
    return {
        "on_chip_bytes_per_token": found["events_to_cores"] + found["partials_between_cores"],
        "inter_chip_bytes_per_token": found["events_between_chips"] + found["partials_between_chips"],
        "host_in_bytes_per_token": found["host_out"],  # seen from the host: what the chip sends out comes in
        "host_out_bytes_per_token": found["host_in"],
        "crossings_per_token": crossings(program, mapping.assignments),
    }


def _accuracy(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """The section of a report; without a float baseline there is nothing to compare, so there is no section."""
    if found is None or found["float"] is None:
        return None
    keys = ("bits_per_byte", "perplexity", "tokens_per_s")
    sides = {side: {key: found[side][key] for key in keys} for side in ("float", "chip")}
    rest = {key: found[key] for key in ("text", "tokens", "top1_agreement", "saturations")}
    return {**rest, **sides, "tokens_per_s": found["chip"]["tokens_per_s"]}


def _phase(phase: dict[str, Any]) -> dict[str, Any]:
    """The ledger's JSON in the report's form: tables by layer and component as lists, entries summed over layers."""
    entries: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in phase["entries"]:
        key = (entry["device"], entry["component"], entry["event"], entry["boundary"], entry["basis"])
        into = entries.setdefault(key, {**entry, "count": 0.0, "joules": dict.fromkeys(entry["joules"], 0.0)})
        into["count"] += entry["count"]
        for side in into["joules"]:
            into["joules"][side] += entry["joules"][side]
    wanted = ("device", "component", "event", "boundary", "count", "basis", "source", "unit_cost", "joules")
    return {
        **{key: phase[key] for key in (
            "joules_per_token", "seconds_per_token", "tokens_per_s", "bound_by", "assumptions", "not_modelled"
        )},
        "entries": [{key: entry[key] for key in wanted} for entry in entries.values()],
        "by_layer": [
            {"layer": int(name) if name.isdigit() else name, "joules": band} for name, band in phase["by_layer"].items()
        ],
        "by_component": [{"component": name, "joules": band} for name, band in phase["by_component"].items()],
    }  # fmt: skip
