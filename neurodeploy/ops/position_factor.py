"""The factor of a token's position, (T, 1), that `ops/temperature.py` multiplies with, for all layers that share it.

Where queries are on the chip the host encodes it once a token: tokens say only how many there are.
"""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.operation import FLOAT, IDS, TOKENS, Call, Load, Operation, Tensor, Work
from neurodeploy.ops.temperature import factor


def run(call: Call) -> Tensor:
    return factor(call)


def work(load: Load) -> Work:
    return Work(0, FLOAT * load.values)


OPERATION = Operation(
    run, run, work,
    Reason(
        "position-lookup",
        "the host knows the position of a token: one number is cheaper to send than a table in every core",
        "a neuron that counts tokens, with an integer table",
    ),
    attrs={"scale": checks.number, "floor_scale": checks.positive},
    fits=lambda attrs, inputs, outputs: len(inputs) == 1 and [*outputs] == [1],
    rows=lambda path, inputs, outputs: ([IDS], [TOKENS]),
)  # fmt: skip
