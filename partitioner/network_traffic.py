"""Messages a time step where every neuron sends one: over the host border, between cores, between chips, and their hops.

An input's message crosses the border to the first chip that needs it, is passed on to every further chip that does, and
is delivered to each shard that holds synapses of its axon. A spike of a neuron goes to each such shard by itself, from
the core where the neuron lives. Outputs return to the host, one message a neuron. A real step has the part of this that
fires; `neurodeploy.accounting.network_work` prices what a run has counted. Hops follow the routes of `link_loads`, one copy
of a message for each shard that it is delivered to, and from the host one for each chip.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.arrange import arranged
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.neurons.registry import every_neuron
from neurodeploy.synapses.flows import HOST, Entries, Homes, flows, partial_sums

from .link_loads import HOST_CHIP, routers
from .traffic import Traffic


def network_traffic(mapping: Mapping, network: Network, system: SystemSpec) -> Traffic:
    """Sum over all projections; `partials_*` are messages between different cores only, `events_*` all deliveries."""
    network = arranged(network, mapping.orders)
    homes = Homes(network, mapping)
    once = every_neuron(network)
    chip = np.array([shard.chip for shard in mapping.shards], np.int64)
    entries, ways = Entries(system.chips), Ways(mapping, system)
    entering = delivered = between = 0
    for flow in flows(network, mapping, once, homes):
        delivered += len(flow.axon)
        outside = flow.source == HOST
        between += int((chip[flow.source] != chip[flow.target])[~outside].sum())
        ways.pass_mesh(flow.source, flow.target, 1)
        ways.pass_links(flow.source[~outside], flow.target[~outside], 1)
        read = flow.target[outside]
        first = read[entries.fresh(flow.projection.name, flow.axon[outside], chip[read])]
        ways.pass_links(np.full(len(first), HOST), first, 1)
    for pairs in entries.known.values():
        axons = len(np.unique(pairs // system.chips))
        entering, between = entering + axons, between + len(pairs) - axons
    near = far = 0
    for source, target, messages in partial_sums(network, mapping, homes):
        a, b = mapping.shards[source], mapping.shards[target]
        far += messages if a.chip != b.chip else 0
        near += messages if a.chip == b.chip and a.core != b.core else 0
        ways.send(source, target, messages)
    leaving = 0
    for index, shard in enumerate(mapping.shards):
        if shard.island in network.outputs and homes.whole(shard):
            leaving += shard.row_count
            ways.send(index, HOST, shard.row_count)
    return Traffic(
        message_bytes=system.chip.formats["message_bytes"],
        host_in=entering,
        host_out=leaving,
        events_to_cores=delivered,
        events_between_chips=between,
        partials_between_cores=near,
        partials_between_chips=far,
        spike_hops=ways.spike_hops,
        interchip_hops=ways.interchip_hops,
    )


class Ways:
    """Hops of messages between shards, `HOST` at its chip's port: summed over meshes, and over the grid of chips."""

    def __init__(self, mapping: Mapping, system: SystemSpec) -> None:
        self._chip: Ints = np.array([*(shard.chip for shard in mapping.shards), HOST_CHIP], np.int64)  # HOST: the last
        core = np.array([*(shard.core for shard in mapping.shards), 0], np.int64)
        self._router, self._node = np.stack(routers(core, system)), np.stack(divmod(self._chip, system.grid[0]))
        self.spike_hops = self.interchip_hops = 0

    def pass_mesh(self, source: Ints, target: Ints, messages: int) -> None:
        """Straight across one mesh, or over the ports of two."""
        a, b = self._router[:, source], self._router[:, target]
        same = self._chip[source] == self._chip[target]
        self.spike_hops += messages * int(np.where(same, np.abs(a - b), a + b).sum())

    def pass_links(self, source: Ints, target: Ints, messages: int) -> None:
        """From chip to chip."""
        self.interchip_hops += messages * int(np.abs(self._node[:, source] - self._node[:, target]).sum())

    def send(self, source: int, target: int, messages: int) -> None:
        """From one shard to another or to the host."""
        ends = np.array([source]), np.array([target])
        self.pass_mesh(*ends, messages)
        self.pass_links(*ends, messages)
