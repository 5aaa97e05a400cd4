"""What a form of the table asks of the conversion to be populations, and the types of both sides.

A value of so many numbers lies on neurons in some order::

    number n of the shape (C order)  ->  neuron order[n] of the population          order None: neuron n, and no others

so reshaping, permuting and slicing cost nothing: they change `order` alone. A convolution wants its pixels one after another
with their channels side by side, (x, y, channel), the order of `synapses.conv`: `spatial`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.ir.population import Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.ir.tensors import Node, Shape
from neurodeploy.ops.host.lowering import Signal

#: The largest weight of `planes`.
WIDEST = 127 * 256 + 127


class Value(NamedTuple):
    """A tensor on the chip: what neurons send, its shape, and where its numbers lie (see above). All in one unit, and from 0
    on, but for what a matrix reads alone: there a neuron has a unit of its own, and what it sends is above `base`, by
    neuron::

        number = base + unit * 2**exponent * payload                                  exponent: of `signal.unit`

    A value in two payloads is ``unit * (payload + 2**shift * coarse)``; `coarse` lies as it does. changes : neurons send
    what has changed, and the payload is the sum of it over the steps so far.
    """

    signal: Signal
    shape: Shape
    order: Ints | None = None
    base: Floats | None = None
    coarse: tuple[Signal, int] | None = None
    changes: bool = False

    @property
    def digits(self) -> list[tuple[Value, int]]:
        """Its payloads, each as a value, and the exponents that they come with."""
        coarse = (
            []
            if self.coarse is None
            else [(Value(self.coarse[0], self.shape, self.order, changes=self.changes), self.coarse[1])]
        )
        return [(self, 0), *coarse]

    @property
    def largest(self) -> int:
        """No number is larger, in its smallest unit."""
        exponent = self.signal.unit.exponent
        raised = 0 if exponent is None else int(exponent.max(initial=0))
        return sum(value.signal.largest << shift + raised for value, shift in self.digits)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def unit(self) -> float:
        return self.signal.unit.scale.value

    @property
    def places(self) -> Ints:
        """The neuron of each number."""
        return np.arange(self.size) if self.order is None else self.order

    @property
    def whole(self) -> bool:
        """Whether every neuron has one number."""
        return self.size == self.signal.size and (self.order is None or np.unique(self.order).size == self.size)

    @property
    def plain(self) -> bool:
        """Whether the shape of its population says how it lies: a map in spatial order, or numbers one after another."""
        shape = self.signal.population.shape
        if len(shape) == 1:
            return self.lies(None)
        x, y, channels = (shape[0], 1, shape[1]) if len(shape) == 2 else shape
        maps = len(self.shape) in (2, 3) and (channels, y, x) == sides(self.shape)
        return maps and self.lies(spatial(self.shape))

    def lies(self, order: Ints | None) -> bool:
        """Whether its numbers lie in this order on a whole population."""
        return self.size == self.signal.size and np.array_equal(self.places, placed(order, self.size))


#: A bias has at most so many bits more than a payload in a sum: of 16-bit payloads 28, which with 8-bit weights leave the
#: other rows theirs.
BIAS_BITS = 12


class Bend(NamedTuple):
    """An activation of straight lines: ``min(max(x where x >= 0 else slope * x, low), high)``; slope: one, or one a channel
    (the first axis)."""

    low: float = -math.inf
    high: float = math.inf
    slope: float | Floats = 1.0


class FromValue(NamedTuple):
    """Synapses from a value, each worth ``2**exponent``."""

    value: Value
    synapse: Synapse
    exponent: int = 0


class RoundedRows(NamedTuple):
    """Weights in integers: `scale` is what 1 in a sum stands for and `reach` the largest sum, by row."""

    whole: Ints
    scale: Floats
    reach: Floats


class NormSeen(NamedTuple):
    """What calibration saw of the groups that a norm reads: the largest sum of squares, magnitude of a number, and magnitude
    of a mean; of one about the mean the first two of numbers less it."""

    power: float
    peak: float
    mean: float


class Ask(Protocol):
    """What the lowering of a form is given. `unit`: of its output; `bend`: the activation behind it; `weight_bits`; `peaks`:
    the largest magnitudes before the activation by channel (the first axis), or (1,); `grouped`: of a norm."""

    node: Node
    inputs: Sequence[Value]
    unit: Unit
    bend: Bend | None
    weight_bits: int
    peaks: Floats
    grouped: NormSeen | None

    def scaled(
        self, sources: Sequence[FromValue], shape: Shape, scale: Floats, bias: Floats | None, *, order: Ints | None,
        layout: Shape | None = None, reach: Floats | None = None,
    ) -> Value:  # fmt: skip
        """A population ``unit * s = bend(scale * sum + bias)`` by neuron, of the value `shape` in this order; `layout`: the
        shape of the population; `reach`: no sum is larger, by neuron."""

    def rows(self, weight: NDArray[np.floating], bias: Floats | None, x: Value) -> RoundedRows:
        """Weights (rows, ..) of a value in integers of `weight_bits`; bias : the largest that is added, by row."""

    def settled(
        self, value: Value, order: Ints | None, unit: Unit | None = None, *, base: Floats | None = None
    ) -> Value:
        """The value with its numbers in this order on a whole population, in this unit, and less a base by neuron; one comes
        between where it has others."""

    def maximum(self, x: Value, inputs: Ints) -> tuple[str, dict[str, int | Ints]]:
        """Model and parameters of neurons that have the largest of so many numbers of a value."""

    def made(self, population: Population, projections: Sequence[Projection], value: Value) -> Value:
        """A population that the form makes itself."""

    def name(self, what: str = "") -> str:
        """A name for a population."""


def placed(order: Ints | None, size: int) -> Ints:
    return np.arange(size) if order is None else order


def spatial(shape: Shape) -> Ints:
    """The order of a map (channels, [height,] width): number n -> neuron (x * height + y) * channels + channel."""
    channels, height, width = sides(shape)
    c, y, x = np.mgrid[0:channels, 0:height, 0:width].reshape(3, -1)
    return np.asarray((x * height + y) * channels + c, np.int64)


def sides(shape: Shape) -> tuple[int, int, int]:
    """(channels, height, width) of a map with one or two sides."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def chip_shape(shape: Shape) -> Shape:
    """A map's shape on the chip: (width, channels) or (width, height, channels)."""
    return shape[::-1]


def by_channel(values: Floats, shape: Shape) -> Floats:
    """A number a channel -> a number a neuron of a map in spatial order."""
    _, height, width = sides(shape)
    return np.tile(np.asarray(values, np.float64), height * width)


def planes(whole: Ints, bits: int) -> list[tuple[NDArray[np.int8], int]]:
    """Integers of more than 8 bits as two synapses, ``w = 256 * high + low``: (weights, exponent)."""
    if bits <= 8:
        return [(whole.astype(np.int8), 0)]
    low = ((whole + 128) & 255) - 128
    return [(((whole - low) >> 8).astype(np.int8), 8), (low.astype(np.int8), 0)]
