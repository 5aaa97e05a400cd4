"""Tokens to their experts: x, routing (T, E) -> x_0 .. x_{E-1}, ``score * x`` of the tokens with a score for the expert.

The score multiplies the expert's *input* (Llama 4); 0 is no score. Rows keep the order of the text; an expert without
tokens gets 0 rows. A gather and one product a value: torch's are batch invariant. Work: one flop a value of the
experts' rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.operation import FLOAT, TOKENS, Call, Load, Operation, Tensor, Work


def run(call: Call) -> list[Tensor]:
    x, routing = call.inputs
    out = []
    for scores in routing.unbind(1):
        rows = scores.nonzero()[:, 0]
        out.append(x[rows] * scores[rows, None])
    return out


def work(load: Load) -> Work:
    moved, experts = load.size * load.routed, load.sizes[load.op.inputs[1]]
    return Work(moved, FLOAT * (2 * moved + load.tokens * experts))


def fits(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    return len(inputs) == 2 and outputs == [inputs[0]] * inputs[1]


def rows(path: str, inputs: Sequence[str], outputs: int) -> tuple[list[str], list[str]]:
    return [TOKENS] * 2, [f"{path} expert {expert}" for expert in range(outputs)]


OPERATION = Operation(
    run, run, work,
    Reason(
        "data-dependent-routing",
        "tokens go to the experts that were chosen: the destination of an event is data",
        "gate neurons at the inputs of every expert, driven by the winner of the router",
    ),
    fits=fits, rows=rows, experts=lambda op: op.outputs,
)  # fmt: skip
