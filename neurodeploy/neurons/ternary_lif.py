"""Leaky integrate-and-fire with spikes of either sign, Lava's `TernaryLIF` in fixed point.

Equation: u and v as in `neurodeploy.neurons.leaky`, then::

    s[t] = (v[t] > vth_hi << 6) - (v[t] < vth_lo << 6),      v[t] = 0 where s[t] != 0

Both strict. vth_lo <= vth_hi, as Lava's process demands. Counted: as in `leaky`.
Source: lava-nc 0.10.0 `lava/proc/lif/models.py`, `PyTernLifModelFixed`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import leaky
from neurodeploy.neurons.arithmetic import ALIGN_BITS
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Stepped, Values

PARAMS = {
    "du": leaky.DU,
    "dv": leaky.DV,
    "vth_hi": Param(leaky.VTH.low, leaky.VTH.high, "upper threshold, in units of 64 of the voltage"),
    "vth_lo": Param(leaky.VTH.low, leaky.VTH.high, "lower threshold, in units of 64 of the voltage"),
    **leaky.BIAS,
}


def consistent(params: Mapping[str, Ints]) -> tuple[str, str] | None:
    """What is wrong with the parameters together: the thresholds are in order."""
    if bool((params["vth_lo"] > params["vth_hi"]).any()):
        return "vth_lo is greater than vth_hi", "exchange vth_lo and vth_hi"
    return None


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    u, v, wrapped, saturated = leaky.subthreshold(params, state, inputs["a"])
    above, below = v > params["vth_hi"] << ALIGN_BITS, v < params["vth_lo"] << ALIGN_BITS
    s = above.astype(np.int64) - below
    state["u"], state["v"] = u, np.where(s != 0, 0, v)
    return Stepped({"s": s}, wrapped, saturated, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    u, v = leaky.float_subthreshold(params, state, inputs["a"])
    above, below = v > leaky.float_threshold(params["vth_hi"]), v < leaky.float_threshold(params["vth_lo"])
    s = above.astype(np.float64) - below
    state["u"], state["v"] = u, np.where(s != 0.0, 0.0, v)
    return {"s": s}


MODEL = NeuronModel(
    name="ternary_lif",
    lava="lava.proc.lif: TernaryLIF, PyTernLifModelFixed",
    params=PARAMS,
    state=leaky.STATE,
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=2,
    consistent=consistent,
)
