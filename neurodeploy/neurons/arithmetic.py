"""The two arithmetics of an equation: integers as Lava's neurons compute them, counted, and real numbers.

A model states its equation once, in the methods below. `Integers` rounds, wraps and clips, and counts what changed by it;
`Reals` does none of it. Source: lava-nc 0.10.0, `lava/proc/lif/models.py` and numpy's int32 arithmetic; see also the
module of each model.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints, round_shift, saturate

#: One more than the largest 24-bit state; states of Lava's LIF family live in -2**23 + 1 .. 2**23.
STATE_END = 2**23
#: A decay of 12 bits is a factor of (4096 - decay) / 4096.
DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
#: Inputs and thresholds of the LIF family are aligned to the state by 6 bits.
ALIGN_BITS = 6
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class Reals:
    """Real numbers: nothing is rounded, wrapped or clipped."""

    def scaled(self, x: Ints, exponent: Ints | int) -> Ints:
        """``x * 2**exponent``; in integers ``x << exponent``, or the flooring ``x >> -exponent`` of a negative one."""
        return x * np.exp2(exponent)

    def floored(self, x: Ints, bits: Ints | int) -> Ints:
        """``x / 2**bits``; in integers ``x >> bits``."""
        return x * np.exp2(-bits)

    def to_zero(self, x: Ints, bits: Ints | int) -> Ints:
        """``x / 2**bits``; in integers ``sign(x) * (|x| >> bits)``."""
        return x * np.exp2(-bits)

    def rounded(self, x: Ints, bits: Ints | int) -> Ints:
        """``x / 2**bits``; in integers half rounds up (`ir.fixedpoint.round_shift`)."""
        return x * np.exp2(-bits)

    def magnitude(self, x: Ints) -> Ints:
        """As numpy's int32 has it: that of -2**31 is -2**31, below every threshold."""
        return np.abs(x)

    def wrap(self, x: Ints) -> Ints:
        """Two's complement to 32 bits: what an int32 array of numpy keeps."""
        return x

    def wrap_current(self, x: Ints) -> Ints:
        """To 32 bits and then one turn of 24 bits, into (-2**23, 2**23]; what is further out stays out. Counted once.

        So 2**23 is kept and -2**23 becomes 2**23 (`AbstractPyLifModelFixed.subthr_dynamics`).
        """
        return x

    def saturate(self, x: Ints, bits: int = STATE_BITS) -> Ints:
        """A state clipped to the symmetric range of `bits`."""
        return x

    def saturate_payload(self, x: Ints, bits: int) -> Ints:
        """A payload clipped to the symmetric range of `bits`."""
        return x


class Integers(Reals):
    """Integers (int64 arrays), and how many values wrapped and were clipped (`model.Stepped`)."""

    def __init__(self) -> None:
        self.wrapped = self.saturated = self.saturated_out = 0

    def scaled(self, x: Ints, exponent: Ints | int) -> Ints:
        if np.min(exponent) >= 0:
            return x << exponent
        return np.where(exponent >= 0, x << np.maximum(exponent, 0), x >> np.maximum(-exponent, 0))

    def floored(self, x: Ints, bits: Ints | int) -> Ints:
        return x >> bits

    def to_zero(self, x: Ints, bits: Ints | int) -> Ints:
        return np.asarray(np.sign(x) * (np.abs(x) >> bits))

    def rounded(self, x: Ints, bits: Ints | int) -> Ints:
        return round_shift(x, bits)

    def magnitude(self, x: Ints) -> Ints:
        return np.where(x == INT32_MIN, INT32_MIN, np.abs(x))

    def wrap(self, x: Ints) -> Ints:
        return self._wrapped(_to_32_bits(x), x)

    def wrap_current(self, x: Ints) -> Ints:
        kept = _to_32_bits(x)
        turned = np.where(kept > STATE_END, kept - 2 * STATE_END, kept)
        return self._wrapped(np.where(turned <= -STATE_END, kept + 2 * STATE_END, turned), x)

    def saturate(self, x: Ints, bits: int = STATE_BITS) -> Ints:
        clipped, lost = saturate(x, bits)
        self.saturated += lost
        return clipped

    def saturate_payload(self, x: Ints, bits: int) -> Ints:
        clipped, lost = saturate(x, bits)
        self.saturated_out += lost
        return clipped

    def _wrapped(self, kept: Ints, exact: Ints) -> Ints:
        self.wrapped += int(np.count_nonzero(kept != exact))
        return kept


def _to_32_bits(x: Ints) -> Ints:
    return ((x + 2**31) & (2**32 - 1)) - 2**31
