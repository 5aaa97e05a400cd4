"""Softmax and products of two values: what attention is made of.

`softmax` along an axis of n numbers::

    y_j = exp(x_j - max_k x_k) / sum_k exp(x_k - max_k x_k)

On the chip a tree of the largest of four (`neurons/graded_max.py`), the exponential by a table of straight pieces
(`neurons/graded_curve.py`) of x - max, the reciprocal of the sum as the square of its reciprocal root, a product::

    e_j = round(2**u exp(x_j - max))                u <= 22, so that n of them fit 31 bits
    r   = 2**30 / sqrt(sum_j e_j)                   neurons/graded_root.py
    q   = r**2 >> (30 - u)                          = 2**(30 + u) / sum_j e_j
    y_j = requantised(e_j q)                        in units of 2**-(30 + u)

Errors: 1.3e-4 of e_j by the pieces, what is more than `SPAN` below the largest is 0, 5e-5 by the root.

`matmul`: ``y_ij = sum_k a_ik b_kj``, a neuron of two inputs a product (`neurons/graded_product.py`) and one a sum, as long
as the products are no more than the neurons of a chip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, STATE_MAX, Dyadic, Ints
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.population import Population
from neurodeploy.ir.tensors import Node
from neurodeploy.neurons.graded_max import PORTS
from neurodeploy.neurons.graded_root import RESULT_EXP
from neurodeploy.ops.host.kernels import EXP
from neurodeploy.ops.host.lowering import Signal, joined, requantise
from neurodeploy.ops.host.pieces import table_of_curve
from neurodeploy.ops.tensors.asking import Ask, FromValue, Value
from neurodeploy.ops.tensors.form import Tensor, TensorForm, array_of, host
from neurodeploy.synapses import Conv

#: Bits of an exponential at most; what of a softmax is so far below the largest is nothing; pieces of the table.
EXP_BITS, SPAN, PIECES = 22, 16.0, 1024
#: A constant that is added before a softmax reaches so far below the other scores.
MASKED = 40.0
#: Products of a matrix product at most: the neurons of a chip (128 cores of 8 192; facts of Loihi 2: docs/chips.md).
PRODUCTS_MAX = 1 << 20


def softmax(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The array "mask", where there is one, is added first. The setting "log" is what older bundles say for the form."""
    import torch

    call = torch.log_softmax if node.form == "log_softmax" or node.settings.get("log") else torch.softmax
    x = inputs[0] if "mask" not in node.arrays else inputs[0] + array_of(node, "mask", inputs[0])
    return call(x, dim=int(node.settings["axis"]) + 1)


def _falling(x: Tensor) -> Tensor:
    """The exponential up to 0, and 1 beyond."""
    return x.clamp(max=0.0).exp()


def _rows(node: Node) -> Ints | None:
    """The order in which the numbers of a row lie one after another; None where they do."""
    axis, last = int(node.settings["axis"]) % len(node.shape), len(node.shape) - 1
    if axis == last:
        return None
    moved = np.moveaxis(np.arange(node.size).reshape(node.shape), axis, -1).reshape(-1)
    order = np.empty_like(moved)
    order[moved] = np.arange(node.size)
    return order


def _scores(ask: Ask, order: Ints | None) -> Value:
    """What is compared: the value, with its constant mask where there is one."""
    node, (x,) = ask.node, ask.inputs
    if "mask" not in node.arrays:
        return ask.settled(x, order)
    reach = x.unit * x.largest
    mask = np.broadcast_to(np.maximum(node.arrays["mask"].astype(np.float64), -2 * reach - MASKED), node.shape)
    added, most = np.empty(x.size), reach + float(np.abs(mask).max())
    added[np.arange(x.size) if order is None else order] = mask.reshape(-1)
    log = max(math.ceil(math.log2(most / STATE_MAX)), x.signal.unit.scale.exponent)
    return ask.settled(x, order, Unit(Dyadic(1, log), STATE_BITS), base=-added)


