"""Graded affine neuron: multiply, shift, saturate. It realises a weight scale per output row in integers.

Equation, a the exact sum at its port::

    v[t] = saturate(round_shift(a[t] + bias, acc_shift), state_bits)
    s[t] = sent(saturate(round_shift(v[t] * multiplier, shift), out_bits))            (`neurons/registers.py`)

saturate clips to the symmetric range of so many bits, round_shift rounds half up (`ir.fixedpoint`). v is computed anew every
step, so nothing is carried from step to step. The float step is ``s = r * (a + bias)`` with
``r = multiplier * 2**-(shift + acc_shift)``.

A neuron of our own: Lava has no counterpart; multiply-and-shift is an instruction of Loihi 2's neuron programs (Intel, Loihi
2 technology brief, 2021), widths as in Meyer et al., arXiv 2409.15022.
Counted in `saturated`: each v that was clipped; in `saturated_out`: each s.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import ACC_SHIFT_END, BIAS_MAX, STATE_BITS, round_shift, signed_max
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import THRESHOLD, sent

PARAMS = {
    "multiplier": Param(-(2**15), 2**15 - 1, "factor of the state"),
    "shift": Param(0, 47, "right shift of the product"),
    "acc_shift": Param(0, ACC_SHIFT_END - 1, "right shift of the sum", 0, per_neuron=False),
    "bias": Param(-BIAS_MAX, BIAS_MAX, "added to the sum before its shift", 0),
    "state_bits": Param(2, STATE_BITS, "width of the state", STATE_BITS, per_neuron=False),
    "out_bits": Param(2, STATE_BITS, "width of a payload", STATE_BITS, per_neuron=False),
    "vth": THRESHOLD,
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    v = on.saturate(on.rounded(inputs["a"] + params["bias"], params["acc_shift"]), int(params["state_bits"].item()))
    s = on.rounded(v * params["multiplier"], params["shift"])
    return {"s": sent(on.saturate_payload(s, int(params["out_bits"].item())), params)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of v and s, from the largest sum."""
    v = int(round_shift(largest["a"] + np.abs(params["bias"]), params["acc_shift"]).max())
    held = min(v, signed_max(int(params["state_bits"].item())))
    return {"v": v, "s": int(round_shift(held * np.abs(params["multiplier"]), params["shift"]).max())}


MODEL = NeuronModel(
    name="graded_affine",
    params=PARAMS,
    equation=equation,
    ports={"a": Port(exact=True)},
    out_bits=STATE_BITS,
    reach=reach,
)
