"""Leaky integrate-and-fire, Lava's `LIF` in fixed point.

Equation: u and v as in `neurodeploy.neurons.leaky`, then::

    s[t] = v[t] > vth << 6,      v[t] = 0 where s[t]

Strictly greater; u is not reset; there is no refractory time. Equal bit for bit to lava-nc 0.10.0's `PyLifModelBitAcc`,
whose name promises Loihi; a user reports other values of u and v on Loihi 1 (lava issue 322): this is Lava's arithmetic,
no more is claimed.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Values


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    u, v = leaky.subthreshold(on, params, state, inputs["a"])
    s = v > leaky.threshold(on, params["vth"])
    state["u"], state["v"] = u, np.where(s, 0, v)
    return {"s": s}


MODEL = NeuronModel(
    name="lif",
    lava="lava.proc.lif: LIF, PyLifModelBitAcc",
    params=leaky.PARAMS,
    state=leaky.STATE,
    equation=equation,
    thresholds=leaky.FIRES,
)
