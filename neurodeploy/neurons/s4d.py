"""One diagonal complex state of a state space model (S4D), in integers of our own.

Lava's `S4d` exists in complex floats only and Intel's fixed-point one is not public, so nothing here claims Lava's
bits.

Equation, z = re + i im, one complex state a neuron (>>r: right shift, half rounds up; clip24 to +-(2**23 - 1))::

    z[t] = clip24( (A * z[t-1]) >>r 15  +  (B * a[t]) >>r b_exp )        real and imaginary part each
    s[t] = clip24( 2 * Re(C * z[t]) >>r c_exp )                          a graded payload in every step

A = (a_re + i a_im) / 2**15, B = (b_re + i b_im) / 2**b_exp, C = (c_re + i c_im) / 2**c_exp, all mantissas of 16 bits:
``z = A z + B x, y = 2 Re(C z)`` of Gu et al. 2022 (arXiv 2206.11893). States have 24 bits as in the S4D network of
Meyer et al. (arXiv 2409.15022). A model with d states a channel is a population of d neurons a channel and synapses
that add them up. Products of 24-bit states fit 41 bits, those of inputs 47.

Counted in `saturated`: each of re, im and s that was clipped. Nothing wraps.
"""

from __future__ import annotations

from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, StateVar, Values

#: Fractional bits of A: its magnitude is at most 1 in a stable model.
A_BITS = 15


def _mantissa(what: str, default: int | None = None) -> Param:
    return Param(-(2**15), 2**15 - 1, what, default)


PARAMS = {
    "a_re": _mantissa("real part of A, in units of 2**-15"),
    "a_im": _mantissa("imaginary part of A, in units of 2**-15", 0),
    "b_re": _mantissa("real part of B, in units of 2**-b_exp"),
    "b_im": _mantissa("imaginary part of B, in units of 2**-b_exp", 0),
    "c_re": _mantissa("real part of C, in units of 2**-c_exp"),
    "c_im": _mantissa("imaginary part of C, in units of 2**-c_exp", 0),
    "b_exp": Param(0, 30, "fractional bits of B", 0, per_neuron=False),
    "c_exp": Param(0, 30, "fractional bits of C", 0, per_neuron=False),
}
STATE = {"re": StateVar(24, "real part of the state"), "im": StateVar(24, "imaginary part of the state")}


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    re, im, x = state["re"], state["im"], inputs["a"]
    turned_re = on.rounded(params["a_re"] * re - params["a_im"] * im, A_BITS)
    turned_im = on.rounded(params["a_im"] * re + params["a_re"] * im, A_BITS)
    re = on.saturate(turned_re + on.rounded(params["b_re"] * x, params["b_exp"]))
    im = on.saturate(turned_im + on.rounded(params["b_im"] * x, params["b_exp"]))
    state["re"], state["im"] = re, im
    return {"s": on.saturate(on.rounded(2 * (params["c_re"] * re - params["c_im"] * im), params["c_exp"]))}


MODEL = NeuronModel(name="s4d", params=PARAMS, state=STATE, equation=equation, out_bits=24)
