"""Which wiring a synapse gets."""

from __future__ import annotations

from neurodeploy.ir.network import Projection
from neurodeploy.synapses import Conv, Dense, Sparse
from simulators.network_fast_conv import ConvWiring
from simulators.network_fast_wiring import DenseWiring, SparseWiring, Wiring

KINDS: dict[type, type[Wiring]] = {Dense: DenseWiring, Sparse: SparseWiring, Conv: ConvWiring}


def wire(projection: Projection) -> Wiring:
    """The wiring of a projection that is not direct."""
    return KINDS[type(projection.synapse)](projection)
