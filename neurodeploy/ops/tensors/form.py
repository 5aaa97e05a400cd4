"""The type of the table of forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.tensors import Node, Shape
from neurodeploy.ops.host.operation import Tensor as Tensor
from neurodeploy.ops.tensors.asking import Ask, Value


@dataclass(frozen=True, slots=True, eq=False)
class TensorForm:
    """An operation on tensors.

    run : (node, values (samples, *shape)) -> value, in float on any torch device.
    lower : its populations; None where these numbers cannot be on the chip. None of a form: always on the host.
    reason : why it is on the host, where it is.
    bends : whether its population takes the activation behind it.
    sums : whether its populations take changes of what they read in place of values, and add them up.
    flops : of one number that it makes, on the host.
    part : what of a network is on the chip at least where it is (`conversion.presets.ON_CHIP`).
    group : how many numbers of what it reads, one after another, share a norm, where it is one; about_mean: less their mean.
    by_reader : whether whoever reads the outputs computes it better than the chip, where nothing follows it.
    """

    run: Callable[[Node, Sequence[Tensor]], Tensor]
    reason: Reason
    lower: Callable[[Ask], Value | None] | None = None
    bends: bool = False
    sums: bool = False
    flops: int = 1
    part: str = "projections"
    group: Callable[[Node, Shape], int] | None = None
    about_mean: bool = False
    by_reader: bool = False


def host(name: str, text: str, remedy: str = "") -> Reason:
    """Of a form that has no populations."""
    return Reason(
        name, text, remedy or "leave it out of the module, or let the host compute it: the crossing is charged"
    )


def array_of(node: Node, name: str, x: Tensor) -> Any:
    """An array of a node where a value is; None where it has none."""
    import torch

    return torch.as_tensor(node.arrays[name], device=x.device) if name in node.arrays else None
