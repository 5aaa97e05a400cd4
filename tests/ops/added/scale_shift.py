"""``y = x * scale + shift``: an operation that only a test adds. Work: two flops a value."""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


def run(call: Call) -> Tensor:
    return call.inputs[0] * call.attrs["scale"] + call.attrs["shift"]


def work(load: Load) -> Work:
    return Work(2 * load.values, 2 * FLOAT * load.values)


OPERATION = Operation(
    run, run, work,
    Reason("not-yet-lowered", "a product with {scale} and a sum with {shift}", "one neuron with a weight and a bias"),
    attrs={"scale": checks.number, "shift": checks.number},
)  # fmt: skip
