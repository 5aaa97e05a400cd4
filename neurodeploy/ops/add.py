"""``y = a + b``: the residual stream, or the sum of shared and chosen experts.

On the chip one neuron a value (`neurons/graded_sum.py`): all units are powers of two, so that a sum shifts and never
multiplies::

    y_j = saturate24(round_shift((a_j << a_exp_j) + (b_j << b_exp_j), shift_j))

Each is exact to half a unit of the result; a step.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.machine.jit import jit
from neurodeploy.neurons.graded_sum import EXPONENT_MAX
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.kernels import elementwise
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work


@jit
def add(part, parts, a, b, out):  # type: ignore[no-untyped-def]
    """``out = a + b``; flat arrays. Beside torch's own because that waits for all of its threads at every small sum."""
    n = a.size
    low, high = n * part // parts, n * (part + 1) // parts
    x, y, o = a[low:high], b[low:high], out[low:high]
    for i in range(high - low):
        o[i] = x[i] + y[i]


def on_cpu(call: Call) -> Tensor:
    return elementwise(add, 1, *call.inputs)


def on_torch(call: Call) -> Tensor:
    return call.inputs[0] + call.inputs[1]


def work(load: Load) -> Work:
    return Work(load.values, 3 * FLOAT * load.values)


def lower(asked: ToLower) -> Lowered | None:
    """None where units differ by more than the shifts of a neuron."""
    (wanted,) = asked.wanted
    a, b = (asked.aligned(i, wanted.unit) for i in range(2))
    logs = [signal.unit.logs(signal.size) for signal in (a, b)]
    out = wanted.unit.logs(a.size)
    least = np.minimum.reduce([*logs, out])
    exponents = [log - least for log in logs]
    shift = out - least
    if max(int(e.max()) for e in (*exponents, shift)) > EXPONENT_MAX:
        return None
    population = Population(
        wanted.name, (a.size,), "graded_sum",
        {"a_exp": exponents[0], "b_exp": exponents[1], "shift": shift, "out_bits": wanted.unit.bits}, layer=asked.op.layer,
    )  # fmt: skip
    inputs = [a.into(population, "a"), b.into(population, "b")]
    return Lowered([population], inputs, [Signal(population, 0, a.size, wanted.unit)])


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "residual-on-host",
        "the residual stream stays in float on the host, where its other operand is",
        ON_CHIP.format("one neuron a value, with an exponent for each channel"),
    ),
    fits=checks.two_to_one, lowering=lower, shifts=True,
)  # fmt: skip
