"""Reciprocal square root by a table and one step of Newton's method: the factor of a norm.

Equation, x = a[t] + bias kept in 32 bits (bias is the epsilon of a norm)::

    s[t] = round_shift(y, 16 - c)  ~  2**30 / sqrt(x)  where x > 0,   else 0

    c  = (32 - bits of x) // 2,   m = x << 2 c              so that 2**30 <= m < 2**32
    y0 = TABLE[(m >> 24) - 64]                              ~ 2**15 / sqrt(m / 2**32), 192 entries of 17 bits
    r  = 3 * 2**30 - ((m >> 2) * y0**2 >> 30)               ~ 2**30 * (3 - m y0**2)
    y  = y0 * r >> 16                                       ~ 2**30 / sqrt(m / 2**32)

    TABLE[i] = round(2**15 / sqrt((i + 64.5) / 2**8))

A table's entry is off by at most 1/256 of itself; a step of Newton leaves 3/2 of the square of that, 2.3e-5. The largest x
gives 2**14.5, so a factor has at least 15 bits; the smallest, 1, gives 2**30.

A neuron of our own; Lava's `InvSqrt` (`neurons/inv_sqrt.py`) takes five steps from a power of two. Counted in `saturated`:
inputs beyond 32 bits, and negative ones, which have no root and send nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints, round_shift
from neurodeploy.neurons.arithmetic import Integers, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REGISTER_BITS, held
from neurodeploy.neurons.rsqrt import integer_root

#: The result is in units of 2**-RESULT_EXP over the root of the input.
RESULT_EXP = 30
#: ``2**15 / sqrt((2 i + 129) / 2**9)``, to the nearest integer.
TABLE = (integer_root((1 << 41) // (2 * np.arange(192, dtype=np.int64) + 129)) + 1) >> 1

PARAMS = {
    "bias": Param(0, 2**31 - 1, "added to the input before the root", 0),
    "state_bits": Param(2, REGISTER_BITS, "width of an input that is held", REGISTER_BITS, per_neuron=False),
}


def reciprocal_root(x: Ints) -> Ints:
    """``2**30 / sqrt(x)`` of 0 < x < 2**31, by the rule of the module."""
    _, bits = np.frexp(x.astype(np.float64))  # exact: 31 bits fit a mantissa
    c = (32 - bits.astype(np.int64)) // 2
    m = x << (2 * c)
    first = TABLE[(m >> 24) - 64]
    rest = (3 << 30) - ((m >> 2) * (first * first) >> 30)
    return round_shift(first * rest >> 16, 16 - c)


def equation(on: Integers, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    x = held(on, inputs["a"] + params["bias"])
    on.saturated += int(np.count_nonzero(x < 0))
    return {"s": np.where(x > 0, reciprocal_root(np.maximum(x, 1)), 0)}


def real(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """``2**30 / sqrt(x)``, 0 where x <= 0."""
    x = inputs["a"] + params["bias"]
    return {"s": np.where(x > 0.0, 2.0**RESULT_EXP / np.sqrt(np.where(x > 0.0, x, 1.0)), 0.0)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the input, from the largest sum; s is 2**30 at most."""
    return {"x": largest["a"] + int(params["bias"].max()), "s": 1 << RESULT_EXP}


MODEL = NeuronModel(
    name="graded_root",
    params=PARAMS,
    equation=equation,
    real=real,
    ports={"a": Port(exact=True)},
    out_bits=REGISTER_BITS,
    reach=reach,
    constants=TABLE.size * int(TABLE.max()).bit_length(),
)
