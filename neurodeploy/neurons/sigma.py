"""Sigma decoder, Lava's `Sigma` in fixed point: the running sum of its input.

Equation: ``sigma[t] = wrap32(sigma[t-1] + a[t])``, ``s[t] = sigma[t]`` in every step. Counted in `wrapped`: each sum
that 32 bits changed. Source: lava-nc 0.10.0 `lava/proc/sdn/models.py`, `PySigmaModelFixed`.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.arithmetic import wrap32
from neurodeploy.neurons.leaky import Floats
from neurodeploy.neurons.model import FloatValues, NeuronModel, StateVar, Stepped, Values


def integer_step(params: Mapping[str, Ints], state: Values, inputs: Mapping[str, Ints], t: int) -> Stepped:
    """One time step of the equation above."""
    state["sigma"], wrapped = wrap32(state["sigma"] + inputs["a"])
    return Stepped({"s": state["sigma"].copy()}, wrapped, 0, 0)


def float_step(params: Mapping[str, Floats], state: FloatValues, inputs: Mapping[str, Floats], t: int) -> FloatValues:
    """The same in real numbers."""
    state["sigma"] = state["sigma"] + inputs["a"]
    return {"s": state["sigma"].copy()}


MODEL = NeuronModel(
    name="sigma",
    lava="lava.proc.sdn: Sigma, PySigmaModelFixed",
    params={},
    state={"sigma": StateVar(24, "sum of all inputs")},
    step=integer_step,
    float_step=float_step,
    graded=True,
    out_bits=24,
)
