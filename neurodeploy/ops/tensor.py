"""An operation on tensors that the host computes with torch, a form of `ops.tensors`: attribute "form", its settings
and shapes as JSON. A value is (ticks, numbers), each tick a sample of its own, so that bits do not depend on how many
share a call.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.tensors import Node, Shape
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work
from neurodeploy.ops.tensors import FORMS


def operation_of(
    node: Node, inputs: Sequence[str], shapes: Sequence[Shape]
) -> tuple[HostOp, dict[str, NDArray[np.float32]]]:
    """The host operation of a node, and its arrays by the names under which the host keeps them."""
    arrays = {role: list(array.shape) for role, array in node.arrays.items()}
    said = {"settings": dict(node.settings), "in": [list(s) for s in shapes], "out": list(node.shape), "arrays": arrays}
    told = json.dumps(said)
    names = {role: f"{node.name}.{role}" for role in node.arrays}
    kept = {names[role]: np.ascontiguousarray(array, np.float32) for role, array in node.arrays.items()}
    attrs = {"form": node.form, "told": told}
    return HostOp(node.name, "tensor", tuple(inputs), (node.name,), attrs, names), kept


def on_torch(call: Call) -> Tensor:
    """Sample by sample."""
    import torch

    told = json.loads(str(call.attrs["told"]))
    arrays: dict[str, Any] = {}
    for role in call.op.weights:
        array = call.weight(role).cpu().numpy()
        arrays[role] = array.astype(np.int64) if role == "index" else array
    node = Node(call.op.path, str(call.attrs["form"]), call.op.inputs, tuple(told["out"]), told["settings"], arrays)
    rows = call.inputs[0].shape[0]
    if not rows:
        return call.inputs[0].new_empty((0, node.size))
    with torch.no_grad():
        found = [
            FORMS[node.form]
            .run(node, [x[n : n + 1].reshape(1, *s) for x, s in zip(call.inputs, told["in"], strict=True)])
            .reshape(1, -1)
            for n in range(rows)
        ]
    return torch.cat(found).float()


def work(load: Load) -> Work:
    """The flops of its form for each number that it makes; of a matrix product ``2 k``."""
    told = json.loads(str(load.attrs["told"]))
    flops = FORMS[str(load.attrs["form"])].flops
    if load.attrs["form"] == "matmul":
        flops = 2 * int(told["in"][0][-1])
    read = sum(math.prod(shape) for shape in told["in"])
    return Work(load.values * flops, FLOAT * (load.values + load.tokens * read))


def _told(value: object) -> bool:
    try:
        found = json.loads(str(value))
    except ValueError:
        return False
    return isinstance(found, dict) and found.keys() == {"settings", "in", "out", "arrays"}


OPERATION = Operation(
    on_torch, on_torch, work,
    Reason(
        "tensor-operation",
        "{form}: an operation on tensors without populations of its own",
        "`explain` names the line; leave it out of the module, or let the host compute it",
    ),
    attrs={"form": lambda name: name in FORMS, "told": _told}, fits=lambda attrs, inputs, outputs: True,
    told=lambda attrs: {role: tuple(shape) for role, shape in json.loads(str(attrs["told"]))["arrays"].items()},
)  # fmt: skip
