"""Tokens to their experts: x, routing (T, E) -> x_0 .. x_{E-1}, ``score * x`` of the tokens with a score for the expert.

The score multiplies the expert's *input* (Llama 4); 0 is no score. Rows keep the order of the text; an expert without
tokens gets 0 rows. A gather and one product a value: torch's are batch invariant. Work: one flop a value of the
experts' rows.

On the chip a population of products for each expert (`neurons/graded_product.py`): the score times every value; a step. An
expert that is not chosen has a score of 0, so that its layers get no event and send none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.lowering import Lowered, Made, Signal, ToLower, requantise
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, TOKENS, Call, Load, Operation, Tensor, Work


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


def lower(asked: ToLower) -> Lowered | None:
    """None where units are beyond a multiplier."""
    populations, projections = list[Population](), list[Projection]()
    for expert, wanted in enumerate(asked.wanted):
        made = _given(asked, expert, wanted)
        if made is None:
            return None
        populations += made.populations
        projections += made.projections
    outputs = [Signal(out, 0, out.size, made.unit) for out, made in zip(populations, asked.wanted, strict=True)]
    return Lowered(populations, projections, outputs)


def _given(asked: ToLower, expert: int, wanted: Made) -> Lowered | None:
    """What an expert gets."""
    x, scores = asked.inputs
    params = requantise(x.steps() * scores.steps()[expert], wanted.unit.steps(x.size), wanted.unit.bits)
    if params is None:
        return None
    out = Population(wanted.name, (x.size,), "graded_product", params, layer=asked.op.layer, expert=expert)
    score = scores.onto(out, "b", np.arange(x.size), np.full(x.size, expert))
    return Lowered([out], [x.into(out, "a"), score], [])


OPERATION = Operation(
    run, run, work,
    Reason(
        "data-dependent-routing",
        "tokens go to the experts that were chosen: the host gives each its rows",
        ON_CHIP.format("products at the inputs of every expert, of the score and the values"),
    ),
    fits=fits, rows=rows, experts=lambda op: op.outputs, lowering=lower, flat=True,
)  # fmt: skip
