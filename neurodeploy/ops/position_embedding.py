"""Positions that were learnt as a table: ``y = x + weight[position]``, weight (positions, d).

A text that is longer than the table is ND3006.
"""

from __future__ import annotations

from neurodeploy.errors import UserError
from neurodeploy.ir.mapping import Reason
from neurodeploy.ops import add
from neurodeploy.ops.host.kernels import elementwise
from neurodeploy.ops.host.operation import Call, Operation, Tensor


def learnt(call: Call) -> Tensor:
    """(T, d) rows of the call's positions."""
    import torch

    x, name, first = call.inputs[0], call.op.weights["weight"], call.state.position
    known, stop = call.tensors.store.shape(name)[0], first + x.shape[0]
    if stop > known:
        problem = f"a text of {stop} tokens exceeds the {known} positions that the model has learnt"
        raise UserError("ND3006", "tokens", problem, f"give at most {known} tokens")
    return call.tensors.rows(name, torch.arange(first, stop, device=x.device))


def on_cpu(call: Call) -> Tensor:
    return elementwise(add.add, 1, call.inputs[0], learnt(call))


def on_torch(call: Call) -> Tensor:
    return call.inputs[0] + learnt(call)


OPERATION = Operation(
    on_cpu, on_torch, add.work,
    Reason(
        "position-lookup",
        "one row of a table is read by the number of the token in the text: no sum over synapses",
        "a one-hot event into positions x hidden synapses would do it at the price of the table's memory in cores",
    ),
    tensors={"weight": ("max_positions", "size")},
)  # fmt: skip
