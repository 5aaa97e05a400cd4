"""Layer norm over each group of `group` neurons (Ba, Kiros and Hinton 2016, arXiv 1607.06450).

::

    y = (x - m) * rsqrt(mean((x - m)^2) + eps) * weight + bias,      m = mean(x)

weight, bias (group,). Work: 7 flops a neuron and 4 a group.

On the chip: `host/norms.py`, five steps; units hold `HEADROOM` times what calibration saw.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.ir.mapping import Reason
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.kernels import F, by_groups, fold_sum
from neurodeploy.ops.host.lowering import HEADROOM, Lowered, ToLower, Unit
from neurodeploy.ops.host.norms import Norm, centred, log_unit, normalised
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work

#: Work of one neuron in units of a multiply-add, for `threads.split`.
WORK_NORM = 12
#: A value that calibration hardly saw is in units of at least so much of those of the largest mean.
FAINT = 2.0**-16


@jit
def _kernel(part, parts, x, weight, bias, eps, out):  # type: ignore[no-untyped-def]
    """``out = (x - m) / sqrt(mean((x - m)^2) + eps) * weight + bias``, m = mean(x), by row of x (rows, group)."""
    rows, group = x.shape
    buffer = np.empty(group + 1, np.float32)
    squares = np.empty(group, np.float32)
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        source, target = x[row], out[row]
        mean = fold_sum(source, buffer) / F(group)
        for i in range(group):
            target[i] = source[i] - mean
            squares[i] = target[i] * target[i]
        factor = F(1.0) / np.sqrt(fold_sum(squares, buffer) / F(group) + F(eps))
        for i in range(group):
            target[i] = target[i] * factor * weight[i] + bias[i]


def on_cpu(call: Call) -> Tensor:
    given = call.weight("weight").numpy(), call.weight("bias").numpy(), call.attrs["eps"]
    return by_groups(_kernel, WORK_NORM, call.inputs[0], call.attrs["group"], *given)


def on_torch(call: Call) -> Tensor:
    from torch.nn import functional

    x, group = call.inputs[0], call.attrs["group"]
    rows, weight, bias = x.reshape(x.numel() // group, group), call.weight("weight"), call.weight("bias")
    return functional.layer_norm(rows, (group,), weight, bias, call.attrs["eps"]).view(x.shape)


def work(load: Load) -> Work:
    n, group = load.values, load.attrs["group"]
    return Work(7 * n + 4 * n // group, 2 * FLOAT * (n + group))


def lower(asked: ToLower) -> Lowered | None:
    """None where units are beyond what exponents and shifts can do."""
    op, (wanted,) = asked.op, asked.wanted
    size, group = asked.inputs[0].size, int(str(op.attrs["group"]))
    gain, bias = (
        np.tile(asked.weights.get(op.weights[role]).astype(np.float64), size // group) for role in OPERATION.tensors
    )
    peak = asked.measured.inputs[0]
    means = peak.reshape(-1, group).mean(axis=1) * HEADROOM
    reach = np.maximum(peak * HEADROOM + np.repeat(means, group), float(means.max()) * FAINT)
    norm, wide = Norm.asked(asked), log_unit(reach)
    less = centred(norm, asked.aligned(0, Unit.of_logs(wide, STATE_BITS)), float(means.max()), wide)
    made = less and normalised(norm, less.outputs[0], wanted, gain, bias)
    if less is None or made is None:
        return None
    return Lowered([*less.populations, *made.populations], [*less.projections, *made.projections], made.outputs)


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "needs-reciprocal-root",
        "a mean, a mean of squares and a reciprocal square root over {group} neurons, which are in float on the host",
        ON_CHIP.format("a mean, differences, squares, their root, products: five populations"),
    ),
    attrs={"eps": checks.positive, "group": checks.natural}, fits=checks.in_groups,
    tensors={"weight": ("group",), "bias": ("group",)}, lowering=lower,
)  # fmt: skip
