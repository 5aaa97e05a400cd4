"""Rows of a table by token: tokens (T,) -> ``y[T, d] = weight[token] * scale``, weight (vocabulary, d).

A gather and one product by a number that float32 holds: torch's are batch invariant.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.operation import FLOAT, IDS, TOKENS, Call, Load, Operation, Tensor, Work


def run(call: Call) -> Tensor:
    rows, scale = call.tensors.rows(call.op.weights["weight"], call.inputs[0]), call.attrs["scale"]
    return rows if scale == 1.0 else rows * float(np.float32(scale))


def work(load: Load) -> Work:
    return Work(0 if load.attrs["scale"] == 1.0 else load.values, 2 * FLOAT * load.values)


OPERATION = Operation(
    run, run, work,
    Reason(
        "row-lookup",
        "one row of a table is read by token id: no sum over synapses, and the table would fill cores that idle",
        "a one-hot event into vocabulary x hidden synapses would do it at the price of the table's memory in cores",
    ),
    attrs={"scale": checks.number}, fits=lambda attrs, inputs, outputs: len(inputs) == len(outputs) == 1,
    rows=lambda path, inputs, outputs: ([IDS], [TOKENS]), tensors={"weight": ("vocab_size", "size")},
)  # fmt: skip
