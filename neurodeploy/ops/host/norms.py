"""Norms on the chip: a sum of squares, its reciprocal root, and a product with every value; shared by the norms of the
table.

With values ``v_j = u_j x_j`` in groups of n, and ``unit = 2**(2 e)`` so that every sum of squares fits 31 bits::

    q_j = round_shift(x_j**2, shift_j)                      graded_square     2**shift_j = unit / u_j**2
    r   = 2**30 / sqrt(sum_j q_j + bias)                    graded_root       bias = n eps / unit
    y_j = requantised(x_j * r)                              graded_product    in units of u_j sqrt(n) gain_j / (2**(30 + e))

which is ``v_j / sqrt(mean(v**2) + eps) * gain_j`` in payloads of the layer that reads it. Three steps, a message a value to
the sum and one a core back; a table of 192 entries on the core of the root.

Error: that of the root is at most 4e-5 (`neurons/graded_root.py`), that of the sum n / 2 of its 2**31 units where it is
largest, and half a payload. Squares and sums are calibrated to 2.25 times the largest that calibration saw; what exceeds
them is counted.
"""

from __future__ import annotations

import math

import numpy as np

from neurodeploy.ir.population import Population
from neurodeploy.neurons.graded_root import RESULT_EXP
from neurodeploy.neurons.registers import REGISTER_BITS
from neurodeploy.ops.host.lowering import Floats, Lowered, Made, Signal, ToLower, joined, requantise

#: Range of a sum of squares over the largest that calibration saw.
POWER_HEADROOM = 2.25
#: Widest bias of a reciprocal root.
BIAS_END = 2.0**31


def normalised(asked: ToLower, x: Signal, wanted: Made, gain: Floats, offset: Floats | None = None) -> Lowered | None:
    """A norm of the values of `x` in groups of attribute "group" with attribute "eps", times `gain` (size,), plus `offset`.

    Populations are named after the operation and the one that is `wanted`. None where units are beyond what shifts can do.
    """
    op, layer = asked.op, asked.op.layer
    group, eps = int(str(op.attrs["group"])), float(str(op.attrs["eps"]))
    steps = x.steps()
    largest = max(asked.measured.power, float(np.square(steps).sum()) / group) * POWER_HEADROOM
    # no finer than squares are: of few bits their sum is exact
    log = math.ceil(max((math.log2(largest) - (REGISTER_BITS - 1)) / 2, math.log2(steps.max())))
    shift = np.rint(2 * (log - np.log2(steps))).astype(np.int64)
    bias = round(group * eps / 2.0 ** (2 * log))
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
    squares = Population(f"{op.path}.squares", (x.size,), "graded_square", {"shift": shift}, layer=layer)
    root = Population(f"{op.path}.root", (groups,), "graded_root", {"bias": bias}, layer=layer)
    out = Population(wanted.name, (x.size,), "graded_product", params, layer=layer)
    projections = [
        x.into(squares), joined(squares, root, groups), x.into(out, "a"), joined(root, out, groups, "b"),
    ]  # fmt: skip
    return Lowered([squares, root, out], projections, [Signal(out, 0, x.size, wanted.unit)])
