"""Norms of a tensor: over its last axes (layer norm, root mean square norm) or over groups of channels (group norm).

::

    y = (x - m) / sqrt(mean((x - m)**2) + eps) * weight + bias          m: the mean of the group; 0 of a root mean square

Numbers of a group lie one after another in C order, so all three are the norm of `ops/host/norms.py`: three populations, and
two more where there is a mean. Layer norm: Ba et al., arXiv 1607.06450; group norm: Wu and He, arXiv 1803.08494; root mean
square norm: Zhang and Sennrich, arXiv 1910.07467.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.payloads import Floats
from neurodeploy.ir.tensors import Node, Shape
from neurodeploy.ops.host.lowering import HEADROOM, Lowered, Made
from neurodeploy.ops.host.norms import Norm, centred, log_unit, normalised
from neurodeploy.ops.tensors.asking import Ask, Value
from neurodeploy.ops.tensors.form import Tensor, TensorForm, array_of, host


def layer_norm(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    (x,), axes = inputs, tuple(node.settings["axes"])
    given = array_of(node, "weight", x), array_of(node, "bias", x)
    return functional.layer_norm(x, axes, *given, eps=float(node.settings["eps"]))


def group_norm(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    (x,) = inputs
    given = array_of(node, "weight", x), array_of(node, "bias", x)
    return functional.group_norm(x, int(node.settings["groups"]), *given, eps=float(node.settings["eps"]))


def rms_norm(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    (x,), axes = inputs, tuple(node.settings["axes"])
    return functional.rms_norm(x, axes, array_of(node, "weight", x), float(node.settings["eps"]))


def group_size(node: Node, shape: Shape) -> int:
    """Numbers of a group."""
    if node.form == "group_norm":
        return math.prod(shape) // int(node.settings["groups"])
    return math.prod(int(n) for n in node.settings["axes"])


def _by_number(node: Node, role: str, otherwise: float) -> Floats:
    """(size,) an array of the node for each number: of the last axes, of a group norm by channel."""
    given = np.asarray(node.arrays.get(role, np.full(1, otherwise)), np.float64)
    if node.form == "group_norm" and given.size > 1:
        given = given.reshape(-1, *[1] * (len(node.shape) - 1))
    return np.broadcast_to(given, node.shape).reshape(-1)


def lower(ask: Ask) -> Value | None:
    """None where units are beyond what exponents and shifts can do."""
    node, x, seen = ask.node, ask.settled(ask.inputs[0], None), ask.grouped
    if seen is None:
        return None
    group = group_size(node, x.shape)
    norm = Norm(ask.name(), None, group, float(node.settings["eps"]), seen.power)
    signal, before = x.signal, Lowered([], [], [])
    if node.form != "rms_norm":
        wide = log_unit(np.full(x.size, seen.peak * HEADROOM))
        less = centred(norm, signal, max(seen.mean * HEADROOM, x.unit), wide)
        if less is None:
            return None
        before, signal = less, less.outputs[0]
    gain, bias = (_by_number(node, role, otherwise) for role, otherwise in (("weight", 1.0), ("bias", 0.0)))
    made = normalised(norm, signal, Made(ask.name(), ask.unit), gain, bias if bias.any() else None)
    if made is None:
        return None
    populations, projections = [*before.populations, *made.populations], [*before.projections, *made.projections]
    for population in populations[:-1]:
        ask.made(population, [], x)
    return ask.made(populations[-1], projections, Value(made.outputs[0], node.shape))


_HOST = host("norm", "a norm in units beyond the shifts of a neuron")
FORMS = {
    "layer_norm": TensorForm(layer_norm, _HOST, lower, flops=8, part="block", group=group_size, about_mean=True),
    "group_norm": TensorForm(group_norm, _HOST, lower, flops=8, part="block", group=group_size, about_mean=True),
    "rms_norm": TensorForm(rms_norm, _HOST, lower, flops=4, part="block", group=group_size),
}
