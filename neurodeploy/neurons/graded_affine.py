"""Graded affine neuron: multiply, shift, saturate. It realises a weight scale per output row in integers.

Equation, a the exact sum at its port::

    v[t] = saturate(round_shift(a[t] + bias, acc_shift), state_bits)
    s[t] = saturate(round_shift(v[t] * multiplier, shift), out_bits)

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

from neurodeploy.ir.fixedpoint import ACC_SHIFT_END, BIAS_MAX, STATE_BITS, Ints, round_shift, saturate, signed_max
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, Param, Port, Stepped, Values

PARAMS = {
    "multiplier": Param(-(2**15), 2**15 - 1, "factor of the state"),
    "shift": Param(0, 47, "right shift of the product"),
    "acc_shift": Param(0, ACC_SHIFT_END - 1, "right shift of the sum", 0, per_neuron=False),
    "bias": Param(-BIAS_MAX, BIAS_MAX, "added to the sum before its shift", 0),
    "state_bits": Param(2, STATE_BITS, "width of the state", STATE_BITS, per_neuron=False),
    "out_bits": Param(2, STATE_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    v, lost = saturate(round_shift(inputs["a"] + params["bias"], params["acc_shift"]), int(params["state_bits"].item()))
    s, lost_out = saturate(round_shift(v * params["multiplier"], params["shift"]), int(params["out_bits"].item()))
    return Stepped({"s": s}, 0, lost, lost_out)


def reach(params: Mapping[str, Ints], largest: Mapping[str, int]) -> dict[str, int]:
    """Of v and s, from the largest sum."""
    v = int(round_shift(largest["a"] + np.abs(params["bias"]), params["acc_shift"]).max())
    held = min(v, signed_max(int(params["state_bits"].item())))
    return {"v": v, "s": int(round_shift(held * np.abs(params["multiplier"]), params["shift"]).max())}


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    ratio = params["multiplier"] * np.exp2(-params["shift"] - params["acc_shift"])
    return {"s": (inputs["a"] + params["bias"]) * ratio}


MODEL = NeuronModel(
    name="graded_affine",
    lava=None,
    params=PARAMS,
    state={},
    step=integer_step,
    float_step=float_step,
    ports={"a": Port(exact=True)},
    graded=True,
    out_bits=STATE_BITS,
    reach=reach,
)
