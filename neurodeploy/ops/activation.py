"""``y = act(x)``, act one of `host.curves`."""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import curves
from neurodeploy.ops.host.curves import CURVES, WORK_CURVE, gelu_tanh32, silu32
from neurodeploy.ops.host.kernels import elementwise
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


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


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "curved-function",
        "a curved function of one value: the integer contract has neurons that multiply, shift and saturate",
        "a microcoded neuron with a table of the function, or line segments of it",
    ),
    attrs={"act": curves.known},
)  # fmt: skip
