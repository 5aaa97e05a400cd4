"""Graded neuron with a bent line: a factor above zero, another below, and limits. It realises the scale of a row of weights
together with the activation behind it: ReLU, ReLU6, clip, leaky ReLU and PReLU, or none.

Equation, a the exact sum at its port::

    v[t] = saturate(round_shift(a[t] + bias, acc_shift), state_bits)
    m    = multiplier where v[t] >= 0, else falling
    s[t] = saturate(min(max(round_shift(v[t] * m, shift), low), high), out_bits)

saturate clips to the symmetric range of so many bits, round_shift rounds half up (`ir.fixedpoint`). v is computed anew every
step. low and high belong to the function (0 and 6 of ReLU6): what they cut is no loss and is not counted.

A neuron of our own: multiply-and-shift, comparison and choice are instructions of Loihi 2's neuron programs (Intel, Loihi 2
technology brief, 2021), widths as in `graded_affine`. Counted in `saturated`: each v that was clipped; in `saturated_out`:
each s.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import ACC_SHIFT_END, BIAS_MAX, SHIFT_MAX, STATE_BITS, Ints, round_shift, signed_max
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values

END = signed_max(STATE_BITS)
PARAMS = {
    "multiplier": Param(-(2**15), 2**15 - 1, "factor of a state from 0 on"),
    "falling": Param(-(2**15), 2**15 - 1, "factor of a state below 0: 0 for ReLU", 0),
    "shift": Param(0, SHIFT_MAX, "right shift of the product"),
    "acc_shift": Param(0, ACC_SHIFT_END - 1, "right shift of the sum", 0, per_neuron=False),
    "bias": Param(-BIAS_MAX, BIAS_MAX, "added to the sum before its shift", 0),
    "low": Param(-END, 0, "smallest payload of the function", -END, per_neuron=False),
    "high": Param(0, END, "largest payload of the function", END, per_neuron=False),
    "state_bits": Param(2, STATE_BITS, "width of the state", STATE_BITS, per_neuron=False),
    "out_bits": Param(2, STATE_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}


def bent(on: Reals, params: Arrays, total: Ints) -> Ints:
    """The payload of a sum before it is clipped to its width."""
    v = on.saturate(on.rounded(total + params["bias"], params["acc_shift"]), int(params["state_bits"].item()))
    factor = np.where(v >= 0, params["multiplier"], params["falling"])
    return np.minimum(np.maximum(on.rounded(v * factor, params["shift"]), params["low"]), params["high"])


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    return {"s": on.saturate_payload(bent(on, params, inputs["a"]), int(params["out_bits"].item()))}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of v and s, from the largest sum."""
    v = int(round_shift(largest["a"] + np.abs(params["bias"]), params["acc_shift"]).max())
    held = min(v, signed_max(int(params["state_bits"].item())))
    factor = np.maximum(np.abs(params["multiplier"]), np.abs(params["falling"]))
    ends = max(abs(int(params["low"].item())), abs(int(params["high"].item())))
    return {"v": v, "s": min(int(round_shift(held * factor, params["shift"]).max()), ends)}


MODEL = NeuronModel(
    name="graded_rectified",
    params=PARAMS,
    equation=equation,
    ports={"a": Port(exact=True)},
    out_bits=STATE_BITS,
    reach=reach,
)
