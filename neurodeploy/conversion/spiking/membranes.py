"""Every kind of neuron in the form that the chip has, still in real numbers (volts), all arrays (size,) in NIR's order::

    u += -rate_u u + gain (W x)           v += -rate_v v + u + bias           spike where v > threshold

so ``rate_u = 1`` is a current that lasts one step. Lava's neurons reset to 0: voltages are counted from `v_reset` ("shift"),
which turns the leak into part of the bias. What linear nodes make of silence (their biases) is a constant input B: it goes
into the bias with the gain; behind a synaptic filter it only rises to that value, so u starts that much below zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from neurodeploy.ir.float_network import FloatNode, Floats

Rate = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Membrane:
    """model : of the integer neuron. u0, v0 : before the first step. threshold : None for what does not spike."""

    node: FloatNode
    model: str
    rate_u: Floats
    rate_v: Floats
    gain: Floats
    bias: Floats
    threshold: Floats | None
    shift: Floats
    u0: Floats
    v0: Floats

    @property
    def graded(self) -> bool:
        return self.model == "li"

    @property
    def whole(self) -> bool:
        """Voltages are sums of weights: nothing decays, or (in a `threshold` neuron) nothing is kept."""
        return self.model == "threshold" or (not self.rate_v.any() and bool((self.rate_u == 1).all()))


def rates(scheme: str, dt: float) -> Rate:
    """What a time constant loses in a step: ``dt / tau`` or ``1 - exp(-dt / tau)``."""
    return (lambda tau: dt / tau) if scheme == "euler" else (lambda tau: -np.expm1(-dt / tau))


def membrane(node: FloatNode, rest: Floats, rate: Rate, dt: float) -> Membrane:
    """`rest` (size,): what reaches the node while all neurons are silent."""
    flat = {key: value.reshape(-1) for key, value in node.params.items()}
    return KINDS[node.kind](node, flat, rest, rate, dt)


def _spiking(node: FloatNode, p: Mapping[str, Floats]) -> tuple[str, Floats | None, Floats]:
    """Model, threshold and shift."""
    if not node.spikes:
        return "li", None, np.zeros(node.size)
    if node.reset == "subtract":
        return "lif_subtract", p["v_threshold"], np.zeros(node.size)
    return "lif", p["v_threshold"] - p["v_reset"], p["v_reset"]


def _integrator(node: FloatNode, p: Mapping[str, Floats], rest: Floats, rate: Rate, dt: float) -> Membrane:
    zero, one, (model, threshold, shift) = np.zeros(node.size), np.ones(node.size), _spiking(node, p)
    gain = p["r"] * (1.0 if node.gain == "per-step" else dt)
    return Membrane(node, model, one, zero, gain, gain * rest, threshold, shift, zero, p.get("v_reset", zero) - shift)


def _leaky(node: FloatNode, p: Mapping[str, Floats], rest: Floats, rate: Rate, dt: float) -> Membrane:
    zero, one, (model, threshold, shift) = np.zeros(node.size), np.ones(node.size), _spiking(node, p)
    slow, start = rate(p["tau"]), p["v_leak"] - shift
    gain = slow * p["r"]
    return Membrane(node, model, one, slow, gain, slow * start + gain * rest, threshold, shift, zero, start)


def _cuba(node: FloatNode, p: Mapping[str, Floats], rest: Floats, rate: Rate, dt: float) -> Membrane:
    fast, slow, (model, threshold, shift) = rate(p["tau_syn"]), rate(p["tau_mem"]), _spiking(node, p)
    start, constant = p["v_leak"] - shift, slow * p["r"] * p["w_in"] * rest
    gain = fast * p["w_in"] * slow * p["r"]
    return Membrane(node, model, fast, slow, gain, slow * start + constant, threshold, shift, -constant, start)


def _threshold(node: FloatNode, p: Mapping[str, Floats], rest: Floats, rate: Rate, dt: float) -> Membrane:
    zero, one = np.zeros(node.size), np.ones(node.size)
    return Membrane(node, "threshold", one, one, one, zero, p["threshold"] - rest, zero, zero, zero)


def _readout(node: FloatNode, p: Mapping[str, Floats], rest: Floats, rate: Rate, dt: float) -> Membrane:
    """An output that linear nodes lead to: an integrator that forgets everything, and sends its voltage."""
    zero, one = np.zeros(node.size), np.ones(node.size)
    return Membrane(node, "li", one, one, one, rest.copy(), None, zero, zero, zero)


KINDS: Mapping[str, Callable[[FloatNode, Mapping[str, Floats], Floats, Rate, float], Membrane]] = {
    "i": _integrator,
    "if": _integrator,
    "li": _leaky,
    "lif": _leaky,
    "cubali": _cuba,
    "cubalif": _cuba,
    "threshold": _threshold,
    "output": _readout,
}
