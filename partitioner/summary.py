"""A mapping in plain dictionaries, for ``map --json``, ``explain`` and the report."""

from __future__ import annotations

from typing import Any

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import host_islands
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program

from .budget import RESOURCES, Demand
from .judge import program_metrics
from .traffic import traffic
from .usage import core_demands
from .verify import verify


def summary(
    mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None, judge: bool = True
) -> dict[str, Any]:
    """What the mapping takes, how far it is from the bound, what stays on the host and what crosses the border.

    `utilisation` is, for each resource, the mean and the largest used / limit over the cores that are used, None where
    the limit is unknown. `border_bytes_per_token` is the sum over the chip steps (see `classify.py`). `metrics` is what
    `judge.program_metrics` finds; `judge` False leaves it None.
    """
    violations = verify(mapping, program, system, weight_bits=weight_bits)
    return {
        **head(mapping, violations, len(host_islands(program, mapping.assignments))),
        "islands": len(program.islands),
        "border_bytes_per_token": sum(a.bytes_per_token for a in mapping.assignments if a.device == "chip"),
        "traffic_per_token": traffic(mapping, program, system).to_json(),
        "utilisation": utilisation(
            list(core_demands(mapping, program, system, weight_bits=weight_bits).values()), system
        ),
        "metrics": program_metrics(mapping, program, system, weight_bits=weight_bits) if judge else None,
    }


def head(mapping: Mapping, violations: list[str], hosted: int) -> dict[str, Any]:
    """What every mapping has to say of itself, whatever was mapped; `hosted` islands are left to the host.

    `verdict` is "fits" (everything that can be is on the chips), "partly" (the mapping holds, and the host computes what has
    no room) or "does not fit" (budgets are exceeded); `fits` is true for the first alone.
    """
    verdict = "does not fit" if violations else "partly" if hosted else "fits"
    return {
        "system": mapping.system,
        "fits": verdict == "fits",
        "verdict": verdict,
        "host_islands": hosted,
        "chips_used": mapping.chips_used,
        "chips_available": mapping.chips_available,
        "cores_used": mapping.cores_used,
        "cores_available": mapping.chips_available * mapping.cores_per_chip,
        "cores_lower_bound": mapping.lower_bound,
        "binding_resource": mapping.binding_resource,
        "shards": len(mapping.shards),
        "violations": violations,
        "host_ops": [
            {key: entry[key] for key in ("path", "op", "rule", "reason", "bytes_per_token")}
            for entry in explain(mapping)
            if entry["device"] == "host"
        ],
        "unknown_limits": list(mapping.unknown_limits),
    }


def explain(mapping: Mapping) -> list[dict[str, Any]]:
    """One entry for every step: where it runs, by which rule, why, and what would put it on the chip."""
    return [
        {
            "path": entry.path,
            "op": entry.op,
            "device": entry.device,
            "rule": entry.reason.rule,
            "reason": entry.reason.text,
            "remedy": entry.reason.remedy,
            "bytes_per_token": entry.bytes_per_token,
        }
        for entry in mapping.assignments
    ]


def utilisation(demands: list[Demand], system: SystemSpec) -> dict[str, dict[str, float | int | None]]:
    """For each resource the mean and the largest used / limit over cores with these demands, and the largest used."""
    limits = system.chip.budget.limits()
    found: dict[str, dict[str, float | int | None]] = {}
    for index, name in enumerate(RESOURCES):
        limit = limits[name].value
        used = [demand[index] for demand in demands] or [0]
        mean, most = sum(used) / len(used), max(used)
        found[name] = {
            "mean": mean / limit if limit else None,
            "max": most / limit if limit else None,
            "max_used": most,
            "limit": limit,
        }
    return found
