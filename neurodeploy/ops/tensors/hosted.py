"""Forms that the host computes in float, with torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurodeploy.ir.tensors import Node
from neurodeploy.ops.host.kernels import EXP
from neurodeploy.ops.tensors.form import Tensor, TensorForm, host


def _array(node: Node, name: str, x: Tensor) -> Any:
    import torch

    return torch.as_tensor(node.arrays[name], device=x.device) if name in node.arrays else None


def softmax(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The array "mask", where there is one, is added first."""
    import torch

    call = torch.log_softmax if node.settings.get("log") else torch.softmax
    x = inputs[0] if "mask" not in node.arrays else inputs[0] + _array(node, "mask", inputs[0])
    return call(x, dim=int(node.settings["axis"]) + 1)


def matmul(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0] @ inputs[1]


def layer_norm(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    (x,), axes = inputs, tuple(node.settings["axes"])
    given = _array(node, "weight", x), _array(node, "bias", x)
    return functional.layer_norm(x, axes, *given, eps=float(node.settings["eps"]))


def group_norm(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    (x,) = inputs
    given = _array(node, "weight", x), _array(node, "bias", x)
    return functional.group_norm(x, int(node.settings["groups"]), *given, eps=float(node.settings["eps"]))


def rms_norm(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    (x,) = inputs
    return functional.rms_norm(x, tuple(node.settings["axes"]), _array(node, "weight", x), float(node.settings["eps"]))


def embedding(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    table: Tensor = _array(node, "weight", inputs[0])
    return functional.embedding(inputs[0].long(), table)


def reduce(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    axes = tuple(int(n) + 1 for n in node.settings["axes"])
    found: Tensor = getattr(inputs[0], node.settings["by"])(dim=axes if node.settings["by"] != "argmax" else axes[0])
    return found.reshape(len(found), *node.shape).to(inputs[0].dtype)


def plain(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """A function of one value by its name in torch."""
    found: Tensor = getattr(inputs[0], node.settings["by"])()
    return found


def power(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0] ** float(node.settings["exponent"])


def divide(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0] / inputs[1]


_PRODUCT = host("product-of-two-values", "a matrix product of two values: the chip's synapses are static")
FORMS = {
    "softmax": TensorForm(softmax, host("softmax", "its sum over all numbers is a division by a value"), flops=EXP + 2),
    "matmul": TensorForm(matmul, _PRODUCT),
    "layer_norm": TensorForm(layer_norm, host("norm", "a norm over a value: its mean and its power come first"), flops=8),
    "group_norm": TensorForm(group_norm, host("norm", "a norm over groups of channels: mean and power come first"), flops=8),
    "rms_norm": TensorForm(rms_norm, host("norm", "a norm over a value: its power comes first"), flops=4),
    "embedding": TensorForm(embedding, host("table", "rows of a table by their number: memory, no synapses"), flops=0),
    "reduce": TensorForm(reduce, host("reduction", "a reduction over an axis that is no side of a map")),
    "plain": TensorForm(plain, host("curved-function", "a function of one value without a table on the chip"), flops=EXP),
    "power": TensorForm(power, host("curved-function", "a power of a value"), flops=EXP),
    "divide": TensorForm(divide, host("division", "a division by a value that changes")),
}  # fmt: skip
