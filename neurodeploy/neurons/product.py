"""Elementwise product of two graded inputs, Lava's `ProdNeuron`.

Equation: ``p = wrap32(a1[t] * a2[t]) >> exp`` (floored), ``s[t] = p where |p| > vth else 0``, in the same step. The
product is 32 bits wide in Lava, so it wraps before it is shifted; |-2**31| is -2**31 (`abs32`).

Lava's process has a variable v that its model never writes; there is no state here.
Counted in `wrapped`: each product that 32 bits changed.
Source: lava-nc 0.10.0 `lava/proc/prodneuron/process.py` and `models.py` there, `PyProdNeuronModelFixed`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import abs32, wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Port, Stepped, Values

PARAMS = {
    "vth": Param(0, 2**24 - 1, "payloads up to this magnitude are not sent (Lava's own default: 1)", 1),
    "exp": Param(0, 31, "right shift of the product", 0),
}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    p, wrapped = wrap32(inputs["a1"] * inputs["a2"])
    p = p >> params["exp"]
    return Stepped({"s": np.where(abs32(p) > params["vth"], p, 0)}, wrapped, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    p = inputs["a1"] * inputs["a2"] * np.exp2(-params["exp"])
    return {"s": np.where(np.abs(p) > params["vth"], p, 0.0)}


MODEL = NeuronModel(
    name="product",
    lava="lava.proc.prodneuron: ProdNeuron, PyProdNeuronModelFixed",
    params=PARAMS,
    state={},
    step=integer_step,
    float_step=float_step,
    ports={"a1": Port(), "a2": Port()},
    graded=True,
    out_bits=24,
)
