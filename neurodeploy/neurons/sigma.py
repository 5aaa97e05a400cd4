"""Sigma decoder, Lava's `Sigma` in fixed point: the running sum of its input.

Equation: ``sigma[t] = wrap32(sigma[t-1] + a[t])``, ``s[t] = sigma[t]`` in every step. Counted in `wrapped`: each sum
that 32 bits changed. Source: lava-nc 0.10.0 `lava/proc/sdn/models.py`, `PySigmaModelFixed`.
"""

from __future__ import annotations

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, StateVar, Values


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    state["sigma"] = on.wrap(state["sigma"] + inputs["a"])
    return {"s": state["sigma"].copy()}


MODEL = NeuronModel(
    name="sigma",
    lava="lava.proc.sdn: Sigma, PySigmaModelFixed",
    state={"sigma": StateVar(24, "sum of all inputs")},
    equation=equation,
    out_bits=24,
)
