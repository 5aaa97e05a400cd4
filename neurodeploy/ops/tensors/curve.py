"""Activations: straight lines (`rectify`), curves of one value, and its square root.

`rectify`: ``y = min(max(x where x >= 0 else slope * x, low), high)``: ReLU, ReLU6, clip, leaky ReLU, PReLU, magnitude; on
the chip the neuron that makes the value does it, or one of its own. `curve`: one of `CURVES`, by a table of straight pieces
(`host/pieces.py`, `neurons/graded_curve.py`). `sqrt`: ``sqrt(u x) = sqrt(u) 2**-30 x r`` with r the reciprocal root of the
payload x (`neurons/graded_root.py`): two populations. A table would be steepest where most values are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from neurodeploy.ir.population import Population
from neurodeploy.ir.tensors import Node
from neurodeploy.neurons.graded_root import RESULT_EXP
from neurodeploy.ops.host.curves import on_torch
from neurodeploy.ops.host.lowering import Signal, requantise
from neurodeploy.ops.host.pieces import table_of_curve, unit_of
from neurodeploy.ops.tensors.arithmetic import layout_of, wires
from neurodeploy.ops.tensors.asking import Ask, Bend, FromValue, Value
from neurodeploy.ops.tensors.form import Tensor, TensorForm, host


def _functional(name: str) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        from torch.nn import functional

        found: Tensor = getattr(functional, name)(x)
        return found

    return run


#: Curves by name. Before the first and behind the last piece of a table each goes on in a line with a slope of 0 or 1.
CURVES: Mapping[str, Callable[[Tensor], Tensor]] = {
    **{act: partial(on_torch, act=act) for act in ("sigmoid", "silu", "gelu_tanh")},
    "tanh": lambda x: x.tanh(),
    "gelu": _functional("gelu"),
    "hard_swish": _functional("hardswish"),
    "hard_sigmoid": _functional("hardsigmoid"),
    "softplus": _functional("softplus"),
    "elu": _functional("elu"),
    "mish": _functional("mish"),
    "softsign": _functional("softsign"),
    "erf": lambda x: x.erf(),
}
#: Those that are far from such a line for long.
SLOW = ("softsign",)


#: Pieces of a table: what is fed back, as the gates of a recurrent layer are, adds up the errors of its steps.
PIECES = 1024


def bend_of(node: Node) -> Bend:
    slope = (
        node.arrays["slope"].astype(np.float64) if "slope" in node.arrays else float(node.settings.get("slope", 1.0))
    )
    low, high = (float(node.settings.get(name, end)) for name, end in (("low", -math.inf), ("high", math.inf)))
    return Bend(low, high, slope)


def rectify(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    import torch

    x, bend = inputs[0], bend_of(node)
    slope = torch.as_tensor(bend.slope, dtype=x.dtype, device=x.device)
    slope = slope.reshape(-1, *[1] * (len(node.shape) - 1)) if slope.ndim else slope
    return torch.where(x >= 0, x, x * slope).clamp(bend.low, bend.high)


def lower_rectify(ask: Ask) -> Value | None:
    """None for limits that leave 0 out: a neuron that sends nothing sends 0."""
    (x,) = ask.inputs
    if ask.bend is None or not ask.bend.low <= 0 <= ask.bend.high:
        return None
    order = x.order if x.whole else None
    scale = np.full(x.size, x.unit)
    return ask.scaled(
        [FromValue(x, wires(x, order))], ask.node.shape, scale, None, order=order, layout=layout_of([x], order)
    )


def curve(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return CURVES[node.settings["act"]](inputs[0])


def lower_curve(ask: Ask) -> Value | None:
    """None where units are beyond a table or a multiplier, and for a curve that is no line beyond its table, where values
    go there."""
    (x,) = ask.inputs
    order = x.order if x.whole else None
    x = ask.settled(x, order)
    signal = x.signal
    table = table_of_curve(CURVES[ask.node.settings["act"]], signal, unit_of(signal), PIECES)
    params = requantise(np.full(x.size, unit_of(signal)), ask.unit.steps(x.size), ask.unit.bits)
    if table is None or params is None:
        return None
    if ask.node.settings["act"] in SLOW and signal.largest >> int(table["width"]) >= PIECES // 2:  # type: ignore[arg-type]
        return None
    population = Population(ask.name(), signal.population.shape, "graded_curve", {**table, **params})
    made = Value(Signal(population, 0, x.size, ask.unit), ask.node.shape, order)
    return ask.made(population, [signal.into(population)], made)


def square_root(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0].sqrt()


def lower_square_root(ask: Ask) -> Value | None:
    (x,) = ask.inputs
    order = x.order if x.whole else None
    x = ask.settled(x, order)
    shape = x.signal.population.shape
    params = requantise(np.full(x.size, math.sqrt(x.unit) * 2.0**-RESULT_EXP), ask.unit.steps(x.size), ask.unit.bits)
    if params is None:
        return None
    root = Population(ask.name("root"), shape, "graded_root", {})
    population = Population(ask.name(), shape, "graded_product", params)
    ask.made(root, [x.signal.into(root)], x)
    made = Value(Signal(population, 0, x.size, ask.unit), ask.node.shape, order)
    reciprocal = Signal(root, 0, x.size, x.signal.unit)
    return ask.made(population, [x.signal.into(population, "a"), reciprocal.into(population, "b")], made)


FORMS = {
    "rectify": TensorForm(
        rectify, host("activation", "an activation beyond the factors of a neuron"), lower_rectify, sums=True
    ),
    "curve": TensorForm(curve, host("curved-function", "a curve in units beyond a table"), lower_curve, flops=16),
    "sqrt": TensorForm(square_root, host("curved-function", "a root beyond the shifts of a neuron"), lower_square_root),
}
