"""What each core of a mapped network does in a step, for its metrics: operations on synapses and updates of neurons.

Counted as `neurodeploy.accounting.network_work` does, shard by shard: a message that reaches a shard drives the axon's
stored synapses in its rows; all neurons are updated in every step; a partial sum costs its reducer one operation.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.arrange import arranged, counts_there
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Conv, Network
from neurodeploy.neurons.registry import output_ports
from neurodeploy.synapses.flows import Homes, flows, partial_sums

from .metrics import Places, Work
from .network_nets import PAIRS, Sent

#: Models whose update costs as much as the chip's own integrate-and-fire neuron; all others are charged as microcode
#: (the same list as in `neurodeploy.accounting.network_work`).
FIXED = ("lif", "lif_reset", "lif_refractory", "lif_subtract", "cuba", "threshold")


def network_work(network: Network, mapping: Mapping, places: Places, sent: Sent | None = None, per: int = 1) -> Work:
    """The work of each logical core in `per` steps.

    sent : messages of every neuron in these steps (`NetworkActivity.fired` and ``per = steps * samples``); None: every
        neuron sends in every step. Of a projection of very many messages a sample of axons stands for all, as in
        `network_nets`.
    """
    laid = arranged(network, mapping.orders)
    homes = Homes(laid, mapping)
    there = None if sent is None else counts_there(sent, mapping.orders)
    if there is None:
        there = {
            name: {port: np.full(population.size, per, np.int64) for port in output_ports(population)}
            for name, population in laid.populations.items()
        }
    core = places.of_shard
    synops, conv_synops, updates, microcoded = (np.zeros(places.cores) for _ in range(4))
    counts = mapping.by_island()
    every = {
        p.name: step
        for p in laid.projections
        if not isinstance(p.synapse, Conv) and (step := p.synapse.columns * len(counts.get(p.target, ())) // PAIRS) > 1
    }
    for flow in flows(laid, mapping, there, homes, every):
        into = conv_synops if isinstance(flow.projection.synapse, Conv) else synops
        np.add.at(into, core[flow.target], flow.synops * every.get(flow.projection.name, 1))
    for _, target, messages in partial_sums(laid, mapping, homes):
        synops[core[target]] += messages * per
    for index, shard in enumerate(mapping.shards):
        if homes.whole(shard):
            fixed = laid.populations[shard.island].model in FIXED
            (updates if fixed else microcoded)[core[index]] += shard.row_count * per
    return Work(synops, conv_synops, updates, microcoded)
