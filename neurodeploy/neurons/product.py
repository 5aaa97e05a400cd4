"""Elementwise product of two graded inputs, Lava's `ProdNeuron`.

Equation: ``p = wrap32(a1[t] * a2[t]) >> exp`` (floored), ``s[t] = p where |p| > vth else 0``, in the same step. The
product is 32 bits wide in Lava, so it wraps before it is shifted; |-2**31| is -2**31 (`Reals.magnitude`).

Lava's process has a variable v that its model never writes; there is no state here.
Counted in `wrapped`: each product that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/prodneuron/process.py` and `models.py` there, `PyProdNeuronModelFixed`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values

PARAMS = {
    "vth": Param(0, 2**24 - 1, "payloads up to this magnitude are not sent (Lava's own default: 1)", 1),
    "exp": Param(0, 31, "right shift of the product", 0),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    p = on.floored(on.wrap(inputs["a1"] * inputs["a2"]), params["exp"])
    return {"s": np.where(on.magnitude(p) > params["vth"], p, 0)}


MODEL = NeuronModel(
    name="product",
    lava="lava.proc.prodneuron: ProdNeuron, PyProdNeuronModelFixed",
    params=PARAMS,
    equation=equation,
    ports={"a1": Port(), "a2": Port()},
    out_bits=24,
)
