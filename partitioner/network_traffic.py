"""Messages a time step where every neuron sends one: over the host border, between cores, between chips, and their hops.

An input's message crosses the border to the first chip that needs it, is passed on to every further chip that does, and
is delivered to each shard that holds synapses of its axon. A spike of a neuron goes to each such shard by itself, from
the core where the neuron lives. Outputs return to the host, one message a neuron. A real step has the part of this that
fires; `neurodeploy.accounting.networks` prices what a run has counted. Hops follow the routes of `flow.links`, one copy
of a message for each shard that it is delivered to, and from the host one for each chip.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.flows import Entries, Homes, flows, partial_sums
from neurodeploy.flow.routes import HOST, Routes
from neurodeploy.ir.arrange import arranged
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.neurons.registry import every_neuron

from .traffic import Traffic


def network_traffic(mapping: Mapping, network: Network, system: SystemSpec) -> Traffic:
    """Sum over all projections; `partials_*` are messages between different cores only, `events_*` all deliveries."""
    network = arranged(network, mapping.orders)
    homes = Homes(network, mapping)
    once = every_neuron(network)
    chip = np.array([shard.chip for shard in mapping.shards], np.int64)
    routes = Routes(system, chip, np.array([shard.core for shard in mapping.shards], np.int64))
    entries = Entries(system.chips)
    entering = delivered = between = spike_hops = interchip_hops = 0
    for flow in flows(network, mapping, once, homes):
        delivered += len(flow.axon)
        outside = flow.source == HOST
        source, target, read = flow.source[~outside], flow.target[~outside], flow.target[outside]
        between += int((chip[source] != chip[target]).sum())
        spike_hops += int(routes.mesh(flow.source, flow.target).sum())
        first = read[entries.fresh(flow.projection.name, flow.axon[outside], chip[read])]
        interchip_hops += int(routes.grid(source, target).sum() + routes.grid(np.full_like(first, HOST), first).sum())
    for pairs in entries.known.values():
        axons = len(np.unique(pairs // system.chips))
        entering, between = entering + axons, between + len(pairs) - axons
    partial = np.array([*partial_sums(network, mapping, homes)], np.int64).reshape(-1, 3)
    leaving = np.array(
        [
            (index, HOST, shard.row_count)
            for index, shard in enumerate(mapping.shards)
            if shard.island in network.outputs and homes.whole(shard)
        ],
        np.int64,
    ).reshape(-1, 3)
    for source, target, messages in (partial.T, leaving.T):
        spike_hops += int(messages @ routes.mesh(source, target).sum(axis=1))
        interchip_hops += int(messages @ routes.grid(source, target))
    source, target, messages = partial.T
    far = chip[source] != chip[target]
    near = ~far & (routes.core[source] != routes.core[target])
    return Traffic(
        message_bytes=system.chip.formats["message_bytes"],
        host_in=entering,
        host_out=int(leaving[:, 2].sum()),
        events_to_cores=delivered,
        events_between_chips=between,
        partials_between_cores=int(messages[near].sum()),
        partials_between_chips=int(messages[far].sum()),
        spike_hops=spike_hops,
        interchip_hops=interchip_hops,
    )
