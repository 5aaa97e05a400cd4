"""``y = [a, b, ...]``: values one after another, such as the logits of a head that was cut into rows.

On the chip one neuron a value (`neurons/graded_sum.py`) that hears one other and shifts it to the common unit::

    y_j = saturate24(round_shift(a_j << a_exp_j, shift_j))

All units are powers of two, so that it is exact to half a unit of the result; a step.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population, Section
from neurodeploy.neurons.graded_sum import EXPONENT_MAX
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, Unit
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work


def run(call: Call) -> Tensor:
    first = call.inputs[0]
    out, start = first.new_empty((len(first), sum(x.shape[1] for x in call.inputs))), 0
    for x in call.inputs:
        out[:, start : start + x.shape[1]] = x
        start += x.shape[1]
    return out


def work(load: Load) -> Work:
    return Work(0, 2 * FLOAT * load.values)


def lower(asked: ToLower) -> Lowered | None:
    """None where units differ by more than the shifts of a neuron."""
    (wanted,) = asked.wanted
    ends = np.cumsum([0, *(signal.size for signal in asked.inputs)])
    out = wanted.unit.logs(int(ends[-1]))
    parts = [
        asked.aligned(i, Unit.of_logs(out[start : start + signal.size], wanted.unit.bits))
        for i, (start, signal) in enumerate(zip(ends, asked.inputs, strict=False))
    ]
    given = np.concatenate([part.unit.logs(part.size) for part in parts])
    least = np.minimum(given, out)
    if max(int((given - least).max()), int((out - least).max())) > EXPONENT_MAX:
        return None
    params: dict[str, int | Ints] = {"a_exp": given - least, "shift": out - least, "out_bits": wanted.unit.bits}
    sections = (Section(asked.op.path, 0, out.size),)
    population = Population(wanted.name, (out.size,), "graded_sum", params, {}, sections, asked.op.layer)
    into = [
        part.onto(population, "a", np.arange(start, start + part.size), np.arange(part.size))
        for start, part in zip(ends, parts, strict=False)
    ]
    return Lowered([population], into, [Signal(population, 0, out.size, wanted.unit)])


OPERATION = Operation(
    run, run, work,
    Reason(
        "join-on-host",
        "values of several layers are put one after another on the host",
        ON_CHIP.format("one neuron a value"),
    ),
    fits=checks.joined, lowering=lower, shifts=True,
)  # fmt: skip
