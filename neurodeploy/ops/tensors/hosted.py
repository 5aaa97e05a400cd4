"""Forms that the host computes in float, with torch; of reductions sums and means are on the chip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.tensors import Node
from neurodeploy.ops.host.kernels import EXP
from neurodeploy.ops.tensors.asking import Ask, FromValue, Value
from neurodeploy.ops.tensors.form import Tensor, TensorForm, array_of, host
from neurodeploy.synapses.build import sparse_from_coo


def embedding(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    table: Tensor = array_of(node, "weight", inputs[0])
    return functional.embedding(inputs[0].long(), table)


def reduce(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    axes = tuple(int(n) + 1 for n in node.settings["axes"])
    found: Tensor = getattr(inputs[0], node.settings["by"])(dim=axes if node.settings["by"] != "argmax" else axes[0])
    return found.reshape(len(found), *node.shape).to(inputs[0].dtype)


def lower_sum(ask: Ask) -> Value:
    """Weights of 1."""
    node, (x,) = ask.node, ask.inputs
    if np.unique(x.places).size < x.size:
        x = ask.settled(x, None)
    axes = tuple(int(n) for n in node.settings["axes"])
    sides = tuple(1 if n in axes else side for n, side in enumerate(x.shape))
    rows = np.broadcast_to(np.arange(node.size).reshape(sides), x.shape).reshape(-1)
    count = x.size // node.size if node.settings["by"] == "mean" else 1
    synapse = sparse_from_coo(node.size, x.signal.size, rows, x.places, np.ones(x.size, np.int8))
    scale = np.full(node.size, x.unit / count)
    return ask.scaled([FromValue(x, synapse)], node.shape, scale, None, order=None)


def plain(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """A function of one value by its name in torch."""
    found: Tensor = getattr(inputs[0], node.settings["by"])()
    return found


def power(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0] ** float(node.settings["exponent"])


def divide(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0] / inputs[1]


FORMS = {
    "embedding": TensorForm(embedding, host("table", "rows of a table by their number: memory, no synapses"), flops=0),
    "sum": TensorForm(reduce, host("reduction", "a sum or a mean"), lower_sum, bends=True, sums=True),
    "reduce": TensorForm(reduce, host("reduction", "a reduction that is neither a sum nor a mean")),
    "plain": TensorForm(plain, host("curved-function", "a function of one value without a table on the chip"), flops=EXP),
    "power": TensorForm(power, host("curved-function", "a power of a value"), flops=EXP),
    "divide": TensorForm(divide, host("division", "a division by a value that changes")),
}  # fmt: skip
