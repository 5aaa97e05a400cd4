"""Which processes of Intel's extension stand between host and chip, and what their constructors want.

Source of the names: lava-dl's tutorials ``netx/pilotnet_snn`` and published programs, which connect ``inp`` and ``out``:
`PyToNxAdapter` before matrices, `PyToN3ConvAdapter` before convolutions, `NxToPyAdapter` behind an output. The processes
themselves are closed.
"""

from __future__ import annotations

from typing import Any

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import get_model
from neurodeploy.synapses import Conv
from simulators.lava.connections import MESSAGE_BITS

MODULE = "lava.proc.embedded_io.spike"


def onto_chip(network: Network, p: Projection) -> tuple[str, dict[str, Any]]:
    """For what the host sends to a projection: name and arguments."""
    bits = MESSAGE_BITS if any(other.graded for other in network.out_of(p.source)) else 0
    if isinstance(p.synapse, Conv):
        return "PyToN3ConvAdapter", {"shape": list(p.synapse.input_shape), "num_message_bits": bits}
    return "PyToNxAdapter", {"shape": [p.synapse.columns], "num_message_bits": bits}


def off_chip(population: Population) -> tuple[str, dict[str, Any]]:
    """For what an output sends to the host: name and arguments."""
    bits = MESSAGE_BITS if get_model(population.model).graded else 0
    return "NxToPyAdapter", {"shape": [population.size], "num_message_bits": bits}
