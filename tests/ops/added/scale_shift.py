"""``y = x * scale + shift``: an operation that only a test adds. Work: two flops a value.

On the chip, of payloads x_j in units of u and at most L of them, one neuron (`graded_affine`) a value::

    b = round(shift / (scale * u))                                   m = (L + |b|) * |scale| * u / (2**23 - 1)
    y_j = saturate24(round_shift((x_j + b) * multiplier, right))     in units of m; multiplier * 2**-right = scale * u / m
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, STATE_MAX, Dyadic, multiply_shift
from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, Unit
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


def run(call: Call) -> Tensor:
    return call.inputs[0] * call.attrs["scale"] + call.attrs["shift"]


def work(load: Load) -> Work:
    return Work(2 * load.values, 2 * FLOAT * load.values)


def lower(asked: ToLower) -> Lowered | None:
    """None for a scale of zero, a shift far beyond the values, or neurons with units of their own."""
    op, (x,) = asked.op, asked.inputs
    scale, shift = float(str(op.attrs["scale"])), float(str(op.attrs["shift"]))
    step = x.unit.scale.value
    if x.unit.exponent is not None or abs(scale) * step * STATE_MAX <= abs(shift):
        return None
    bias = round(shift / (scale * step))
    acc_shift = 1 if x.largest + abs(bias) > STATE_MAX else 0
    unit = Dyadic.nearest(abs(scale) * step * (x.largest + abs(bias)) / STATE_MAX)
    multiplier, right = multiply_shift(np.array([scale * step * 2.0**acc_shift / unit.value]))
    params = {"multiplier": int(multiplier[0]), "shift": int(right[0]), "bias": bias, "acc_shift": acc_shift}
    population = Population(op.path, (x.size,), "graded_affine", params, layer=op.layer)
    return Lowered([population], [x.into(population)], [Signal(population, 0, x.size, Unit(unit, STATE_BITS))])


OPERATION = Operation(
    run, run, work,
    Reason("input-on-host", "a product with {scale} and a sum with {shift}", "one neuron with a weight and a bias"),
    attrs={"scale": checks.number, "shift": checks.number},
    lowering=lower,
)  # fmt: skip
