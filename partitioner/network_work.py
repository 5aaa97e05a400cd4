"""What each core of a mapped network does in a step, for its metrics: operations on synapses and updates of neurons.

Counted as `neurodeploy.accounting.network_work` does, shard by shard: a message that reaches a shard drives the axon's
stored synapses in its rows; all neurons are updated in every step; a partial sum costs its reducer one operation.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.flows import Homes, flows, partial_sums
from neurodeploy.ir.arrange import arranged, counts_there
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.neurons.registry import FIXED, every_neuron
from neurodeploy.synapses import Conv

from .metrics import Places, Work
from .network_nets import Sent, samples


def network_work(network: Network, mapping: Mapping, places: Places, sent: Sent | None = None, per: int = 1) -> Work:
    """The work of each logical core in `per` steps.

    sent : messages of every neuron in these steps (`NetworkActivity.fired` and ``per = steps * samples``); None: every
        neuron sends in every step. Of a projection of very many messages a sample of axons stands for all, as in
        `network_nets`.
    """
    laid = arranged(network, mapping.orders)
    homes = Homes(laid, mapping)
    there = every_neuron(laid, per) if sent is None else counts_there(sent, mapping.orders)
    core = places.of_shard
    synops, conv_synops, updates, microcoded = (np.zeros(places.cores) for _ in range(4))
    every = samples(laid, mapping.shards)
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
