"""Sums, differences and products, of two values or of a value and constants.

`add`: ``y = a + b`` or, with the setting "sign" -1, ``a - b``. `affine`: ``y = scale * x + shift`` with arrays of any
shape that broadcasts. `mul`: ``y = a * b`` of two values, on the chip one neuron of two inputs a number
(`neurons/graded_product.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic, Ints
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.population import Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.ir.tensors import Node
from neurodeploy.ops.host.lowering import Signal, requantise
from neurodeploy.ops.tensors.asking import BIAS_BITS, Ask, FromValue, Value, placed
from neurodeploy.ops.tensors.form import Tensor, TensorForm, host
from neurodeploy.synapses import Direct
from neurodeploy.synapses.build import sparse_from_coo


def common_order(values: Sequence[Value]) -> Ints | None:
    """The order of the first value that lies on a whole population."""
    return next((value.order for value in values if value.whole), None)


def wires(value: Value, order: Ints | None, weight: int = 1) -> Synapse:
    """Each number to the neuron that has its place in `order`."""
    if weight == 1 and value.lies(order):
        return Direct(value.size)
    rows = placed(order, value.size)
    return sparse_from_coo(value.size, value.signal.size, rows, value.places, np.full(value.size, weight, np.int8))


def add(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    a, b = inputs
    return a - b if node.settings.get("sign", 1) < 0 else a + b


def lower_add(ask: Ask) -> Value:
    """A weight is a power of two up to the width of weights; a value whose unit is finer than that reaches comes in a
    coarser one, whose last bit is below that of the other."""
    order = common_order(ask.inputs)
    most = max(ask.inputs, key=lambda value: value.unit).signal.unit
    least = Unit(Dyadic(1, most.scale.exponent - (min(ask.weight_bits, 8) - 2)), STATE_BITS)
    inputs = [ask.settled(v, order, least) if v.unit < least.scale.value else v for v in ask.inputs]
    logs = [value.signal.unit.scale.exponent for value in inputs]
    signs = (1, int(ask.node.settings.get("sign", 1)))
    sources = [
        FromValue(value, wires(value, order, sign << (log - min(logs))))
        for value, log, sign in zip(inputs, logs, signs, strict=True)
    ]
    scale = np.full(ask.node.size, 2.0 ** min(logs))
    return ask.scaled(sources, ask.node.shape, scale, None, order=order, layout=layout_of(inputs, order))


def layout_of(values: Sequence[Value], order: Ints | None) -> tuple[int, ...] | None:
    """The shape of the population whose order this is."""
    return next((v.signal.population.shape for v in values if v.whole and v.order is order), None)


def affine(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    import torch

    x = inputs[0]
    scale, shift = (torch.as_tensor(node.arrays[name], device=x.device) for name in ("scale", "shift"))
    return x * scale + shift


def lower_affine(ask: Ask) -> Value:
    """A factor of 0 leaves the constant alone: no synapse leads there."""
    (x,), node = ask.inputs, ask.node
    order = x.order if x.whole else None
    places = placed(order, x.size)
    scale, shift = (
        np.broadcast_to(np.asarray(node.arrays[name], np.float64), node.shape).reshape(-1)
        for name in ("scale", "shift")
    )
    worth = np.abs(scale) * x.unit
    least = np.abs(shift) * 2.0 ** -(x.signal.unit.bits + BIAS_BITS)
    real = worth > np.maximum(ask.unit.scale.value * 2.0**-30, least)
    # where some constants dwarf their factors all sums are shifted: the others come with a larger weight
    weight, largest = np.ones(x.size, np.int8), min(ask.weight_bits, 8) - 2
    if (worth[real] < np.abs(shift[real]) * 2.0 ** (1 - STATE_BITS)).any():
        weight[worth * 2.0**-largest > least] = 1 << largest
    factor, bias = np.empty(x.size), np.empty(x.size)
    factor[places] = np.where(real, scale * x.unit / weight, ask.unit.scale.value)
    bias[places] = shift
    synapse = wires(x, order)
    if not real.all() or (weight > 1).any():
        kept = np.flatnonzero(real)
        synapse = sparse_from_coo(x.size, x.signal.size, places[kept], x.places[kept], weight[kept])
    return ask.scaled(
        [FromValue(x, synapse)], node.shape, factor, bias if shift.any() else None, order=order,
        layout=layout_of(ask.inputs, order),
    )  # fmt: skip


def mul(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0] * inputs[1]


def lower_mul(ask: Ask) -> Value | None:
    order = common_order(ask.inputs)
    a, b = (ask.settled(value, order) for value in ask.inputs)
    size, shape = ask.node.size, layout_of((a, b), order) or (ask.node.size,)
    params = requantise(np.full(size, a.unit * b.unit), ask.unit.steps(size), ask.unit.bits)
    if params is None:
        return None
    population = Population(ask.name(), shape, "graded_product", params)
    inputs = [a.signal.into(population, "a"), b.signal.into(population, "b")]
    return ask.made(population, inputs, Value(Signal(population, 0, size, ask.unit), ask.node.shape, order))


_HOST = host("beyond-units", "two values whose units are further apart than the weights of a neuron")
FORMS = {
    "add": TensorForm(add, _HOST, lower_add, bends=True, sums=True),
    "affine": TensorForm(affine, _HOST, lower_affine, bends=True, sums=True, flops=2),
    "mul": TensorForm(mul, host("beyond-units", "a product beyond the shifts of a neuron"), lower_mul),
}
