"""A factor on the queries that grows with the position (Llama 4, layers without RoPE).

::

    y = x * (1 + scale * log1p(floor((position + 1) / floor_scale)))

The factor of a token is computed in float64 and rounded once: one number a token, so torch's product is batch invariant.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


def run(call: Call) -> Tensor:
    import torch

    x, first = call.inputs[0], call.state.position
    positions = np.arange(first, first + x.shape[0], dtype=np.float64)
    factor = 1.0 + call.attrs["scale"] * np.log1p(np.floor((positions + 1.0) / call.attrs["floor_scale"]))
    return x * torch.from_numpy(factor.astype(np.float32)).to(x.device)[:, None]


def work(load: Load) -> Work:
    return Work(load.values, FLOAT * (2 * load.values + load.tokens))


OPERATION = Operation(
    run, run, work,
    Reason(
        "position-dependent",
        "the factor changes with the position of the token; synapses are static",
        "microcoded neurons with an integer table indexed by position",
    ),
    attrs={"scale": checks.number, "floor_scale": checks.positive},
)  # fmt: skip
