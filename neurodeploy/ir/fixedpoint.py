"""Every integer rule once. Arrays are int64 unless said otherwise; nothing here rounds through floating point.

Sources: 24-bit state and messages, 8-bit weights and 16-bit payloads as in Meyer et al. (arXiv 2409.15022) and Abreu
et al. (arXiv 2503.18002). The rules of Lava's own processes (wrap, sign-magnitude shifts) come with its neurons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError

Ints = NDArray[Any]

STATE_BITS = 24
STATE_MAX = 2 ** (STATE_BITS - 1) - 1
#: Scales whose inverse, and whose product with a weight exponent or a state, is an ordinary float32.
SCALE_MIN, SCALE_MAX = 2.0**-100, 2.0**100
#: Largest magnitude of a bias on a sum: the sum of any island stays far below the 63 bits that hold it.
BIAS_MAX = 2**60
#: An accumulator is shifted right by less than this.
ACC_SHIFT_END = 40
#: A multiplier keeps 15 significant bits; its product is shifted right by at most so much.
MULTIPLIER_BITS, SHIFT_MAX = 15, 47


@dataclass(frozen=True, slots=True)
class Dyadic:
    """A real number written in integers: ``mantissa * 2**exponent``. Scales are kept so: no float in a Program."""

    mantissa: int
    exponent: int

    @property
    def value(self) -> float:
        """Exact as long as the mantissa has at most 53 bits."""
        return math.ldexp(self.mantissa, self.exponent)

    @classmethod
    def nearest(cls, value: float, bits: int = 24) -> Dyadic:
        """The nearest dyadic with a mantissa of at most `bits` bits (24: exactly a float32)."""
        if not math.isfinite(value) or value <= 0.0:
            raise InternalError("ND9002", "scale", f"{value} is not a positive finite number")
        fraction, exponent = math.frexp(value)
        mantissa = round(math.ldexp(fraction, bits))
        return cls(mantissa, exponent - bits)


def signed_max(bits: int) -> int:
    """Largest magnitude of a symmetric signed field: ``2**(bits - 1) - 1``."""
    return int(2 ** (bits - 1)) - 1


def multiply_shift(ratio: NDArray[np.float64]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """``ratio = multiplier * 2**-shift`` with multipliers of 15 bits, elementwise: off by 2**-15 of it at most. What is so
    small that it needs a shift beyond `SHIFT_MAX` keeps fewer bits, or gets 0; a shift is negative for ratios from 2**15
    on."""
    fraction, exponent = np.frexp(ratio)
    shift = MULTIPLIER_BITS - exponent.astype(np.int64)
    multiplier = np.rint(np.ldexp(fraction, MULTIPLIER_BITS)).astype(np.int64)
    carried = multiplier == 1 << MULTIPLIER_BITS
    multiplier[carried] >>= 1
    shift = shift - carried
    low = shift > SHIFT_MAX
    multiplier[low] >>= np.minimum(shift[low] - SHIFT_MAX, 62)
    return multiplier.astype(np.int16), np.where(low, SHIFT_MAX, shift)


def round_shift(x: Ints, shift: Ints | int) -> Ints:
    """``floor((x + 2**(shift - 1)) / 2**shift)``: arithmetic right shift, half rounds up; shift 0 is the identity."""
    shift = np.asarray(shift, dtype=np.int64)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return (x + half) >> shift


def saturate(x: Ints, bits: int) -> tuple[Ints, int]:
    """Clip to the symmetric range of `bits` and count how many values changed."""
    limit = signed_max(bits)
    clipped = np.clip(x, -limit, limit)
    return clipped, int(np.count_nonzero(clipped != x))
