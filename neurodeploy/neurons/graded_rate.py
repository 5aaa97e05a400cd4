"""Integrate-and-fire neuron with exact sums and reset by subtraction: rate coding of a graded network.

Equation, a the exact sum at its port::

    i[t] = saturate(a[t] + sums * i[t-1], 32)
    v    = saturate(v[t-1] + i[t] + bias, 32)
    s[t] = 1 where v >= vth,    -1 where signed and v <= -vth,    else 0
    v[t] = v - vth * s[t]

sums = 1: what arrives are changes of a current, such as a constant that is sent once. With a constant current i >= 0 and
v[0] = vth / 2, the spikes of T steps are ``T i / vth`` to the nearest integer, at most T: an activation ``min(max(x, 0),
1)`` in units of vth, off by at most 1 / (2 T) (Rueckauer et al. 2017, Front. Neurosci. 11:682). `signed`, from v[0] = 0,
is the same without a bend.

A neuron of our own: Lava's `LIFReset` and `LIF` set the voltage to 0, and their sums have 24 bits. Counted in `saturated`:
each i and v that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, StateVar, Values
from neurodeploy.neurons.registers import REGISTER_BITS, REGISTER_MAX, UNBOUNDED, held

PARAMS = {
    "vth": Param(1, REGISTER_MAX, "threshold, and what a spike subtracts"),
    "bias": Param(-REGISTER_MAX, REGISTER_MAX, "added to the voltage in each step", 0),
    "signed": Param(0, 1, "1: negative spikes too", 0, per_neuron=False),
    "sums": Param(0, 1, "1: what arrives are changes of a current", 0, per_neuron=False),
    "out_bits": Param(2, 2, "width of a payload, -1, 0 or 1", 2, per_neuron=False),
}
STATE = {
    "i": StateVar(REGISTER_BITS, "current, where what arrives are its changes"),
    "v": StateVar(REGISTER_BITS, "voltage of the membrane"),
}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    i = held(on, inputs["a"] + int(params["sums"].item()) * state["i"])
    v = held(on, state["v"] + i + params["bias"])
    s = (v >= params["vth"]).astype(v.dtype)
    if params["signed"].item():
        s -= v <= -params["vth"]
    state["i"], state["v"] = i, v - params["vth"] * s
    return {"s": s}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of i, from the largest sum; what adds up, as v does, has no bound but its register."""
    return {"i": UNBOUNDED if params["sums"].item() else largest["a"], "v": UNBOUNDED}


MODEL = NeuronModel(
    name="graded_rate", params=PARAMS, state=STATE, equation=equation, ports={"a": Port(exact=True)}, out_bits=2,
    reach=reach,
)  # fmt: skip
