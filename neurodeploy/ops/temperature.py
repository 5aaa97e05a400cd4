"""A factor on the queries that grows with the position (Llama 4, layers without RoPE).

::

    y = x * (1 + scale * log1p(floor((position + 1) / floor_scale)))

The factor of a token is computed in float64 and rounded once: one number a token, so torch's product is batch invariant.

On the chip, where attention is there too, the host encodes the factor in units of 2**-14 (`ops/position_factor.py`) for one
neuron a value (`neurons/graded_product.py`); a step. It must stay below 2.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, Unit, joined, requantise
from neurodeploy.ops.host.operation import FLOAT, WITH_ATTENTION, Call, Load, Operation, Tensor, Work

#: The factor is encoded in units of 2**-FACTOR_EXP.
FACTOR_EXP = 14


def factor(call: Call) -> Tensor:
    """(T, 1), of the call's positions."""
    import torch

    x, first = call.inputs[0], call.state.position
    positions = np.arange(first, first + x.shape[0], dtype=np.float64)
    found = 1.0 + call.attrs["scale"] * np.log1p(np.floor((positions + 1.0) / call.attrs["floor_scale"]))
    return torch.from_numpy(found.astype(np.float32)).to(x.device)[:, None]


def run(call: Call) -> Tensor:
    return call.inputs[0] * factor(call)


def work(load: Load) -> Work:
    return Work(load.values, FLOAT * (2 * load.values + load.tokens))


def lower(asked: ToLower) -> Lowered | None:
    """None where units are beyond a multiplier."""
    op, (x,), (wanted,) = asked.op, asked.inputs, asked.wanted
    params = requantise(x.steps() * 2.0**-FACTOR_EXP, wanted.unit.steps(x.size), wanted.unit.bits)
    if params is None:
        return None
    given = asked.by_position("position_factor", op.attrs, 1, Unit(Dyadic(1, -FACTOR_EXP), 16))
    population = Population(wanted.name, (x.size,), "graded_product", params, layer=op.layer)
    inputs = [x.into(population), joined(given.population, population, 1, "b")]
    return Lowered([population], inputs, [Signal(population, 0, x.size, wanted.unit)])


OPERATION = Operation(
    run, run, work,
    Reason(
        "position-dependent",
        "the factor changes with the position of the token, and attention reads the result on the host",
        WITH_ATTENTION.format("one product a value, with the factor from the host once a token"),
    ),
    attrs={"scale": checks.number, "floor_scale": checks.positive}, lowering=lower, attends=True,
)  # fmt: skip
