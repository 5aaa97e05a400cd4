"""Outputs of the experts to their tokens: routing (T, E), y_0 .. y_{E-1} -> their sum at the tokens that each was given.

Summed in the order of the experts, the same for every token: torch's additions are batch invariant then. Work: one
flop a value of the experts' rows, which are read, with the sum, and written.
"""

from __future__ import annotations

from collections.abc import Sequence

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.operation import FLOAT, TOKENS, Call, Load, Operation, Tensor, Work


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


OPERATION = Operation(
    run, run, work,
    Reason(
        "data-dependent-routing",
        "adds the outputs of the experts that a token was given to",
        "an accumulator neuron with one scale for all experts of the layer",
    ),
    fits=fits, rows=rows, experts=lambda op: op.inputs[1:],
)  # fmt: skip
