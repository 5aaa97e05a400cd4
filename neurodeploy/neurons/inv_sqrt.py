"""Inverse square root, Lava's `InvSqrt` in fixed point; `neurodeploy.neurons.rsqrt` is the exact one.

Equation: with 12 fractional bits on both sides, so that about ``s = 2**18 / sqrt(a)``: m the index of a's highest bit,
T the table of first estimates, five rounds in 64-bit integers (>> floors)::

    B = a,  Y = T[m mod 24],  y = Y // 2
    five times:   B = (((B * Y) >> 13) * Y) >> 13,   Y = 3 * 2**12 - B,   y = (y * Y) >> 13
    s = wrap32(y),   0 where a = 0

Lava's limits, kept: an input of 2**24 or more takes the estimate of a wrong bit (its table has 24 entries, and a
negative index counts from the end) and gives nonsense. Lava runs a population of one neuron only, since its function
takes one integer: here it is applied to each neuron. A negative input stops Lava's worker with an exception; here it
gives 0. Of all inputs below 2**24, the result is off by at most 3 units from 2**12 on (2.8 % near 2**24) and 0.8 %
below. `fp_base` of Lava's process has no effect in its model (12 stays) and does not exist here.

Counted: `wrapped` the inputs of 2**24 and more, and results that 32 bits changed; `saturated` negative inputs.
Source: lava-nc 0.10.0 `lava/proc/graded/models.py`, `InvSqrtModelFP`, `inv_sqrt`, `make_fpinv_table`, `clz`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import Integers, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Values

BITS, ROUNDS = 12, 5
#: ``2 * int(2**12 / (2**((m - 12) / 2) * 1.238982962))`` for the highest bit m = 0..23.
ESTIMATES = np.array(
    [
     423158, 299218, 211578, 149608, 105788, 74804, 52894, 37402, 26446, 18700, 13222, 9350, 6610,
     4674, 3304, 2336, 1652, 1168, 826, 584, 412, 292, 206, 146,
    ],
    dtype=np.int64,
)  # fmt: skip


def equation(on: Integers, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    a = inputs["a"]
    positive = a > 0
    b = np.where(positive, a, 1)
    bit = np.frexp(b.astype(np.float64))[1] - 1  # exact: every int32 is a float64
    factor: Ints = ESTIMATES[bit % ESTIMATES.size]
    y = factor // 2
    for _ in range(ROUNDS):
        b = (((b * factor) >> (BITS + 1)) * factor) >> (BITS + 1)
        factor = (3 << BITS) - b
        y = (y * factor) >> (BITS + 1)
    on.wrapped += int(np.count_nonzero(a >= 1 << ESTIMATES.size))
    on.saturated += int(np.count_nonzero(a < 0))
    return {"s": on.wrap(np.where(positive, y, 0))}


def real(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """``2**18 / sqrt(a)``, 0 where a <= 0."""
    a = inputs["a"]
    return {"s": np.where(a > 0.0, 2.0**18 / np.sqrt(np.where(a > 0.0, a, 1.0)), 0.0)}


MODEL = NeuronModel(
    name="inv_sqrt", lava="lava.proc.graded: InvSqrt, InvSqrtModelFP", equation=equation, real=real, out_bits=24
)
