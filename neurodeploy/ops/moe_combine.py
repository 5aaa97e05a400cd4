"""Outputs of the experts to their tokens: routing (T, E), y_0 .. y_{E-1} -> their sum at the tokens that each was given.

Summed in the order of the experts, the same for every token: torch's additions are batch invariant then. Work: one
flop a value of the experts' rows, which are read, with the sum, and written.

On the chip one neuron a value (`neurons/graded_sum.py`), to which all experts send in the same units; a step. Those that
were not chosen send nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.neurons.graded_sum import EXPONENT_MAX
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.lowering import Lowered, Params, Signal, ToLower
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, TOKENS, Call, Load, Operation, Tensor, Work


def run(call: Call) -> Tensor:
    routing, *parts = call.inputs
    out = routing.new_zeros((routing.shape[0], parts[0].shape[1]))
    for scores, part in zip(routing.unbind(1), parts, strict=True):
        rows = scores.nonzero()[:, 0]
        out[rows] += part
    return out


def work(load: Load) -> Work:
    moved, experts = load.size * load.routed, load.sizes[load.op.inputs[0]]
    return Work(moved, FLOAT * (3 * moved + load.tokens * experts))


def fits(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    return len(inputs) > 1 and len(outputs) == 1 and inputs[1:] == [outputs[0]] * inputs[0]


def rows(path: str, inputs: Sequence[str], outputs: int) -> tuple[list[str], list[str]]:
    source = inputs[-1].rpartition(" expert ")[0]
    return [TOKENS, *(f"{source} expert {expert}" for expert in range(len(inputs) - 1))], [TOKENS]


def lower(asked: ToLower) -> Lowered | None:
    """None where experts cannot have the same units, or such as a neuron's shifts cannot make of them."""
    (wanted,) = asked.wanted
    parts = [asked.aligned(number, wanted.unit) for number in range(1, len(asked.inputs))]
    size, out = parts[0].size, wanted.unit.logs(parts[0].size)
    units = parts[0].unit.logs(size)
    least = np.minimum(units, out)
    exponents = {"a_exp": units - least, "shift": out - least}
    if any((part.unit.logs(size) != units).any() for part in parts) or exponents["a_exp"].max() > EXPONENT_MAX:
        return None
    params: Params = {**exponents, "out_bits": wanted.unit.bits}
    total = Population(wanted.name, (size,), "graded_sum", params, layer=asked.op.layer)
    return Lowered([total], [part.into(total, "a") for part in parts], [Signal(total, 0, size, wanted.unit)])


OPERATION = Operation(
    run, run, work,
    Reason(
        "data-dependent-routing",
        "adds the outputs of the experts that a token was given to, which are in float on the host",
        ON_CHIP.format("one neuron a value, to which all experts send in the same units"),
    ),
    fits=fits, rows=rows, experts=lambda op: op.inputs[1:], lowering=lower, shifts=True,
)  # fmt: skip
