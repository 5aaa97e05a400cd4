"""Inverse square root to the nearest integer, of our own: what `neurodeploy.neurons.inv_sqrt` (Lava's) approximates.

Equation: with x = a[t] + bias (bias is the epsilon of a normalisation)::

    s[t] = min(floor(2**exp / sqrt(x) + 1/2), 2**23 - 1)  where x > 0,   else 0

computed as ``(isqrt(2**(2 * exp + 2) // x) + 1) >> 1``, which is the same number: exact integers, error at most 1/2 in
units of the result. exp = 18 is the scale of Lava's `InvSqrt`.

Counted in `saturated`: results above 2**23 - 1, and negative x (which have no root and send nothing).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import STATE_LIMIT
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Stepped, Values

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


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    x = inputs["a"] + params["bias"]
    doubled = integer_root((np.int64(1) << (2 * params["exp"] + 2)) // np.maximum(x, 1))
    y = (doubled + 1) >> 1
    s = np.where(x > 0, np.minimum(y, STATE_LIMIT), 0)
    saturated = np.count_nonzero((x > 0) & (y > STATE_LIMIT)) + np.count_nonzero(x < 0)
    return Stepped({"s": s}, 0, int(saturated), 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """``2**exp / sqrt(x)``, 0 where x <= 0."""
    x = inputs["a"] + params["bias"]
    return {"s": np.where(x > 0.0, np.exp2(params["exp"]) / np.sqrt(np.where(x > 0.0, x, 1.0)), 0.0)}


MODEL = NeuronModel(
    name="rsqrt",
    lava=None,
    params=PARAMS,
    state={},
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=24,
)
