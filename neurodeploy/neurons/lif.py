"""Leaky integrate-and-fire, Lava's `LIF` in fixed point.

Equation: u and v as in `neurodeploy.neurons.leaky`, then::

    s[t] = v[t] > vth << 6,      v[t] = 0 where s[t]

Strictly greater; u is not reset; there is no refractory time. Equal bit for bit to lava-nc 0.10.0's `PyLifModelBitAcc`,
whose name promises Loihi; a user reports other values of u and v on Loihi 1 (lava issue 322): this is Lava's arithmetic,
no more is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Stepped, Values


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    u, v, wrapped, saturated = leaky.subthreshold(params, state, inputs["a"])
    s = v > params["vth"] << ALIGN_BITS
    state["u"], state["v"] = u, np.where(s, 0, v)
    return Stepped({"s": s.astype(np.int64)}, wrapped, saturated, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    u, v = leaky.float_subthreshold(params, state, inputs["a"])
    s = v > leaky.float_threshold(params["vth"])
    state["u"], state["v"] = u, np.where(s, 0.0, v)
    return {"s": s.astype(np.float64)}


MODEL = NeuronModel(
    name="lif",
    lava="lava.proc.lif: LIF, PyLifModelBitAcc",
    params=leaky.PARAMS,
    state=leaky.STATE,
    step=integer_step,
    float_step=float_step,
)
