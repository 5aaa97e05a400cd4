"""The figures of a mapping with islands on the host, beside all on chips and beside weights streamed in: plain numbers."""

from __future__ import annotations

from collections.abc import Mapping as Table
from itertools import pairwise
from typing import Any

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Assignment, Mapping, Reason
from neurodeploy.ir.program import Program
from partitioner.classify import PINNED, assign, crossings, group_of
from partitioner.cost.population import views_of
from partitioner.offload.price import Price, Prices, on_host, price_view, standing_watts

#: Objective of a mapping -> what the choice of islands makes least, of a generated token; energy with all others.
OPTIMISED = {"latency": "time", "traffic": "border bytes"}


def figures(
    program: Program,
    system: SystemSpec,
    mapping: Mapping,
    gone: Table[str, Reason],
    resident: Mapping,
    impossible: Table[str, DoesNotFit],
    host: HostSpec,
    weight_bits: int | None,
    objective: str,
) -> dict[str, Any]:
    """What ``map --json`` prints under the key "offload".

    `joules_per_token` and `seconds_per_token` are estimates of a generated token at full activity, of islands and border
    alone (the host's own operations are the same in all ways): "plan" as mapped; "resident" with every island on as many
    chips as that takes; "streaming" with the islands that left run on the chips of the plan, their weights written anew
    for each call. Where an island fits no core however it is split, "resident" and "streaming" are None.
    "unasked" are the islands that left because they had no room, not because a plan or a pin said so; "optimised" is
    what the choice of them made least.
    Streaming is priced, never mapped: no fast way to rewrite the weights of a chip is published. Where it would take fewer
    joules, "streaming_is_cheaper" says so.
    """
    placed, whole, network = mapping.by_island(), resident.by_island(), program.network
    views = views_of(program, system.chip, weight_bits)
    kept = views_of(program, system.chip, weight_bits, hosted=gone)
    plan = everywhere = streaming = Price(0.0, 0.0, 0.0)
    streamed = 0.0
    for name, view in views.items():
        known: list[Prices] = []
        for shards, chips in ((whole.get(name), resident.chips_used), (whole.get(name), mapping.chips_used)):
            known += [price_view(network, view, shards, system, host, chips)] if shards else []
        if name in placed:
            here = price_view(network, kept[name], placed[name], system, host, mapping.chips_used, gone)
            plan, streaming = plan + here.chip, streaming + here.chip
        else:
            plan = plan + on_host(view, host)
        if known:
            everywhere = everywhere + known[0].chip
        if known and name not in placed:
            streaming = streaming + known[1].stream
            streamed += known[1].stream.bytes - known[1].chip.bytes
    watts = standing_watts(system, mapping.chips_used, host)
    streaming_watts = standing_watts(system, max(1, mapping.chips_used), host)
    ways = {
        "plan": (plan, watts),
        "resident": None if impossible else (everywhere, standing_watts(system, resident.chips_used, host)),
        "streaming": None if impossible else (streaming, streaming_watts),
    }
    all_chip = assign(program, system.chip)
    return {
        "islands": len(views),
        "on_host": list(gone),
        "unasked": [name for name, reason in gone.items() if reason.rule != PINNED.rule],
        "groups": _groups(program, gone),
        "chips": mapping.chips_used,
        "chips_resident": None if impossible else resident.chips_used,
        "crossings_per_token": {
            "plan": crossings(program, mapping.assignments),
            "resident": crossings(program, all_chip),
        },
        "alternations": {"plan": alternations(mapping.assignments), "resident": alternations(all_chip)},
        "border_bytes_per_token": {"plan": _bytes(mapping.assignments), "resident": _bytes(all_chip)},
        "joules_per_token": {k: None if way is None else way[0].whole(way[1]) for k, way in ways.items()},
        "seconds_per_token": {k: None if way is None else way[0].seconds for k, way in ways.items()},
        "streamed_bytes_per_token": None if impossible else streamed,
        "streaming_is_cheaper": not impossible and streaming.whole(streaming_watts) < plan.whole(watts),
        "optimised": OPTIMISED.get(objective, "energy"),
        "host": host.name,
    }


def alternations(assignments: tuple[Assignment, ...]) -> int:
    """How often the device changes from step to step of the program, every expert's steps included."""
    return sum(a.device != b.device for a, b in pairwise(assignments))


def _bytes(assignments: tuple[Assignment, ...]) -> int:
    return sum(entry.bytes_per_token for entry in assignments if entry.device == "chip")


def _groups(program: Program, gone: Table[str, Reason]) -> list[dict[str, Any]]:
    """Units on the host in order, each with its islands and its reason."""
    found: dict[str, dict[str, Any]] = {}
    for name, population in program.network.populations.items():
        if name in gone:
            reason, group = gone[name], group_of(population)
            entry = {"group": group, "rule": reason.rule, "reason": reason.text, "remedy": reason.remedy}
            found.setdefault(group, {**entry, "islands": []})["islands"].append(name)
    return list(found.values())
