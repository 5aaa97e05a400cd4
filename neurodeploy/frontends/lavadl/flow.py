"""What runs from layer to layer of a `.net` file: one or several populations, their order, message bits and delays.

A dense layer numbers its columns as the file does, (channel, y, x); a population here numbers its neurons (x, y, channel),
as Lava does. `Wire.positions` goes from one to the other; a `flatten` layer is nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.lavadl.fields import Fields, Notes
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import DELAY_MAX

#: The population that is fed from outside.
EXTERNAL = "input"


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    """Axons of one population: its shape (x, y, channel) or (n,), message bits, and the delay of each axon, (size,)."""

    population: str
    shape: tuple[int, ...]
    bits: int
    delay: Ints | None = None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def positions(self) -> Ints:
        """For each neuron of the population its place in the file's order, (channel, y, x)."""
        places: Ints = np.arange(self.size).reshape(self.shape[::-1]).transpose().reshape(-1)
        return places


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Wires whose channels follow one another. `external`: nothing is built yet and the shape may still be unknown, ()."""

    wires: tuple[Wire, ...]
    flat: bool = False
    external: bool = False

    def columns(self, fields: Fields, wanted: int) -> Flow:
        """As the input of a dense layer with `wanted` columns. ND1286 where it is another number, or not flat.

        Input from outside is flat in the file's order, as netx's `inp` port is.
        """
        if self.external:
            wire = self.wires[0]
            if wire.shape and wire.size != wanted:
                raise fields.wrong(f"has {wanted} columns, its input has shape {wire.shape[::-1]}")
            return Flow((replace(wire, shape=(wanted,)),), True, True)
        found = sum(wire.size for wire in self.wires)
        if found != wanted:
            raise fields.wrong(f"has {wanted} columns, the layer before it {found} neurons")
        if not self.flat and any(len(wire.shape) > 1 for wire in self.wires):
            raise fields.wrong("is dense and follows a layer with space", "put a flatten layer between them")
        return self

    def image(self, fields: Fields) -> tuple[int, int, int]:
        """(x, y, channels) as the input of a layer with kernels. ND1286 where there is no such shape."""
        shapes = [wire.shape for wire in self.wires]
        if self.external and not shapes[0]:
            raise fields.wrong("has kernels and an input of unknown shape", "give input_shape=(x, y, channels)")
        if self.flat or any(len(shape) != 3 or shape[:2] != shapes[0][:2] for shape in shapes):
            raise fields.wrong(f"has kernels, its input has the shapes {shapes}, not one of (x, y, channels)")
        return shapes[0][0], shapes[0][1], sum(shape[2] for shape in shapes)


def delays(fields: Fields, notes: Notes) -> Ints:
    """The field ``delay``, clamped to 62 as by netx. Raises ND1283, ND1288."""
    values = fields.ints("delay", 0)
    late = int(np.count_nonzero(values > DELAY_MAX))
    if late:
        text = f"{late} delays of up to {int(values.max())} clamped to {DELAY_MAX}, as in netx"
        notes.repairs.append(f"{fields.layer}: {text}")
    return np.minimum(values, DELAY_MAX)


def delay_of(wire: Wire, own: NDArray[np.int64] | None, fields: Fields, notes: Notes) -> NDArray[np.uint8] | None:
    """The delay of a projection: that of its axons plus `own`, (columns,) or (rows, columns); None where all are 0."""
    total: Ints = np.int64(0) if wire.delay is None else wire.delay
    if own is not None:
        total = total + own
    if not np.any(total):
        return None
    late = int(np.count_nonzero(total > DELAY_MAX))
    if late:
        text = f"{late} sums of an axon's and a synapse's delay clamped to {DELAY_MAX}"
        notes.repairs.append(f"{fields.layer}: {text}")
    return np.minimum(total, DELAY_MAX).astype(np.uint8)
