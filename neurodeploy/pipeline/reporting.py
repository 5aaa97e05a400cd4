"""`report`: everything that is known of a bundle on one page, with its numbers as CSV and JSON beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.files import check_place
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network_run import NetworkActivity
from neurodeploy.ir.program import Program
from neurodeploy.pipeline import pricing, running
from neurodeploy.pipeline.session import Progress, encode_text, open_model, read_mapping
from neurodeploy.version import __version__


def report(
    bundle: str | Path,
    out: str | Path,
    *,
    text: str | Path | None = None,
    max_tokens: int = 2048,
    prompt_tokens: int | None = None,
    tokens: int = 32,
    host: str = "cpu-generic",
    measure_host: bool = False,
    accuracy: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write ``out`` (HTML, self-contained) and the CSV and JSON files beside it; returns their paths and the data.

    With `text` the accuracy on it is measured too (or taken from `accuracy`, what `eval` returned before).
    """
    from neurodeploy.frontends.text import read_text
    from neurodeploy.reporting.files import render

    def step(number: int) -> None:
        if progress:
            progress("report", number, 3)

    out = Path(out)
    check_place(out, "report.html", parents=True)
    words = pricing.default_text() if text is None else read_text(text)
    opened, tokenizer = open_model(bundle)
    mapping, system = read_mapping(opened)
    prompt = encode_text(tokenizer, words, prompt_tokens or pricing.default_prompt_tokens(opened, tokens))
    step(0)
    if accuracy is None and text is not None:
        accuracy = running.eval(bundle, text, max_tokens=max_tokens, progress=progress)
    step(1)
    priced = pricing.energy(
        bundle, text=text, prompt_tokens=prompt_tokens, tokens=tokens, host=host, measure_host=measure_host
    )
    step(2)
    activity: dict[str, Any] = priced["activity"]
    data = {
        **sections(opened, mapping, system),
        "accuracy": _accuracy(accuracy),
        "energy": {phase: _phase(priced[phase]) for phase in ("prefill", "generate")},
        "activity": activity,
        "experts": experts(
            opened.program, {name: row["tokens"] for name, row in (activity | priced["host_islands"]).items()}
        ),
        "sample": {"prompt": tokenizer.decode(prompt[-64:]), "text": priced["sample"]},
    }
    paths = render(data, out)
    step(3)
    return {"paths": [str(path) for path in paths], "data": data}


def sections(opened: Bundle, mapping: Mapping, system: SystemSpec) -> dict[str, Any]:
    """The parts of a report that need no run: model, conversion, map, explain, traffic, provenance."""
    from partitioner.summary import explain

    program, conversion = opened.program, opened.program.conversion
    preset: Any = conversion["preset"]
    calibration: Any = conversion["calibration"]
    info = program.info
    weights = sum(island.rows * island.columns for island in program.islands.values())
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
        "provenance": {
            "tool_version": __version__, "created": None, "seed": 0, "bundle": opened.path.name,
            "hashes": {"program.json": opened.digest},
        },
    }  # fmt: skip


def map_section(
    program: Program, mapping: Mapping, system: SystemSpec, activity: NetworkActivity | None = None
) -> dict[str, Any]:
    """Cores and budgets, metrics and loads of links; of a spiking network every population is a layer, and a run that was
    counted gives the rates."""
    from neurodeploy.pipeline.judging import judged
    from partitioner.budget import RESOURCES
    from partitioner.network_summary import summary as network_summary
    from partitioner.summary import summary
    from partitioner.usage import core_demands

    network = program.network
    if network is not None:
        found = network_summary(mapping, network, system, judge=False)
        layers: dict[str, int | None] = {name: index for index, name in enumerate(network.populations)}
    else:
        found = summary(mapping, program, system, judge=False)
        layers = {name: island.layer for name, island in program.islands.items()}
    demands = core_demands(mapping, program, system)
    limits = {name: limit.value for name, limit in system.chip.budget.limits().items() if limit.value}
    held: dict[tuple[int, int], list[Any]] = {}
    for shard in mapping.shards:
        held.setdefault((shard.chip, shard.core), []).append(shard)
    columns: dict[str, Any] = {"chip": [], "core": [], "label": [], "layer": [], "used_fraction": []}
    fractions: dict[str, list[float]] = {name: [] for name in RESOURCES if name in limits}
    for (chip, core), demand in demands.items():
        shards = held[chip, core]
        share = {n: used / limits[n] for n, used in zip(RESOURCES, demand, strict=True) if n in limits}
        columns["chip"].append(chip)
        columns["core"].append(core)
        columns["label"].append(", ".join(dict.fromkeys(shard.group or shard.island for shard in shards)))
        columns["layer"].append(layers[shards[0].island])
        columns["used_fraction"].append(max(share.values()))
        for name, values in fractions.items():
            values.append(share[name])
    utilisation = {}
    for name, entry in found["utilisation"].items():
        limit = entry["limit"]
        if limit:
            utilisation[name] = {"mean": entry["mean"] * limit, "max": entry["max_used"], "limit": limit}
        else:
            used = [d[RESOURCES.index(name)] for d in demands.values()]
            mean = sum(used) / len(used) if used else 0.0
            utilisation[name] = {"mean": mean, "max": max(used, default=0), "limit": None}
    keys = (
        "fits",
        "host_islands",
        "chips_used",
        "chips_available",
        "cores_used",
        "cores_lower_bound",
        "binding_resource",
        "violations",
    )
    width, height = system.chip.mesh
    return {
        "system": system.name, "chip": system.chip.name, "cores_per_chip": system.chip.cores,
        **{key: found[key] for key in keys},
        "unknown_limits": found["unknown_limits"], "utilisation": utilisation,
        "cores": {**columns, "resource_fractions": fractions},
        "mesh": {"columns": width, "rows": height, "cores_per_router": system.chip.cores_per_router},
        **judged(program, mapping, system, activity),
    }  # fmt: skip


def experts(program: Program, tokens: dict[str, int]) -> dict[str, list[int]] | None:
    """Tokens by expert for each layer that has experts, from the islands that read an expert's input."""
    seen: dict[str, dict[int, int]] = {}
    for name, island in program.islands.items():
        if island.expert is not None:
            layer = seen.setdefault(str(island.layer), {})
            layer[island.expert] = max(layer.get(island.expert, 0), tokens.get(name, 0))
    return {layer: [found[e] for e in sorted(found)] for layer, found in seen.items()} or None


def _traffic(program: Program, mapping: Mapping, system: SystemSpec) -> dict[str, float]:
    from partitioner.classify import crossings
    from partitioner.traffic import traffic

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
