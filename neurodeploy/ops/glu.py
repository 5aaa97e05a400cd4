"""Gated linear unit, ``y = act(gate) * up`` (Shazeer 2020, arXiv 2002.05202), act one of `host.curves`.

On the chip one neuron a value (`neurons/graded_gate.py`), with the table of `host/pieces.py`; a step.
"""

from __future__ import annotations

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.ops import activation
from neurodeploy.ops.host import checks, curves
from neurodeploy.ops.host.curves import CURVES
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, requantise
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work
from neurodeploy.ops.host.pieces import table_of, unit_of


def on_torch(call: Call) -> Tensor:
    gate, up = call.inputs
    return curves.on_torch(gate, call.attrs["act"]) * up


def work(load: Load) -> Work:
    return Work(load.values * (CURVES[load.attrs["act"]] + 1), 3 * FLOAT * load.values)


def lower(asked: ToLower) -> Lowered | None:
    """None where units are beyond a table or a multiplier."""
    op, (gate, up), (wanted,) = asked.op, asked.inputs, asked.wanted
    table = table_of(str(op.attrs["act"]), gate, unit_of(gate))
    params = requantise(unit_of(gate) * up.steps(), wanted.unit.steps(up.size), wanted.unit.bits)
    if table is None or params is None:
        return None
    population = Population(wanted.name, (up.size,), "graded_gate", {**table, **params}, layer=op.layer)
    inputs = [gate.into(population, "a"), up.into(population, "b")]
    return Lowered([population], inputs, [Signal(population, 0, up.size, wanted.unit)])


OPERATION = Operation(
    activation.on_cpu, on_torch, work,
    Reason(
        "product-of-two-values",
        "a product of two values that both change: in float on the host",
        ON_CHIP.format("one neuron of two inputs a value, with a table of the curve"),
    ),
    attrs={"act": curves.known}, fits=checks.two_to_one, lowering=lower, flat=True,
)  # fmt: skip
