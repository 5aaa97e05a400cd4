"""Graded neuron with a bent line between changes: the sigma-delta form of `graded_rectified`.

Equation, a the exact sum at its port::

    sigma[t] = saturate(sums * sigma[t-1] + a[t], 32)
    x[t]     = the payload that graded_rectified makes of the sum sigma[t], clipped to value_bits
    d        = x[t] - changes * act[t-1],             0 where |d| <= vth
    s[t]     = saturate(d, out_bits)
    act[t]   = changes * (act[t-1] + s[t])

sums = 1: what arrives are changes, and adds up; 0: values. changes = 1: what has changed by more than vth since it was last
sent is sent; 0: every value above vth. act is what receivers have added up, so what a threshold or a width holds back
is sent later and never lost: with vth = 0 and no clipping, receivers have in every step exactly the payloads of
`graded_rectified`.

A neuron of our own; the scheme is that of sigma-delta networks (O'Connor and Welling 2016, arXiv 1611.02024) and of Lava's
`SigmaDelta`, whose later repair keeps act as this one does (`sigma_delta_corrected`). Counted in `saturated`: each sigma
and v that was clipped; in `saturated_out`: each x and s.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints, signed_max
from neurodeploy.neurons import graded_rectified
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, StateVar, Values
from neurodeploy.neurons.registers import REGISTER_BITS, UNBOUNDED, held, largest_held, sent

#: A change is at most twice the largest value.
VTH_MAX = 2 * signed_max(STATE_BITS)
CHANGE = {
    "vth": Param(0, VTH_MAX, "changes up to this magnitude are not sent", 0),
    "value_bits": Param(2, STATE_BITS, "width of the value of which changes are sent", STATE_BITS, per_neuron=False),
    "out_bits": Param(2, STATE_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}
PARAMS = {
    **graded_rectified.PARAMS,
    "sums": Param(0, 1, "1: what arrives are changes; 0: values", 1, per_neuron=False),
    "changes": Param(0, 1, "1: changes are sent; 0: values", 1, per_neuron=False),
    **CHANGE,
}
ACT = {"act": StateVar(STATE_BITS, "what the receivers have added up")}


def sent_change(on: Reals, params: Arrays, state: Values, x: Ints, changes: int = 1) -> Values:
    """What is sent of a value: the last lines of the equation. Changes act."""
    value = on.saturate_payload(x, int(params["value_bits"].item()))
    d = sent(value - changes * state["act"], params)
    s = on.saturate_payload(d, int(params["out_bits"].item()))
    state["act"] = changes * (state["act"] + s)
    return {"s": s}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    state["sigma"] = held(on, int(params["sums"].item()) * state["sigma"] + inputs["a"])
    x = graded_rectified.bent(on, params, state["sigma"])
    return sent_change(on, params, state, x, int(params["changes"].item()))


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of sigma, v and what is sent, from the largest sum; what adds up has no bound but its register."""
    sigma = UNBOUNDED if params["sums"].item() else largest["a"]
    found = graded_rectified.reach(params, {"a": largest_held(sigma)})
    sent_most = (1 + int(params["changes"].item())) * min(found["s"], signed_max(int(params["value_bits"].item())))
    return {"sigma": sigma, "v": found["v"], "value": found["s"], "s": sent_most}


MODEL = NeuronModel(
    name="graded_sigma_delta",
    params=PARAMS,
    state={"sigma": StateVar(REGISTER_BITS, "sum of what has arrived"), **ACT},
    equation=equation,
    ports={"a": Port(exact=True)},
    out_bits=STATE_BITS,
    reach=reach,
)
