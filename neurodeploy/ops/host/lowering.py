"""What puts an operation on the chip: integers and ranges in, populations, projections and ranges out.

An operation with a `lowering` (`Operation.lowering`) is given its inputs as `Signal`s, values that neurons already send, and
answers with a `Lowered`: populations that do the same in integers within the step, or None where these numbers cannot be
done, so that the host does it. Nothing is encoded or decoded on the way (`conversion.lowering`)::

    v_j = scale * x_j,   |x_j| <= largest          x_j the payload of neuron start + j

It is asked when the program is made, so its weights are at hand; what it returns holds no float. Every width must be proven
from `largest`: a `graded_affine` saturates and counts beyond, so a bound that is too small is a loss and never silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import HostOp, WeightStore
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Direct
from neurodeploy.synapses.build import sparse_from_coo


class Signal(NamedTuple):
    """A host value that is on the chip: neurons ``start:stop`` of `population`, payloads of at most `largest` in units of
    `scale`."""

    population: Population
    start: int
    stop: int
    scale: Dyadic
    largest: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    def into(self, target: Population, port: str = "a") -> Projection:
        """Each value to the neuron of its place, within the step and as it is."""
        source, size = self.population, self.size
        synapse: Synapse
        if size == source.size:
            synapse = Direct(size)
        else:
            places = np.arange(size)
            synapse = sparse_from_coo(size, source.size, places, self.start + places, np.ones(size, np.int8))
        name = f"{source.name}[{self.start}:{self.stop}]->{target.name}.{port}"
        return Projection(name, source.name, target.name, synapse, target_port=port, graded=True, instant=True)


class ToLower(NamedTuple):
    """What is to be lowered: the operation, its inputs, and its tensors by role (`HostOp.weights`)."""

    op: HostOp
    inputs: Sequence[Signal]
    weights: WeightStore


class Lowered(NamedTuple):
    """Populations and projections of an operation, those from its inputs too; `outputs`: a whole population for each of its
    outputs. Names begin with its path."""

    populations: Sequence[Population]
    projections: Sequence[Projection]
    outputs: Sequence[Signal]
