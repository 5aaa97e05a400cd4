"""The largest of up to four values of which changes arrive: maximum pooling between changes, and of spikes that are counted.

Equation, a, b, c, d the exact sums at the ports, of which the first `inputs` are there; p one of them::

    sigma_p[t] = saturate(sigma_p[t-1] + p[t], 32)
    x[t]       = max of those that are there, clipped to value_bits
    s[t], act[t] as `graded_sigma_delta` has them with changes = 1

The payloads of all steps so far add up to the largest of what has arrived (with vth = 0): of spikes, 0 or 1 a step, the
neuron sends 0 or 1, and its count is the largest count.

A neuron of our own, `graded_max` with memory. Counted in `saturated`: each sigma that was clipped; in `saturated_out`: each
x and s.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import STATE_BITS, signed_max
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.graded_max import PARAMS as MAX_PARAMS
from neurodeploy.neurons.graded_max import PORTS, largest_of
from neurodeploy.neurons.graded_sigma_delta import ACT, CHANGE, sent_change
from neurodeploy.neurons.model import Arrays, NeuronModel, Port, StateVar, Values
from neurodeploy.neurons.registers import REGISTER_BITS, UNBOUNDED, held

SIGMA = {port: f"sigma_{port}" for port in PORTS}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    for port, name in SIGMA.items():
        state[name] = held(on, state[name] + inputs[port])
    return sent_change(on, params, state, largest_of(params, {port: state[name] for port, name in SIGMA.items()}))


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the sums, which have no bound but their registers, of x and of what is sent."""
    sums = dict.fromkeys(SIGMA.values(), UNBOUNDED)
    return {**sums, "value": signed_max(REGISTER_BITS), "s": 2 * signed_max(int(params["value_bits"].item()))}


MODEL = NeuronModel(
    name="graded_max_delta",
    params={"inputs": MAX_PARAMS["inputs"], **CHANGE},
    state={**{name: StateVar(REGISTER_BITS, f"sum at port {port}") for port, name in SIGMA.items()}, **ACT},
    equation=equation,
    ports=dict.fromkeys(PORTS, Port(exact=True)),
    out_bits=STATE_BITS,
    reach=reach,
)
