"""Cosines and sines of a token's position, (T, R): those of all R / 2 pairs, then the sines; see `ops/rope.py`.

Where queries and keys are rotated on the chip, the host knows the position of a token and encodes these once for all layers
that share them: tokens say only how many there are. Work: what `rope` reads a token.
"""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.operation import FLOAT, IDS, TOKENS, Call, Load, Operation, Tensor, Work
from neurodeploy.ops.rope import cos_sin


def run(call: Call) -> Tensor:
    import torch

    return torch.cat(cos_sin(call), 1)


def work(load: Load) -> Work:
    return Work(0, 2 * FLOAT * load.values)


OPERATION = Operation(
    run, run, work,
    Reason(
        "position-lookup",
        "the host knows the position of a token: two numbers a pair are cheaper to send than to keep in every core",
        "a pair of neurons for each frequency that turns by its angle a token",
    ),
    attrs={"inv_freq": checks.numbers}, optional={"factor": checks.positive},
    fits=lambda attrs, inputs, outputs: len(inputs) == 1 and [*outputs] == [2 * len(attrs["inv_freq"])],
    rows=lambda path, inputs, outputs: ([IDS], [TOKENS]),
)  # fmt: skip
