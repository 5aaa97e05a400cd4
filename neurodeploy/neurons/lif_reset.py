"""Leaky integrate-and-fire that forgets at regular steps, Lava's `LIFReset` in fixed point.

Equation: in steps with ``t % reset_interval == reset_offset % reset_interval`` (t from 1) u = v = 0 after the input has
arrived and before it is added; the rest is `neurodeploy.neurons.lif`. lava-dl's netx counts one more offset a layer.
Source: lava-nc 0.10.0 `lava/proc/lif/models.py`, `PyLifResetModelBitAcc`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import leaky, lif
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Values

PARAMS = {
    **leaky.PARAMS,
    "reset_interval": Param(1, 2**31 - 1, "steps from one reset to the next", 1, per_neuron=False),
    "reset_offset": Param(0, 2**31 - 1, "step of the first reset, modulo reset_interval", 0, per_neuron=False),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    interval, offset = int(params["reset_interval"].item()), int(params["reset_offset"].item())
    if t % interval == offset % interval:
        state["u"], state["v"] = np.zeros_like(state["u"]), np.zeros_like(state["v"])
    return lif.equation(on, params, state, inputs, t)


MODEL = NeuronModel(
    name="lif_reset",
    lava="lava.proc.lif: LIFReset, PyLifResetModelBitAcc",
    params=PARAMS,
    state=leaky.STATE,
    equation=equation,
    thresholds=leaky.FIRES,
)
