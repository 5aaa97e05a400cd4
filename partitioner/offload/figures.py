"""The figures of a mapping with islands on the host, beside all on chips and beside weights streamed in: plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping as Table
from itertools import pairwise
from typing import Any

from neurodeploy.ir.mapping import Assignment, Mapping, Reason
from neurodeploy.ir.program import Program
from partitioner.classify import PINNED, assign, crossings, group_of
from partitioner.cost.population import views_of
from partitioner.offload.price import price_view, standing_watts, total, ways_of
from partitioner.offload.search import Resident, Task

#: Objective of a mapping -> what the choice of islands makes least, of a generated token; energy with all others.
OPTIMISED = {"latency": "time", "traffic": "border bytes"}


def figures(task: Task, mapping: Mapping, gone: Table[str, Reason], resident: Resident) -> dict[str, Any]:
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
    program, system, host, bits = task.program, task.system, task.host, task.options.weight_bits
    placed, whole = mapping.by_island(), resident.mapping.by_island()
    own, watts = ways_of(program, system, mapping, host, bits), standing_watts(system, mapping.chips_used, host)
    ways = {"plan": (total(own.values()), watts)}
    streamed = None
    if not resident.impossible:
        turns = {
            name: price_view(program.network, view, whole[name], system, host, mapping.chips_used)
            for name, view in views_of(program, system.chip, bits).items()
            if name not in placed
        }
        everywhere = ways_of(program, system, resident.mapping, host, bits).values()
        ways["resident"] = total(everywhere), standing_watts(system, resident.mapping.chips_used, host)
        streaming = total(turns[name].stream if name in turns else price for name, price in own.items())
        ways["streaming"] = streaming, standing_watts(system, max(1, mapping.chips_used), host)
        streamed = sum(way.stream.bytes - way.chip.bytes for way in turns.values())
    joules = {name: price.whole(standing) for name, (price, standing) in ways.items()}
    seconds = {name: price.seconds for name, (price, _) in ways.items()}
    missing = dict.fromkeys(("resident", "streaming")) if resident.impossible else {}
    all_chip = assign(program, system.chip)
    return {
        "islands": len(own),
        "on_host": list(gone),
        "unasked": [name for name, reason in gone.items() if reason.rule != PINNED.rule],
        "groups": _groups(program, gone),
        "chips": mapping.chips_used,
        "chips_resident": None if missing else resident.mapping.chips_used,
        "crossings_per_token": {
            "plan": crossings(program, mapping.assignments),
            "resident": crossings(program, all_chip),
        },
        "alternations": {"plan": alternations(mapping.assignments), "resident": alternations(all_chip)},
        "border_bytes_per_token": {"plan": _bytes(mapping.assignments), "resident": _bytes(all_chip)},
        "joules_per_token": joules | missing,
        "seconds_per_token": seconds | missing,
        "streamed_bytes_per_token": streamed,
        "streaming_is_cheaper": joules.get("streaming", math.inf) < joules["plan"],
        "optimised": OPTIMISED.get(task.options.objective, "energy"),
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
