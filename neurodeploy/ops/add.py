"""``y = a + b``: the residual stream, or the sum of shared and chosen experts."""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.kernels import elementwise
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


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


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "residual-on-host",
        "the residual stream stays in float on the host, where its other operand is",
        "an accumulator neuron with one scale for the whole stream, once the norm after it is on the chip",
    ),
    fits=checks.two_to_one,
)  # fmt: skip
