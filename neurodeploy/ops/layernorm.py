"""Layer norm over each group of `group` neurons (Ba, Kiros and Hinton 2016, arXiv 1607.06450).

::

    y = (x - m) * rsqrt(mean((x - m)^2) + eps) * weight + bias,      m = mean(x)

weight, bias (group,). Work: 7 flops a neuron and 4 a group.

On the chip two populations before those of `host/norms.py`, with values ``v_j = 2**u_j x_j`` and ``u`` the least of u_j::

    m   = saturate24(round_shift(a * multiplier, shift))                              graded_affine: the mean, negative
    a   = saturate24(round_shift(sum_j x_j * 2**(u_j - u), acc_shift))
    c_j = saturate24(round_shift((x_j << a_exp_j) + (m << b_exp_j), shift_j))         graded_sum: in units of 2**w_j

A weight and the exponent of an axon make ``2**(u_j - u)``. The units hold `HEADROOM` times what calibration saw; the mean is
exact to 2**-16 of itself and one unit. Five steps in all.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from neurodeploy.ir.fixedpoint import ACC_SHIFT_END, SCALE_MIN, STATE_BITS, STATE_MAX, Ints, multiply_shift
from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.network import AXON_EXP_MAX
from neurodeploy.ir.population import Population
from neurodeploy.machine.jit import jit
from neurodeploy.neurons.graded_sum import EXPONENT_MAX
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.kernels import F, by_groups, fold_sum
from neurodeploy.ops.host.lowering import HEADROOM, Floats, Lowered, Signal, ToLower, Unit, joined
from neurodeploy.ops.host.norms import normalised
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work

#: Work of one neuron in units of a multiply-add, for `threads.split`.
WORK_NORM = 12
#: A weight of 8 bits is 2 to this power at most.
WEIGHT_EXP_MAX = 6
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
    x = asked.aligned(0, Unit.of_logs(_log(reach), STATE_BITS))
    centred = _centred(asked, x, float(means.max()), _log(reach))
    if centred is None:
        return None
    (signal,) = centred.outputs
    made = normalised(asked, signal, wanted, gain, bias)
    if made is None:
        return None
    return Lowered([*centred.populations, *made.populations], [*centred.projections, *made.projections], made.outputs)


def _log(reach: Floats) -> Ints:
    """Base-2 logarithms of units in which 24 bits hold so much."""
    found: Ints = np.ceil(np.log2(np.maximum(reach, SCALE_MIN) / STATE_MAX)).astype(np.int64)
    return found


def _centred(asked: ToLower, x: Signal, mean: float, wanted: Ints) -> Lowered | None:
    """Every value less the mean of its group, which is at most `mean`, in units of 2**wanted or those of x, whichever are
    coarser."""
    op, group, units = asked.op, int(str(asked.op.attrs["group"])), x.unit.logs(x.size)
    least = int(units.min())
    raised = units - least
    axon = np.minimum(raised, AXON_EXP_MAX)
    log = max(int(_log(np.full(1, mean))[0]), least)
    acc_shift = max(math.ceil(math.log2(group * mean / STATE_MAX)) - least, 0)
    multiplier, shift = multiply_shift(np.full(1, 2.0 ** (least + acc_shift - log) / group))
    out = np.maximum(wanted, units)
    finest = np.minimum(units, log)
    exponents = [units - finest, log - finest, out - finest]
    if max(int(e.max()) for e in exponents) > EXPONENT_MAX or raised.max() - axon.max() > WEIGHT_EXP_MAX:
        return None
    if acc_shift >= ACC_SHIFT_END or shift[0] < 0:
        return None
    params = {"multiplier": -int(multiplier[0]), "shift": int(shift[0]), "acc_shift": acc_shift}
    means = Population(f"{op.path}.mean", (x.size // group,), "graded_affine", params, layer=op.layer)
    centred = Population(
        f"{op.path}.centred", (x.size,), "graded_sum",
        dict(zip(("a_exp", "b_exp", "shift"), exponents, strict=True)), layer=op.layer,
    )  # fmt: skip
    places = np.arange(x.size)
    into = x.onto(means, "a", places // group, places, (1 << (raised - axon)).astype(np.int8))
    if axon.any():
        exponent = np.zeros(x.population.size, np.uint8)
        exponent[x.start : x.stop] = axon
        into = replace(into, axon_exp=exponent)
    projections = [into, x.into(centred), joined(means, centred, means.size, "b")]
    return Lowered([means, centred], projections, [Signal(centred, 0, x.size, Unit.of_logs(out, STATE_BITS))])


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
