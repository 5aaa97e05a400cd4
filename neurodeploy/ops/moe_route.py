"""Scores of the chosen experts: logits (T, E) -> ``y = sigmoid(logit)`` for the `top_k` largest logits of a token, else 0.

Of equal logits the lower index wins. As Llama 4 routes (transformers, `Llama4Router`).
Work: E comparisons and a sigmoid for each choice.

On the chip E**2 neurons compare two logits each (`neurons/threshold.py`) and E more (`neurons/graded_winner.py`) have the
score of those that fewer than `top_k` are ahead of; two steps::

    ahead_ij = x_j > x_i, or x_j = x_i and j < i                  score_i = sigmoid(x_i) where sum_j ahead_ij < top_k, else 0

Logits that differ by less than a unit of theirs count as equal.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.kernels import EXP, F, empty_like, exp32
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, joined, requantise
from neurodeploy.ops.host.operation import FLOAT, ON_CHIP, Call, Load, Operation, Tensor, Work
from neurodeploy.ops.host.pieces import table_of

#: The table of the sigmoid is in units of this.
SCORE = 2.0**-24


@jit
def _kernel(logits, top_k, out):  # type: ignore[no-untyped-def]
    """Sigmoid of the `top_k` largest logits of each row, 0 elsewhere; of equal logits the lower index wins."""
    tokens, experts = logits.shape
    for t in range(tokens):
        out[t, :] = F(0.0)
        chosen = np.zeros(experts, np.bool_)
        for _ in range(top_k):
            best = -1
            for e in range(experts):
                if not chosen[e] and (best < 0 or logits[t, e] > logits[t, best]):
                    best = e
            chosen[best] = True
            out[t, best] = F(1.0) / (F(1.0) + exp32(-logits[t, best]))


def on_cpu(call: Call) -> Tensor:
    logits = call.inputs[0].contiguous()
    out = empty_like(logits)
    _kernel(logits.numpy(), call.attrs["top_k"], out.numpy())
    return out


def on_torch(call: Call) -> Tensor:
    """A stable sort, where `torch.topk` leaves the choice among equals open."""
    logits = call.inputs[0]
    chosen = logits.sort(dim=-1, descending=True, stable=True).indices[:, : call.attrs["top_k"]]
    return logits.new_zeros(logits.shape).scatter(1, chosen, logits.gather(1, chosen).sigmoid())


def work(load: Load) -> Work:
    return Work(load.tokens * load.attrs["top_k"] * (load.size + EXP + 2), 2 * FLOAT * load.values)


def fits(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    return checks.one_to_one(attrs, inputs, outputs) and bool(attrs["top_k"] <= inputs[0])


def lower(asked: ToLower) -> Lowered | None:
    """None where logits have units of their own, or such as no table can be in."""
    op, (x,), (wanted,) = asked.op, asked.inputs, asked.wanted
    n, top_k = x.size, int(str(op.attrs["top_k"]))
    table = table_of("sigmoid", x, SCORE)
    params = requantise(np.full(n, SCORE), wanted.unit.steps(n), wanted.unit.bits)
    if table is None or params is None:
        return None
    mine, other = np.divmod(np.arange(n * n), n)
    apart = mine != other
    ties = {"vth": np.where(other < mine, -1, 0)}
    ahead = Population(f"{op.path}.ahead", (n * n,), "threshold", ties, layer=op.layer)
    scores = Population(wanted.name, (n,), "graded_winner", {"winners": top_k, **table, **params}, layer=op.layer)
    pairs = np.flatnonzero(apart)
    signs = np.repeat(np.array([1, -1], np.int8), pairs.size)
    compared = x.onto(ahead, "a", np.tile(pairs, 2), np.concatenate([other[pairs], mine[pairs]]), signs)
    projections = [compared, x.into(scores, "a"), joined(ahead, scores, n, "b")]
    return Lowered([ahead, scores], projections, [Signal(scores, 0, n, wanted.unit)])


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "data-dependent-selection",
        "a choice of {top_k} among all logits of a token: in float on the host",
        ON_CHIP.format("neurons that compare two logits each, and winners with a table of the score"),
    ),
    attrs={"top_k": checks.natural}, fits=fits, lowering=lower, flat=True,
)  # fmt: skip
