"""The state of a network before its first step."""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import RunState
from neurodeploy.neurons import registry


def state_at_rest(network: Network, samples: int) -> RunState:
    """Step 0: every population with neurons has an entry, every projection with synapses a `pending` of zeros."""
    return RunState(
        step=0,
        neurons={
            name: registry.initial_state(population, samples)
            for name, population in network.populations.items()
            if population.model != INPUT
        },
        pending={
            p.name: np.zeros((samples, p.depth, p.synapse.rows), registry.pending_type(network, p))
            for p in network.projections
            if p.latency
        },
    )
