"""Norms on the chip: a sum of squares, its reciprocal root, and a product with every value; of some first the values less
their mean. Shared by the norms of decoders and of tensors.

With values ``v_j = u_j x_j`` in groups of n, and ``unit = 2**(2 e)`` so that every sum of squares fits 31 bits::

    q_j = round_shift(x_j**2, shift_j)                      graded_square     2**shift_j = unit / u_j**2
    r   = 2**30 / sqrt(sum_j q_j + bias)                    graded_root       bias = n eps / unit
    y_j = requantised(x_j * r)                              graded_product    in units of u_j sqrt(n) gain_j / (2**(30 + e))

which is ``v_j / sqrt(mean(v**2) + eps) * gain_j`` in payloads of the layer that reads it. Three steps, a message a value to
the sum and one a core back; a table of 192 entries on the core of the root.

What is less its mean (`centred`) comes of two populations more, with ``u`` the least of the u_j, here powers of two::

    m   = saturate24(round_shift(a * multiplier, shift))                              graded_affine: the mean, negative
    a   = saturate24(round_shift(sum_j x_j * u_j / u, acc_shift))
    c_j = saturate24(round_shift((x_j << a_exp_j) + (m << b_exp_j), shift_j))         graded_sum: in units of its own

A weight and the exponent of an axon make ``u_j / u``. The mean is exact to 2**-16 of itself and one unit. Two steps.

Error: that of the root is at most 4e-5 (`neurons/graded_root.py`), that of the sum n / 2 of its 2**31 units where it is
largest, and half a payload. Squares and sums are calibrated to 2.25 times the largest that calibration saw; what exceeds
them is counted.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from neurodeploy.ir.fixedpoint import ACC_SHIFT_END, SCALE_MIN, STATE_BITS, STATE_MAX, Ints, multiply_shift
from neurodeploy.ir.network import AXON_EXP_MAX
from neurodeploy.ir.population import Population
from neurodeploy.neurons.graded_root import RESULT_EXP
from neurodeploy.neurons.graded_sum import EXPONENT_MAX
from neurodeploy.neurons.registers import REGISTER_BITS
from neurodeploy.ops.host.lowering import Floats, Lowered, Made, Signal, ToLower, Unit, joined, requantise

#: Range of a sum of squares over the largest that calibration saw.
POWER_HEADROOM = 2.25
#: Widest bias of a reciprocal root.
BIAS_END = 2.0**31
#: A weight of 8 bits is 2 to this power at most.
WEIGHT_EXP_MAX = 6


class Norm(NamedTuple):
    """A norm over groups of so many neurons; power : the largest sum of squares over a group that calibration saw."""

    path: str
    layer: int | None
    group: int
    eps: float
    power: float

    @classmethod
    def asked(cls, asked: ToLower) -> Norm:
        """By the attributes "group" and "eps" of an operation."""
        op = asked.op
        return cls(op.path, op.layer, int(str(op.attrs["group"])), float(str(op.attrs["eps"])), asked.measured.power)


def log_unit(reach: Floats) -> Ints:
    """Base-2 logarithms of units in which 24 bits hold so much."""
    found: Ints = np.ceil(np.log2(np.maximum(reach, SCALE_MIN) / STATE_MAX)).astype(np.int64)
    return found


def normalised(norm: Norm, x: Signal, wanted: Made, gain: Floats, offset: Floats | None = None) -> Lowered | None:
    """A norm of the values of `x`, times `gain` (size,), plus `offset`.

    Populations are named after the norm and the one that is `wanted`. None where units are beyond what shifts can do.
    """
    group, layer, steps = norm.group, norm.layer, x.steps()
    largest = max(norm.power, float(np.square(steps).sum()) / group) * POWER_HEADROOM
    # no finer than squares are: of few bits their sum is exact
    log = math.ceil(max((math.log2(largest) - (REGISTER_BITS - 1)) / 2, math.log2(steps.max())))
    shift = np.rint(2 * (log - np.log2(steps))).astype(np.int64)
    bias = round(group * norm.eps / 2.0 ** (2 * log))
    # units need not be powers of two: what a shift leaves is the same for all of a flat signal, and none for a binary one
    left = 2.0 ** (2 * log) / (np.square(steps) * 2.0**shift)
    if shift.min() < 0 or shift.max() > 62 or bias >= BIAS_END or not np.allclose(left, left[0]):
        return None
    bias = round(bias * float(left[0]))
    product = steps * gain * math.sqrt(group) * 2.0 ** -(RESULT_EXP + log) * math.sqrt(float(left[0]))
    params = requantise(product, wanted.unit.steps(x.size), wanted.unit.bits)
    if params is None:
        return None
    if offset is not None:
        params["offset"] = np.rint(offset / wanted.unit.steps(x.size)).astype(np.int64)
    groups = x.size // group
    squares = Population(f"{norm.path}.squares", (x.size,), "graded_square", {"shift": shift}, layer=layer)
    root = Population(f"{norm.path}.root", (groups,), "graded_root", {"bias": bias}, layer=layer)
    out = Population(wanted.name, (x.size,), "graded_product", params, layer=layer)
    projections = [
        x.into(squares), joined(squares, root, groups), x.into(out, "a"), joined(root, out, groups, "b"),
    ]  # fmt: skip
    return Lowered([squares, root, out], projections, [Signal(out, 0, x.size, wanted.unit)])


def centred(norm: Norm, x: Signal, mean: float, wanted: Ints) -> Lowered | None:
    """Every value less the mean of its group, which is at most `mean`, in units of 2**wanted or those of x, whichever are
    coarser."""
    group, units = norm.group, x.unit.logs(x.size)
    least = int(units.min())
    raised = units - least
    axon = np.minimum(raised, AXON_EXP_MAX)
    log = max(int(log_unit(np.full(1, mean))[0]), least)
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
    means = Population(f"{norm.path}.mean", (x.size // group,), "graded_affine", params, layer=norm.layer)
    less = Population(
        f"{norm.path}.centred", (x.size,), "graded_sum",
        dict(zip(("a_exp", "b_exp", "shift"), exponents, strict=True)), layer=norm.layer,
    )  # fmt: skip
    places = np.arange(x.size)
    into = x.onto(means, "a", places // group, places, (1 << (raised - axon)).astype(np.int8))
    if axon.any():
        exponent = np.zeros(x.population.size, np.uint8)
        exponent[x.start : x.stop] = axon
        into = replace(into, axon_exp=exponent)
    projections = [into, x.into(less), joined(means, less, means.size, "b")]
    return Lowered([means, less], projections, [Signal(less, 0, x.size, Unit.of_logs(out, STATE_BITS))])
