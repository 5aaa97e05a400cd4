"""Inverse square root to the nearest integer, of our own: what `neurodeploy.neurons.inv_sqrt` (Lava's) approximates.

Equation: with x = a[t] + bias (bias is the epsilon of a normalisation)::

    s[t] = min(floor(2**exp / sqrt(x) + 1/2), 2**23 - 1)  where x > 0,   else 0

computed as ``(isqrt(2**(2 * exp + 2) // x) + 1) >> 1``, which is the same number: exact integers, error at most 1/2 in
units of the result. exp = 18 is the scale of Lava's `InvSqrt`.

Counted in `saturated`: results above 2**23 - 1, and negative x (which have no root and send nothing).
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import Integers, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Values

PARAMS = {
    "exp": Param(0, 30, "the result is in units of 2**-exp over the root of the input", 18, per_neuron=False),
    "bias": Param(0, 2**31 - 1, "added to the input before the root", 0),
}


def integer_root(n: Ints) -> Ints:
    """``floor(sqrt(n))`` for 0 <= n <= 2**62: the float root is at most one off, which integers correct."""
    root = np.sqrt(n.astype(np.float64)).astype(np.int64)
    root -= root * root > n
    root += (root + 1) * (root + 1) <= n
    return root


def equation(on: Integers, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    x = inputs["a"] + params["bias"]
    doubled = integer_root((np.int64(1) << (2 * params["exp"] + 2)) // np.maximum(x, 1))
    on.saturated += int(np.count_nonzero(x < 0))
    return {"s": on.saturate(np.where(x > 0, (doubled + 1) >> 1, 0))}


def real(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """``2**exp / sqrt(x)``, 0 where x <= 0."""
    x = inputs["a"] + params["bias"]
    return {"s": np.where(x > 0.0, np.exp2(params["exp"]) / np.sqrt(np.where(x > 0.0, x, 1.0)), 0.0)}


MODEL = NeuronModel(name="rsqrt", params=PARAMS, equation=equation, real=real, out_bits=24)
