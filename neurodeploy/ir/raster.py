"""`Raster`: which payloads of a run were not zero, step by step, a bit each.

Counts of a run are sums, and a step of a chip lasts as long as the busiest core of *that* step. Which core that is depends
on the mapping, so what is kept is what any mapping needs. A run whose raster would take more than `RASTER_BYTES`::

    bytes = samples * steps * sum over populations and their output ports of ceil(size / 8)

keeps none, and its step times are bounded by its sums (`accounting.spread`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints

#: The most that a run keeps.
RASTER_BYTES = 1 << 26

#: (samples, steps, ceil(size / 8)): neuron 0 is the highest bit of the first byte.
Bits = NDArray[np.uint8]


def packed(payload: NDArray[Any]) -> Bits:
    """(.., size) payloads to the bits of those that are not zero (.., ceil(size / 8))."""
    one = payload.dtype == np.bool_ or (payload.dtype == np.uint8)
    return np.packbits(payload if one else payload != 0, axis=-1)


class Raster:
    """population -> output port -> stretches of steps, one after another."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[str, Mapping[str, Bits]]) -> None:
        self._parts = {name: {port: [bits] for port, bits in ports.items()} for name, ports in parts.items()}

    @classmethod
    def blank(cls, fired: Mapping[str, Mapping[str, Ints]], samples: int, steps: int) -> Raster | None:
        """Zeros, to be filled (`bits`); None where it would be too large. fired : population -> output port -> (size,)."""
        width = {name: {port: -(-len(own) // 8) for port, own in ports.items()} for name, ports in fired.items()}
        if samples * steps * sum(sum(ports.values()) for ports in width.values()) > RASTER_BYTES:
            return None
        return cls(
            {
                name: {port: np.zeros((samples, steps, bits), np.uint8) for port, bits in ports.items()}
                for name, ports in width.items()
            }
        )

    @property
    def bytes(self) -> int:
        return sum(bits.nbytes for ports in self._parts.values() for parts in ports.values() for bits in parts)

    def __iter__(self) -> Iterator[tuple[str, str, Bits]]:
        """Population, port, bits."""
        yield from ((name, port, self.bits(name, port)) for name, ports in self._parts.items() for port in ports)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key[1] in self._parts.get(key[0], {})

    def bits(self, name: str, port: str) -> Bits:
        """Of the whole run, (samples, steps, ceil(size / 8))."""
        parts = self._parts[name][port]
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts, axis=1)]
        return parts[0]

    def joined(self, other: Raster | None) -> Raster | None:
        """With a later stretch of the same samples, or with other populations of the same steps; None: too large, as a run
        of all at once would be."""
        if other is None or self.bytes + other.bytes > RASTER_BYTES:
            return None
        found = Raster({})
        for own in (self, other):
            for name, ports in own._parts.items():
                for port, parts in ports.items():
                    found._parts.setdefault(name, {}).setdefault(port, []).extend(parts)
        return found

    def shaped(self, samples: int, steps: int, without: Collection[str] = ()) -> Raster:
        """The same ticks as so many samples and steps, but for these populations."""
        found = Raster({})
        for name, port, bits in self:
            if name not in without:
                found._parts.setdefault(name, {})[port] = [bits.reshape(samples, steps, bits.shape[2])]
        return found

    def moved(self, orders: Mapping[str, Ints]) -> Raster:
        """Neuron ``order[r]`` of a population comes to place r."""
        if not orders:
            return self
        found = Raster({})
        for name, port, bits in self:
            if name in orders:
                size = len(orders[name])
                bits = np.packbits(np.unpackbits(bits, axis=-1, count=size)[..., orders[name]], axis=-1)
            found._parts.setdefault(name, {})[port] = [bits]
        return found

    def events(self, name: str, port: str, first: int, stop: int) -> tuple[Ints, Ints]:
        """Neurons of all events in ticks first..stop, tick after tick, and where each tick begins, (ticks + 1,): ticks of a
        sample follow one another."""
        bits = self.bits(name, port)
        flat = np.unpackbits(bits.reshape(-1, bits.shape[2])[first:stop], axis=1).view(np.bool_)
        counts = np.count_nonzero(flat, axis=1)
        neuron = np.flatnonzero(flat) - np.repeat(np.arange(len(flat)) * flat.shape[1], counts)
        return neuron, np.concatenate(([0], np.cumsum(counts)))


def join(one: Raster | None, other: Raster | None) -> Raster | None:
    """`Raster.joined`, where nothing joined with anything is nothing."""
    return None if one is None else one.joined(other)
