"""Gated linear unit, ``y = act(gate) * up`` (Shazeer 2020, arXiv 2002.05202), act one of `host.curves`."""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops import activation
from neurodeploy.ops.host import checks, curves
from neurodeploy.ops.host.curves import CURVES
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


def on_torch(call: Call) -> Tensor:
    gate, up = call.inputs
    return curves.on_torch(gate, call.attrs["act"]) * up


def work(load: Load) -> Work:
    return Work(load.values * (CURVES[load.attrs["act"]] + 1), 3 * FLOAT * load.values)


OPERATION = Operation(
    activation.on_cpu, on_torch, work,
    Reason(
        "product-of-two-values",
        "a product of two values that both change: the integer contract has neurons of one input sum",
        "a microcoded neuron with two input compartments beside the gate and up rows",
    ),
    attrs={"act": curves.known}, fits=checks.two_to_one,
)  # fmt: skip
