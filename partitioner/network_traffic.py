"""Messages a time step where every neuron sends one: over the host border, between cores, between chips.

An input's message crosses the border to the first chip that needs it, is passed on to every further chip that does, and
is delivered to each shard that holds synapses of its axon. A spike of a neuron goes to each such shard by itself, from
the core where the neuron lives. Outputs return to the host, one message a neuron. A real step has the part of this that
fires; `neurodeploy.accounting.network_work` prices what a run has counted.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.arrange import arranged
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import INPUT, Network
from neurodeploy.neurons.registry import every_neuron
from neurodeploy.synapses.flows import HOST, Entries, Homes, flows, partial_sums

from .traffic import Traffic


def network_traffic(mapping: Mapping, network: Network, system: SystemSpec) -> Traffic:
    """Sum over all projections; `partials_*` are messages between different cores only, `events_*` all deliveries."""
    network = arranged(network, mapping.orders)
    homes = Homes(network, mapping)
    once = every_neuron(network)
    chip = np.array([shard.chip for shard in mapping.shards], np.int64)
    entries = Entries(system.chips)
    entering = delivered = between = 0
    for flow in flows(network, mapping, once, homes):
        delivered += len(flow.axon)
        outside = flow.source == HOST
        between += int((chip[flow.source] != chip[flow.target])[~outside].sum())
        entries.fresh(flow.projection.name, flow.axon[outside], chip[flow.target[outside]])
    for pairs in entries.known.values():
        axons = len(np.unique(pairs // system.chips))
        entering, between = entering + axons, between + len(pairs) - axons
    near = far = 0
    for source, target, messages in partial_sums(network, mapping, homes):
        a, b = mapping.shards[source], mapping.shards[target]
        far += messages if a.chip != b.chip else 0
        near += messages if a.chip == b.chip and a.core != b.core else 0
    leaving = sum(network.populations[n].size for n in network.outputs if network.populations[n].model != INPUT)
    return Traffic(system.chip.formats["message_bytes"], entering, leaving, delivered, between, near, far)