def _largest(ask: Ask, x: Value, rows: int) -> Signal:
    """The largest of each row, by nodes of up to four."""
    signal, count = x.signal, x.size // rows
    while count > 1:
        nodes = -(-count // len(PORTS))
        first = np.arange(rows)[:, None] * count + np.arange(nodes) * len(PORTS)
        there = np.minimum(count - np.arange(nodes) * len(PORTS), len(PORTS))
        inputs = np.tile(there, rows)
        population = Population(ask.name(f"largest_of_{count}"), (rows * nodes,), *ask.maximum(x, inputs))
        projections = []
        for n, port in enumerate(PORTS[: int(there.max())]):
            own = np.flatnonzero(inputs > n)
            projections.append(signal.onto(population, port, own, first.reshape(-1)[own] + n))
        ask.made(population, projections, x)
        signal, count = Signal(population, 0, population.size, x.signal.unit), nodes
    return signal


def lower_softmax(ask: Ask) -> Value | None:
    """None in units beyond a table."""
    node, order = ask.node, _rows(ask.node)
    x = _scores(ask, order)
    size, rows = x.size, x.size // node.shape[int(node.settings["axis"])]
    bits = min(EXP_BITS, 30 - max(0, (size // rows - 1).bit_length()))
    table = table_of_curve(_falling, x.signal, 2.0**-bits, PIECES, SPAN)
    unit = Unit(Dyadic(1, -bits), STATE_BITS)
    kept = requantise(np.full(size, unit.scale.value), unit.steps(size), STATE_BITS)
    shares = requantise(np.full(size, 2.0 ** -(RESULT_EXP + bits)), ask.unit.steps(size), ask.unit.bits)
    if table is None or kept is None or shares is None or bits < EXP_BITS // 2:
        return None
    largest = _largest(ask, x, rows)
    e = Population(ask.name("exp"), (size,), "graded_curve", {**table, **kept})
    root = Population(ask.name("root"), (rows,), "graded_root", {})
    inverse = Population(ask.name("inverse"), (rows,), "graded_square", {"shift": RESULT_EXP - bits})
    out = Population(ask.name(), (size,), "graded_product", shares)
    places, less = np.arange(size), np.full(size, -1, np.int8)
    ask.made(e, [x.signal.into(e), largest.onto(e, "a", places, places // (size // rows), less)], x)
    ask.made(root, [joined(e, root, rows)], x)
    ask.made(inverse, [Signal(root, 0, rows, unit).into(inverse)], x)
    inputs = [Signal(e, 0, size, unit).into(out, "a"), joined(inverse, out, rows, "b")]
    return ask.made(out, inputs, Value(Signal(out, 0, size, ask.unit), node.shape, order))


def matmul(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0] @ inputs[1]


def lower_matmul(ask: Ask) -> Value | None:
    """None for vectors, and for more products than a chip has neurons."""
    node, (a, b) = ask.node, ask.inputs
    if min(len(a.shape), len(b.shape)) < 2 or node.size * a.shape[-1] > PRODUCTS_MAX:
        return None
    inner, batch = a.shape[-1], np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    at = np.broadcast_to(a.places.reshape(a.shape), (*batch, *a.shape[-2:]))[..., :, None, :]
    bt = np.broadcast_to(b.places.reshape(b.shape), (*batch, *b.shape[-2:])).swapaxes(-1, -2)[..., None, :, :]
    full = (*batch, a.shape[-2], b.shape[-1], inner)
    count, reach = math.prod(full), a.unit * a.largest * b.unit * b.largest
    unit = Unit(Dyadic(1, math.ceil(math.log2(reach / STATE_MAX))), STATE_BITS)
    params = requantise(np.full(count, a.unit * b.unit), unit.steps(count), unit.bits)
    if params is None:
        return None
    products = Population(ask.name("products"), (count // inner, 1, inner), "graded_product", params)
    places = np.arange(count)
    inputs = [
        value.signal.onto(products, port, places, np.broadcast_to(where, full).reshape(-1))
        for value, port, where in ((a, "a", at), (b, "b", bt))
    ]
    made = ask.made(products, inputs, Value(Signal(products, 0, count, unit), (count // inner, inner)))
    ones = Conv(np.ones((1, 1, 1, inner), np.int8), (count // inner, 1, inner))
    return ask.scaled([FromValue(made, ones)], node.shape, np.full(node.size, unit.scale.value), None, order=None)


FORMS = {
    "softmax": TensorForm(
        softmax, host("softmax", "a softmax in units beyond a table"), lower_softmax, flops=EXP + 2,
        part="all", by_reader=True,
    ),
    "log_softmax": TensorForm(
        softmax, host("softmax", "the logarithm of a sum that changes"), flops=EXP + 2, by_reader=True
    ),
    "matmul": TensorForm(
        matmul, host("product-of-two-values", f"a matrix product of two values with more than {PRODUCTS_MAX} products: "
                     "the chip's synapses are static, and a neuron a product is more than a chip has"),
        lower_matmul, part="all",
    ),
}  # fmt: skip
