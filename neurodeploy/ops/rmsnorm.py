"""Root mean square norm over each group of `group` neurons (Zhang and Sennrich 2019, arXiv 1910.07467).

::

    y = x * rsqrt(mean(x^2) + eps) * weight

weight (group,) or none; it is the whole factor: where a family stores w and means 1 + w, the frontend adds the 1.
Work: 3 flops a neuron, 4 with weight, and 3 a group. On the chip: `host/norms.py`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.kernels import F, by_groups, fold_sum
from neurodeploy.ops.host.lowering import Lowered, ToLower
from neurodeploy.ops.host.norms import Norm, normalised
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work

#: Work of one neuron in units of a multiply-add, for `threads.split`.
WORK_NORM = 12


@jit
def _kernel(part, parts, x, weight, eps, out):  # type: ignore[no-untyped-def]
    """``out = x / sqrt(mean(x^2) + eps) * weight`` by row of x (rows, group); weight (group,), or (0,) for none."""
    rows, group = x.shape
    buffer = np.empty(group + 1, np.float32)
    squares = np.empty(group, np.float32)
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        source, target = x[row], out[row]
        for i in range(group):
            squares[i] = source[i] * source[i]
        factor = F(1.0) / np.sqrt(fold_sum(squares, buffer) / F(group) + F(eps))
        if weight.size:
            for i in range(group):
                target[i] = source[i] * factor * weight[i]
        else:
            for i in range(group):
                target[i] = source[i] * factor


def on_cpu(call: Call) -> Tensor:
    weight = call.weight("weight").numpy() if call.op.weights else np.empty(0, np.float32)
    return by_groups(_kernel, WORK_NORM, call.inputs[0], call.attrs["group"], weight, call.attrs["eps"])


def on_torch(call: Call) -> Tensor:
    x, group = call.inputs[0], call.attrs["group"]
    rows = x.reshape(x.numel() // group, group)
    out: Tensor = rows * (rows.square().mean(-1, keepdim=True) + call.attrs["eps"]).rsqrt()
    if call.op.weights:
        out = out * call.weight("weight")
    return out.view(x.shape)


def work(load: Load) -> Work:
    n, group, weighted = load.values, load.attrs["group"], bool(load.op.weights)
    return Work(n * (3 + weighted) + 3 * n // group, FLOAT * (2 * n + weighted * group))


def lower(asked: ToLower) -> Lowered | None:
    """Squares, their root, products."""
    op, (x,), (wanted,) = asked.op, asked.inputs, asked.wanted
    gain = np.ones(int(str(op.attrs["group"])))
    if op.weights:
        gain = asked.weights.get(op.weights["weight"]).astype(np.float64)
    return normalised(Norm.asked(asked), x, wanted, np.tile(gain, x.size // gain.size))


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "needs-reciprocal-root",
        "a mean of squares over {group} neurons and a reciprocal square root, which are in float on the host",
        ON_CHIP.format("squares, their root, products: three populations"),
    ),
    attrs={"eps": checks.positive, "group": checks.natural}, fits=checks.in_groups,
    tensors={"weight": ("group",)}, bare=True, lowering=lower,
)  # fmt: skip
