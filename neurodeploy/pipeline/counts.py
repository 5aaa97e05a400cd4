"""Counts of a run of a spiking network in plain numbers: what `run --json` prints and the report shows."""

from __future__ import annotations

from typing import Any

from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import RunActivity


def population_counts(network: Network, activity: RunActivity) -> dict[str, dict[str, Any]]:
    """By population: neurons, messages, rate (messages a neuron, step and sample), updates, clipped and wrapped values."""
    runs = activity.steps * activity.samples
    table = {}
    for name, population in network.populations.items():
        fired = activity.fired.get(name, {})
        messages = sum(int(counts.sum()) for counts in fired.values())
        table[name] = {
            "model": population.model,
            "neurons": population.size,
            "messages": messages,
            "rate": messages / (population.size * runs) if runs else 0.0,
            "updates": 0 if population.model == INPUT else population.size * runs,
            "saturated": activity.saturated.get(name, 0),
            "wrapped": activity.wrapped.get(name, 0),
        }
    return table


def projection_counts(network: Network, activity: RunActivity) -> dict[str, dict[str, Any]]:
    """By projection: events that arrived at its axons, synaptic operations they caused, sums that wrapped."""
    table = {}
    for p in network.projections:
        fired = activity.fired[p.source][p.source_port]
        table[p.name] = {
            "source": p.source,
            "target": p.target,
            "events": int(fired.sum()),
            "synops": int(fired @ p.synapse.fan_out()),
            "wrapped": activity.wrapped.get(p.name, 0),
        }
    return table


def synapses(network: Network) -> int:
    """All connections, those of shared kernels counted one by one."""
    return sum(p.synapse.count() for p in network.projections)
