"""Leaky integrate-and-fire that forgets at regular steps, Lava's `LIFReset` in fixed point.

Equation: in steps with ``t % reset_interval == reset_offset % reset_interval`` (t from 1) u = v = 0 after the input has
arrived and before it is added; the rest is `neurodeploy.neurons.lif`. lava-dl's netx counts one more offset a layer.
Source: lava-nc 0.10.0 `lava/proc/lif/models.py`, `PyLifResetModelBitAcc`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import leaky, lif
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Stepped, Values

PARAMS = {
    **leaky.PARAMS,
    "reset_interval": Param(1, 2**31 - 1, "steps from one reset to the next", 1, per_neuron=False),
    "reset_offset": Param(0, 2**31 - 1, "step of the first reset, modulo reset_interval", 0, per_neuron=False),
}


def resets(interval: int, offset: int, t: int) -> bool:
    """Whether the states are cleared in step t."""
    return t % interval == offset % interval


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    if resets(int(params["reset_interval"].item()), int(params["reset_offset"].item()), t):
        state["u"], state["v"] = np.zeros_like(state["u"]), np.zeros_like(state["v"])
    return lif.integer_step(params, state, inputs, t)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    if resets(int(params["reset_interval"].item()), int(params["reset_offset"].item()), t):
        state["u"], state["v"] = np.zeros_like(state["u"]), np.zeros_like(state["v"])
    return lif.float_step(params, state, inputs, t)


MODEL = NeuronModel(
    name="lif_reset",
    lava="lava.proc.lif: LIFReset, PyLifResetModelBitAcc",
    params=PARAMS,
    state=leaky.STATE,
    step=integer_step,
    float_step=float_step,
)
