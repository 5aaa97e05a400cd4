"""What the neurons with products, tables and roots share: inputs are held in registers of 32 bits, results requantised.

::

    held(x)              = saturate(x, 32)                                                    counted as a state
    requantised(x)       = sent(saturate(round_shift(v * multiplier, shift) + offset, out_bits))
    with v               = saturate(round_shift(x, pre_shift), state_bits)                    counted as a state
    sent(s)              = s where |s| > vth, else 0                                          0 is no event

A product of two registers has 63 bits and is shifted before it is kept; multiplier and shift are those of `graded_affine`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import SHIFT_MAX, STATE_BITS, Ints, round_shift, signed_max
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, Param

REGISTER_BITS = 32
REGISTER_MAX = signed_max(REGISTER_BITS)
#: A bound of what adds up from step to step: none but the register that it is clipped to.
UNBOUNDED = 2**62
#: The largest threshold: payloads of linear layers have 16 bits.
VTH_MAX = signed_max(16)

#: The parameter of `sent`.
THRESHOLD = Param(0, VTH_MAX, "payloads up to this magnitude are not sent", 0)
#: Parameters of what is requantised.
REQUANTISE = {
    "pre_shift": Param(0, 62, "right shift of the exact result, before it is a state", 0),
    "multiplier": Param(-(2**15), 2**15 - 1, "factor of the state"),
    "shift": Param(0, SHIFT_MAX, "right shift of the product"),
    "offset": Param(-(2**31), 2**31 - 1, "added to the payload", 0),
    "state_bits": Param(2, REGISTER_BITS, "width of the state", REGISTER_BITS, per_neuron=False),
    "out_bits": Param(2, REGISTER_BITS, "width of a payload", STATE_BITS, per_neuron=False),
    "vth": THRESHOLD,
}


def held(on: Reals, x: Ints) -> Ints:
    """An input in its register."""
    return on.saturate(x, REGISTER_BITS)


def largest_held(largest: int) -> int:
    """The largest magnitude of an input once it is held."""
    return min(largest, REGISTER_MAX)


def requantised(on: Reals, x: Ints, params: Arrays) -> Ints:
    """The payload of an exact result, by the formula of the module."""
    v = on.saturate(on.rounded(x, params["pre_shift"]), int(params["state_bits"].item()))
    s = on.rounded(v * params["multiplier"], params["shift"]) + params["offset"]
    return sent(on.saturate_payload(s, int(params["out_bits"].item())), params)


def sent(s: Ints, params: Arrays) -> Ints:
    """Payloads that are large enough, as Lava's `GradedVec` sends them (`neurons/graded_vec.py`); 0 in place of others."""
    vth = params["vth"]
    return np.where(np.abs(s) > vth, s, 0) if vth.any() else s


def reach_requantised(largest: int, params: Arrays) -> dict[str, int]:
    """The largest magnitudes of v and s, from that of the exact result."""
    v = int(round_shift(np.full(1, largest, np.int64), params["pre_shift"]).max())
    kept = min(v, signed_max(int(params["state_bits"].item())))
    s = round_shift(kept * np.abs(params["multiplier"]), params["shift"]) + np.abs(params["offset"])
    return {"v": v, "s": int(s.max())}
