"""Gated linear unit, ``y = act(gate) * up`` (Shazeer 2020, arXiv 2002.05202), act one of `host.curves`."""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import checks, curves
from neurodeploy.ops.host.curves import CURVES, WORK_CURVE, gelu_tanh32, silu32
from neurodeploy.ops.host.kernels import elementwise
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


@jit
def glu_silu(part, parts, gate, up, out):  # type: ignore[no-untyped-def]
    """``out = silu(gate) * up``; flat arrays."""
    n = gate.size
    a, b = n * part // parts, n * (part + 1) // parts
    g, u, o = gate[a:b], up[a:b], out[a:b]
    for i in range(b - a):
        o[i] = silu32(g[i]) * u[i]


@jit
def glu_gelu_tanh(part, parts, gate, up, out):  # type: ignore[no-untyped-def]
    """``out = gelu_tanh(gate) * up``; flat arrays."""
    n = gate.size
    a, b = n * part // parts, n * (part + 1) // parts
    g, u, o = gate[a:b], up[a:b], out[a:b]
    for i in range(b - a):
        o[i] = gelu_tanh32(g[i]) * u[i]


KERNELS = {"silu": glu_silu, "gelu_tanh": glu_gelu_tanh}


def on_cpu(call: Call) -> Tensor:
    return elementwise(KERNELS[call.attrs["act"]], WORK_CURVE, *call.inputs)


def on_torch(call: Call) -> Tensor:
    gate, up = call.inputs
    return curves.on_torch(gate, call.attrs["act"]) * up


def work(load: Load) -> Work:
    return Work(load.values * (CURVES[load.attrs["act"]] + 1), 3 * FLOAT * load.values)


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "product-of-two-values",
        "a product of two values that both change: the integer contract has neurons of one input sum",
        "a microcoded neuron with two input compartments beside the gate and up rows",
    ),
    attrs={"act": lambda value: value in CURVES}, fits=checks.two_to_one,
)  # fmt: skip
