"""The type of the table of forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.tensors import Node
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
    """

    run: Callable[[Node, Sequence[Tensor]], Tensor]
    reason: Reason
    lower: Callable[[Ask], Value | None] | None = None
    bends: bool = False
    sums: bool = False
    flops: int = 1


def host(name: str, text: str, remedy: str = "") -> Reason:
    """Of a form that has no populations."""
    return Reason(
        name, text, remedy or "leave it out of the module, or let the host compute it: the crossing is charged"
    )
