"""``y = act(x)``, act one of `host.curves`.

On the chip one neuron a value (`neurons/graded_curve.py`), with the table of `host/pieces.py`; a step.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import curves
from neurodeploy.ops.host.curves import CURVES, WORK_CURVE, gelu_tanh32, silu32
from neurodeploy.ops.host.kernels import elementwise
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, requantise
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work
from neurodeploy.ops.host.pieces import table_of, unit_of


@jit
def silu(part, parts, x, factor, out):  # type: ignore[no-untyped-def]
    """``out = silu(x) * factor``; flat arrays, no factor where that is empty."""
    n = x.size
    a, b = n * part // parts, n * (part + 1) // parts
    source, other, target = x[a:b], factor[a:b], out[a:b]
    if factor.size:
        for i in range(b - a):
            target[i] = silu32(source[i]) * other[i]
    else:
        for i in range(b - a):
            target[i] = silu32(source[i])


@jit
def gelu_tanh(part, parts, x, factor, out):  # type: ignore[no-untyped-def]
    """``out = gelu_tanh(x) * factor``, likewise."""
    n = x.size
    a, b = n * part // parts, n * (part + 1) // parts
    source, other, target = x[a:b], factor[a:b], out[a:b]
    if factor.size:
        for i in range(b - a):
            target[i] = gelu_tanh32(source[i]) * other[i]
    else:
        for i in range(b - a):
            target[i] = gelu_tanh32(source[i])


KERNELS = {"silu": silu, "gelu_tanh": gelu_tanh}


def on_cpu(call: Call) -> Tensor:
    x, *factor = call.inputs
    return elementwise(KERNELS[call.attrs["act"]], WORK_CURVE, x, factor[0] if factor else x.new_empty(0))


def on_torch(call: Call) -> Tensor:
    return curves.on_torch(call.inputs[0], call.attrs["act"])


def work(load: Load) -> Work:
    return Work(load.values * CURVES[load.attrs["act"]], 2 * FLOAT * load.values)


def lower(asked: ToLower) -> Lowered | None:
    """None where units are beyond a table or a multiplier."""
    op, (x,), (wanted,) = asked.op, asked.inputs, asked.wanted
    table = table_of(str(op.attrs["act"]), x, unit_of(x))
    params = requantise(np.full(x.size, unit_of(x)), wanted.unit.steps(x.size), wanted.unit.bits)
    if table is None or params is None:
        return None
    population = Population(wanted.name, (x.size,), "graded_curve", {**table, **params}, layer=op.layer)
    return Lowered([population], [x.into(population)], [Signal(population, 0, x.size, wanted.unit)])


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "curved-function",
        "a curved function of one value: in float on the host",
        ON_CHIP.format("one neuron a value, with a table of the curve"),
    ),
    attrs={"act": curves.known}, lowering=lower, flat=True,
)  # fmt: skip
