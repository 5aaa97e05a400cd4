"""`Unit`: what the payloads of a population stand for in real numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Dyadic, Ints

Floats = NDArray[np.float64]


class Unit(NamedTuple):
    """How a value is written in integers: the unit of neuron j is ``scale * 2**exponent_j``. exponent : (size,), None: all
    0."""

    scale: Dyadic
    bits: int
    exponent: Ints | None = None

    def steps(self, size: int) -> Floats:
        """The unit of each neuron."""
        exponent = np.zeros(size, np.int64) if self.exponent is None else self.exponent.astype(np.int64)
        return np.ldexp(self.scale.value, exponent)

    @property
    def binary(self) -> bool:
        """Whether units are powers of two."""
        return self.scale.mantissa & (self.scale.mantissa - 1) == 0

    def logs(self, size: int) -> Ints:
        """Base-2 logarithms of binary units."""
        return np.rint(np.log2(self.steps(size))).astype(np.int64)

    @classmethod
    def of_logs(cls, logs: Ints, bits: int) -> Unit:
        """Units that are these powers of two."""
        least = int(logs.min())
        return cls(Dyadic(1, least), bits, None if (logs == least).all() else logs - least)
