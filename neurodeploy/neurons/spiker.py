"""A source of regular messages, Lava's `Spiker`.

Equation: where counter[t-1] = rate: ``s[t] = payload``, ``counter[t] = 1``; elsewhere 0 and ``counter[t] =
counter[t-1] + 1``. The counter starts at 0, so the first message comes in step rate + 1 and then every rate steps (a
rate of 0 sends once). No input. Lava sends the payload as int64; here it is limited to 32 bits. The counter is 32 bits
wide, 2**31 steps.

Nothing wraps, nothing is clipped. Source: lava-nc 0.10.0 `lava/proc/spiker/models.py`, `SpikerModel`
(its process, `process.py` there, calls the rate `period`).
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

PARAMS = {
    "rate": Param(0, 2**31 - 1, "time steps from one message to the next", 10),
    "payload": Param(-(2**31), 2**31 - 1, "payload of a message", 1),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    now = state["counter"] == params["rate"]
    state["counter"] = np.where(now, 1, state["counter"] + 1)
    return {"s": np.where(now, params["payload"], 0)}


MODEL = NeuronModel(
    name="spiker",
    lava="lava.proc.spiker: Spiker, SpikerModel",
    params=PARAMS,
    state={"counter": StateVar(32, "steps since the last message")},
    equation=equation,
    ports={},
    out_bits=32,
)
