"""Leaky integrate-and-fire with spikes of either sign, Lava's `TernaryLIF` in fixed point.

Equation: u and v as in `neurodeploy.neurons.leaky`, then::

    s[t] = (v[t] > vth_hi << 6) - (v[t] < vth_lo << 6),      v[t] = 0 where s[t] != 0

Both strict. vth_lo <= vth_hi, as Lava's process demands. Counted: as in `leaky`.
Source: lava-nc 0.10.0 `lava/proc/lif/models.py`, `PyTernLifModelFixed`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS, Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Passing, Values

PARAMS = {
    "du": leaky.DU,
    "dv": leaky.DV,
    "vth_hi": Param(leaky.VTH.low, leaky.VTH.high, "upper threshold, in units of 64 of the voltage"),
    "vth_lo": Param(leaky.VTH.low, leaky.VTH.high, "lower threshold, in units of 64 of the voltage"),
    **leaky.BIAS,
}


def consistent(params: Arrays) -> tuple[str, str] | None:
    """What is wrong with the parameters together: the thresholds are in order."""
    if bool((params["vth_lo"] > params["vth_hi"]).any()):
        return "vth_lo is greater than vth_hi", "exchange vth_lo and vth_hi"
    return None


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    u, v = leaky.subthreshold(on, params, state, inputs["a"])
    above, below = v > leaky.threshold(on, params["vth_hi"]), v < leaky.threshold(on, params["vth_lo"])
    s = above.astype(np.int64) - below
    state["u"], state["v"] = u, np.where(s != 0, 0, v)
    return {"s": s}


MODEL = NeuronModel(
    name="ternary_lif",
    lava="lava.proc.lif: TernaryLIF, PyTernLifModelFixed",
    params=PARAMS,
    state=leaky.STATE,
    equation=equation,
    out_bits=2,
    consistent=consistent,
    thresholds=tuple(Passing("v", name, ALIGN_BITS) for name in ("vth_hi", "vth_lo")),
)
