"""The integer rules that Lava's neurons share: 32-bit wrapping, 24-bit states, shifts that round towards zero.

Arrays are int64. A function that can change a value returns the values and how many changed.
Source: lava-nc 0.10.0, `lava/proc/lif/models.py` and numpy's int32 arithmetic; see also the module of each model.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints

#: One more than the largest 24-bit state; states of Lava's LIF family live in -2**23 + 1 .. 2**23.
STATE_END = 2**23
#: Largest magnitude of a state that Lava clips: symmetric, 2**23 - 1.
STATE_LIMIT = STATE_END - 1
#: A decay of 12 bits is a factor of (4096 - decay) / 4096.
DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
#: Inputs and thresholds of the LIF family are aligned to the state by 6 bits.
ALIGN_BITS = 6
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def changed(after: Ints, before: Ints) -> int:
    """How many values differ."""
    return int(np.count_nonzero(after != before))


def wrap32(x: Ints) -> tuple[Ints, int]:
    """Two's complement to 32 bits: what an int32 array of numpy keeps."""
    wrapped = ((x + 2**31) & (2**32 - 1)) - 2**31
    return wrapped, changed(wrapped, x)


def wrap_state_once(x: Ints) -> Ints:
    """Lava's 24-bit wrap of a current: one turn, into (-2**23, 2**23]; what is further out stays out.

    So 2**23 is kept and -2**23 becomes 2**23 (`AbstractPyLifModelFixed.subthr_dynamics`).
    """
    turned = np.where(x > STATE_END, x - 2 * STATE_END, x)
    return np.where(turned <= -STATE_END, x + 2 * STATE_END, turned)


def clip_state(x: Ints) -> tuple[Ints, int]:
    """Clip to the symmetric 24-bit range of -(2**23 - 1) .. 2**23 - 1."""
    clipped = np.clip(x, -STATE_LIMIT, STATE_LIMIT)
    return clipped, changed(clipped, x)


def shift_to_zero(x: Ints, bits: Ints | int) -> Ints:
    """``sign(x) * (|x| >> bits)``: division by a power of two that rounds towards zero."""
    rounded: Ints = np.sign(x) * (np.abs(x) >> bits)
    return rounded


def abs32(x: Ints) -> Ints:
    """The magnitude as numpy's int32 has it: that of -2**31 is -2**31, below every threshold."""
    return np.where(x == INT32_MIN, INT32_MIN, np.abs(x))


def shift_signed(x: Ints, exponent: Ints) -> Ints:
    """``x << exponent``, or the flooring ``x >> -exponent`` of a negative exponent."""
    return np.where(exponent >= 0, x << np.maximum(exponent, 0), x >> np.maximum(-exponent, 0))
