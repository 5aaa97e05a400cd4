"""A network's mapping in plain dictionaries, with the keys of `summary.summary` and what only a network has."""

from __future__ import annotations

from typing import Any

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import INPUT, Network
from neurodeploy.neurons.registry import state_bytes

from .judge import network_metrics
from .network_traffic import network_traffic
from .population import SUM_BYTES, slots
from .summary import head, utilisation
from .usage import core_demands
from .verify import verify


def summary(
    mapping: Mapping, network: Network, system: SystemSpec, *, weight_bits: int | None = None, judge: bool = True
) -> dict[str, Any]:
    """What the mapping takes, how far it is from the bound, and what crosses the host border.

    The keys of `partitioner.summary.summary`, where "token" reads time step: `traffic_per_token` and
    `border_bytes_per_token` are those of one step in which every neuron sends. `populations` has for each population its
    model, size, cores, fullest core, axons and synapses; `metrics` is what `judge.network_metrics` finds, None without
    `judge`.
    """
    violations = verify(mapping, network, system, weight_bits=weight_bits)
    demands = core_demands(mapping, network, system, weight_bits=weight_bits)
    traffic = network_traffic(mapping, network, system).to_json()
    return {
        **head(mapping, violations, 0),
        "islands": sum(population.model != INPUT for population in network.populations.values()),
        "border_bytes_per_token": traffic["host_in"]["bytes"] + traffic["host_out"]["bytes"],
        "traffic_per_token": traffic,
        "utilisation": utilisation(list(demands.values()), system),
        "unit": "time step",
        "populations": populations(mapping, network),
        "metrics": network_metrics(mapping, network, system, weight_bits=weight_bits) if judge else None,
    }


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
                "device": "host" if population.model == INPUT else "chip",
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
