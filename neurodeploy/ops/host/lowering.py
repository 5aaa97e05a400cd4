"""What puts an operation on the chip: integers and ranges in, populations, projections and ranges out.

An operation with a `lowering` (`Operation.lowering`) is given its inputs as `Signal`s, values that neurons already send, and
answers with a `Lowered`: populations that do the same in integers within the step, or None where these numbers cannot be
done, so that the host does it. Nothing is encoded or decoded on the way (`conversion.lowering`)::

    v_j = scale * 2**exponent_j * x_j,   |x_j| < 2**(bits - 1)          x_j the payload of neuron start + j

It is asked when the program is made, so its weights are at hand, and what calibration saw (`Measured`); what it returns
holds no float. A width is proven from `bits`, or it is calibrated: then what exceeds it is clipped and counted, so a range
that is too small is a loss and never silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints, multiply_shift, signed_max
from neurodeploy.ir.graph import Attr, HostOp, WeightStore
from neurodeploy.ir.network import Projection
from neurodeploy.ir.payloads import Floats as Floats
from neurodeploy.ir.payloads import Unit as Unit
from neurodeploy.ir.population import Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Dense, Direct
from neurodeploy.synapses.build import sparse_from_coo

#: Range of a value of 24 bits over the largest that calibration saw. Of the residual stream a few channels grow far beyond
#: it on other texts; two of 24 bits cost less than one of them clipped (docs/conversion.md).
HEADROOM = 4.0
#: Bits that a state keeps below the unit of the payload that is made of it.
SPARE_BITS = 7


class Signal(NamedTuple):
    """A host value that is on the chip: what neurons ``start:stop`` of `population` send, in these units."""

    population: Population
    start: int
    stop: int
    unit: Unit

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def largest(self) -> int:
        """No payload exceeds this magnitude."""
        return signed_max(self.unit.bits)

    def steps(self) -> Floats:
        return self.unit.steps(self.size)

    def into(self, target: Population, port: str = "a") -> Projection:
        """Each value to the neuron of its place, within the step and as it is."""
        if self.size == self.population.size == target.size:
            return self._by(Direct(self.size), target, port)
        places = np.arange(self.size)
        return self.onto(target, port, places, places)

    def onto(
        self, target: Population, port: str, rows: Ints, columns: Ints, weight: NDArray[np.int8] | None = None
    ) -> Projection:
        """Value ``columns[n]`` times a weight of 1, or `weight`, to neuron ``rows[n]``, within the step."""
        ones = np.ones(len(rows), np.int8) if weight is None else weight
        synapse = sparse_from_coo(target.size, self.population.size, rows, self.start + columns, ones)
        return self._by(synapse, target, port)

    def _by(self, synapse: Synapse, target: Population, port: str) -> Projection:
        source = self.population
        name = f"{source.name}[{self.start}:{self.stop}]->{target.name}.{port}"
        return Projection(name, source.name, target.name, synapse, target_port=port, graded=True, instant=True)


class Measured(NamedTuple):
    """What calibration saw of an operation. inputs, outputs : for each, the largest magnitude by channel; power : the
    largest sum of squares over a group (attribute "group") of the first input, of the whole input where there is no
    group."""

    inputs: Sequence[Floats]
    outputs: Sequence[Floats]
    power: float


class Made(NamedTuple):
    """What an output is to be: the name of its population, and the units in which it is read."""

    name: str
    unit: Unit


class Remembered(NamedTuple):
    """How keys and values are kept on the chip: positions at most, and bits."""

    context: int
    bits: int


class ToLower(NamedTuple):
    """What is to be lowered: the operation, its inputs, its tensors by role (`HostOp.weights`), what calibration saw, and
    what each output is to be.

    aligned : an input in units that are powers of two, (as near as can be to) those given; a population may come with it.
    by_position : what a host operation of these attributes says of a token's position, so many numbers in these units:
        encoded once for all who ask for the same.
    """

    op: HostOp
    inputs: Sequence[Signal]
    weights: WeightStore
    measured: Measured
    wanted: Sequence[Made]
    aligned: Callable[[int, Unit], Signal]
    by_position: Callable[[str, Mapping[str, Attr], int, Unit], Signal]
    kept: Remembered


class Lowered(NamedTuple):
    """Populations and projections of an operation, those from its inputs too; `outputs`: a whole population for each of its
    outputs. Names begin with its path, or are those that are wanted."""

    populations: Sequence[Population]
    projections: Sequence[Projection]
    outputs: Sequence[Signal]


Params = dict[str, int | Ints]


def requantise(product: Floats, steps: Floats, bits: int) -> Params | None:
    """Parameters of `neurons.registers.requantised`: results in units of `product` (may be negative) to payloads of so many
    bits in units of `steps`, by neuron; None where a unit of a result is 2**15 times that of the payload.

    The state keeps `SPARE_BITS` more than the payload, or what 32 bits leave.
    """
    ratio = product / steps
    spare = min(SPARE_BITS, 32 - bits)
    with np.errstate(divide="ignore"):
        finer = np.floor(-np.log2(np.abs(ratio))) - spare
    pre = np.clip(np.where(np.isfinite(finer), finer, 0), 0, 62).astype(np.int64)
    multiplier, shift = multiply_shift(np.ldexp(ratio, pre))
    if (shift < 0).any():
        return None
    return {"pre_shift": pre, "multiplier": multiplier, "shift": shift.astype(np.uint8), "out_bits": bits}


def joined(source: Population, target: Population, blocks: int, port: str = "a") -> Projection:
    """Weights of 1 within the step: every block of neurons to one neuron, or one neuron to its block, whichever is more."""
    size = max(source.size, target.size)
    one = np.arange(size) // (size // blocks)
    places = np.arange(size)
    rows, columns = (one, places) if source.size == size else (places, one)
    synapse: Synapse
    if blocks == 1:
        synapse = Dense(np.ones((target.size, source.size), np.int8))
    else:
        synapse = sparse_from_coo(target.size, source.size, rows, columns, np.ones(size, np.int8))
    name = f"{source.name}->{target.name}.{port}"
    return Projection(name, source.name, target.name, synapse, target_port=port, graded=True, instant=True)
