"""An operation that has no kernel here, of a family that is counted and not converted: its work is an estimate.

`what` names it; `flops` and `bytes` are those of a token.
"""

from __future__ import annotations

from neurodeploy.errors import UserError
from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.operation import Call, Load, Operation, Tensor, Work


def run(call: Call) -> Tensor:
    problem = f"{call.attrs['what']} has no kernel here: its work is only estimated"
    raise UserError("ND2110", call.op.path, problem, "run a model of a family that `convert` reads")


def work(load: Load) -> Work:
    return Work(load.tokens * load.attrs["flops"], load.tokens * load.attrs["bytes"])


OPERATION = Operation(
    run, run, work,
    Reason(
        "no-kernel",
        "{what}: this family is counted and not converted, and the work of the host is an estimate",
        "neurons with a state for it, and a family that is converted",
    ),
    attrs={"what": lambda value: isinstance(value, str), "flops": checks.count, "bytes": checks.count},
    fits=lambda attrs, inputs, outputs: len(outputs) == 1,
)  # fmt: skip
