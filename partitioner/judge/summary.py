"""A mapping in plain dictionaries, for ``map --json``, ``explain`` and the report."""

from __future__ import annotations

from typing import Any

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import hosted_populations
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.neurons.registry import state_bytes
from partitioner.cost.budget import RESOURCES, Demand
from partitioner.cost.population import slots, views_of
from partitioner.cost.sums import SUM_BYTES
from partitioner.cost.usage import core_demands
from partitioner.judge.metrics import metrics
from partitioner.nets.streams import sent_of
from partitioner.nets.traffic import traffic
from partitioner.verify.violations import verify


def summary(
    mapping: Mapping,
    program: Program,
    system: SystemSpec,
    *,
    weight_bits: int | None = None,
    judge: bool = True,
    rates: RunActivity | None = None,
) -> dict[str, Any]:
    """What the mapping takes, how far it is from the bound, what stays on the host and what crosses the border.

    `utilisation` is, for each resource, the mean and the largest used / limit over the cores that are used, None where
    the limit is unknown. `metrics` is what `judge.metrics.metrics` finds, at the `rates` of a run of a network
    where they are given; `judge` False leaves it None.

    Of a language model `border_bytes_per_token` is the sum over the chip steps (see `classify.py`). Of a network "token"
    reads time step: `traffic_per_token` and `border_bytes_per_token` are those of one step in which every neuron sends, and
    `populations` has each population.
    """
    violations = verify(mapping, program, system, weight_bits=weight_bits)
    demands = core_demands(mapping, program, system, weight_bits=weight_bits)
    moved = traffic(mapping, program, system).to_json()
    sent, per = sent_of(rates)
    border: float = sum(a.bytes_per_token for a in mapping.assignments if a.device == "chip")
    own: dict[str, Any] = {}
    if program.streamed:
        border = moved["host_in"]["bytes"] + moved["host_out"]["bytes"]
        own = {"unit": "time step", "populations": populations(mapping, program.network)}
    return {
        **head(mapping, violations, len(hosted_populations(program, mapping.assignments))),
        "islands": len(views_of(program, system.chip)),
        "border_bytes_per_token": border,
        "traffic_per_token": moved,
        "utilisation": utilisation(list(demands.values()), system),
        **own,
        "metrics": metrics(mapping, program, system, weight_bits=weight_bits, sent=sent, per=per) if judge else None,
    }


def head(mapping: Mapping, violations: list[str], hosted: int) -> dict[str, Any]:
    """What every mapping has to say of itself, whatever was mapped; `hosted` islands are left to the host.

    `verdict` is "fits" (everything that can be is on the chips), "partly" (the mapping holds, and the host computes what has
    no room) or "does not fit" (budgets are exceeded); `fits` is true for the first alone.
    """
    verdict = "does not fit" if violations else "partly" if hosted else "fits"
    return {
        "system": mapping.system,
        **({} if mapping.origin is None else {"system_file": mapping.origin.to_json()}),
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
    """For each resource the mean and the largest used over cores with these demands, and both over the limit."""
    limits = system.chip.budget.limits()
    found: dict[str, dict[str, float | int | None]] = {}
    for index, name in enumerate(RESOURCES):
        limit = limits[name].value
        used = [demand[index] for demand in demands] or [0]
        mean, most = sum(used) / len(used), max(used)
        found[name] = {
            "mean": mean / limit if limit else None,
            "max": most / limit if limit else None,
            "mean_used": mean,
            "max_used": most,
            "limit": limit,
        }
    return found


def populations(mapping: Mapping, network: Network) -> list[dict[str, Any]]:
    """One entry for each population in order; an input has no cores."""
    placed, found = mapping.by_island(), []
    for name, population in network.populations.items():
        shards, into = placed.get(name, []), network.into(name)
        homes = [s for s in shards if s.kind == "reducer"] or shards
        found.append(
            {
                "name": name,
                "model": population.model,
                "shape": list(population.shape),
                "neurons": population.size,
                "output": name in network.outputs,
                "device": "chip" if shards else "host",
                "cores": len({(shard.chip, shard.core) for shard in shards}),
                "delay_bytes": population.size * delay_bytes(network, name),
                "reducers": sum(shard.kind == "reducer" for shard in shards),
                "neurons_on_fullest_core": max((shard.row_count for shard in homes), default=0),
                "state_bytes_per_neuron": state_bytes(population),
                "axons": sum(p.synapse.columns for p in into),
                "synapses": sum(p.synapse.count() for p in into),
                "stored_weights": sum(p.synapse.stored_weights() for p in into),
                "delay_slots": max((p.depth for p in into), default=0),
            }
        )
    return found


def delay_bytes(network: Network, name: str) -> int:
    """Bytes of a neuron that hold sums of later steps: 0 where no projection has a delay, and of an input."""
    if network.populations[name].model == INPUT:
        return 0
    return SUM_BYTES * sum(depth - 1 for depth in slots(network, name).values())
