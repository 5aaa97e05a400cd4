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
    """What `map` says, every core with the fill of its budgets, and the loads of links.

    Where no population has a layer each is one of its own. `activity` of a run gives the rates; without it every neuron
    sends.
    """
    from partitioner.judge.figures import picture
    from partitioner.judge.metrics import traffic_of
    from partitioner.judge.summary import summary
    from partitioner.nets.streams import sent_of

    program = seen_by_chip(program, mapping.assignments)
    found = summary(mapping, program, system, judge=bool(mapping.shards), rates=activity)
    shown = None
    if mapping.shards:
        places, nets, _ = traffic_of(mapping, program, system, *sent_of(activity))
        shown = picture(nets, places, system)
    width, height = system.chip.mesh
    return {
        **found, "chip": system.chip.name, "cores_per_chip": system.chip.cores, "cores": _cores(program, mapping, system),
        "mesh": {"columns": width, "rows": height, "cores_per_router": system.chip.cores_per_router}, "picture": shown,
    }  # fmt: skip


def _cores(program: Program, mapping: Mapping, system: SystemSpec) -> dict[str, Any]:
    """The cores in use, one entry a core in every column."""
    from partitioner.cost.budget import RESOURCES
    from partitioner.cost.usage import core_demands

    populations = program.network.populations
    layers: dict[str, int | None] = {name: population.layer for name, population in populations.items()}
    if all(layer is None for layer in layers.values()):
        layers = {name: index for index, name in enumerate(populations)}
    limits = {name: limit.value for name, limit in system.chip.budget.limits().items() if limit.value}
    held: dict[tuple[int, int], list[Any]] = {}
    for shard in mapping.shards:
        held.setdefault((shard.chip, shard.core), []).append(shard)
    columns: dict[str, list[Any]] = {"chip": [], "core": [], "label": [], "layer": [], "used_fraction": []}
    fractions: dict[str, list[float]] = {name: [] for name in RESOURCES if name in limits}
    for place, demand in core_demands(mapping, program, system).items():
        share = {n: used / limits[n] for n, used in zip(RESOURCES, demand, strict=True) if n in limits}
        names = dict.fromkeys(shard.group or shard.island for shard in held[place])
        row = (*place, ", ".join(names), layers[held[place][0].island], max(share.values()))
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
        for name, values in fractions.items():
            values.append(share[name])
    return {**columns, "resource_fractions": fractions}
