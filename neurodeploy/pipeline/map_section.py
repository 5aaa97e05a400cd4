"""The section of a report that shows the mapping."""

from __future__ import annotations

from typing import Any

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import seen_by_chip
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity


def map_section(
    program: Program, mapping: Mapping, system: SystemSpec, activity: RunActivity | None = None
) -> dict[str, Any]:
    """Cores and budgets, metrics and loads of links; of a spiking network every population is a layer, and a run that was
    counted gives the rates."""
    from partitioner.cost.budget import RESOURCES
    from partitioner.cost.usage import core_demands
    from partitioner.judge.summary import summary

    program = seen_by_chip(program, mapping.assignments)
    populations = program.network.populations
    layers: dict[str, int | None] = {name: population.layer for name, population in populations.items()}
    if all(layer is None for layer in layers.values()):
        layers = {name: index for index, name in enumerate(populations)}
    found, demands = summary(mapping, program, system, judge=False), core_demands(mapping, program, system)
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


def judged(
    program: Program, mapping: Mapping, system: SystemSpec, activity: RunActivity | None = None
) -> dict[str, Any]:
    """``{"metrics": .., "picture": ..}`` of a report's section of the mapping.

    `activity` of a run of a spiking network gives its rates; without it every neuron sends.
    """
    from partitioner.judge.figures import picture
    from partitioner.judge.metrics import metrics, traffic_of
    from partitioner.nets.streams import sent_of

    if not mapping.shards:
        return {"metrics": None, "picture": None}
    sent, per = sent_of(activity)
    traffic = traffic_of(mapping, program, system, sent, per)
    found = metrics(mapping, program, system, sent=sent, per=per, traffic=traffic)
    return {"metrics": found, "picture": picture(traffic[1], traffic[0], system)}
