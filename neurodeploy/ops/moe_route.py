"""Scores of the chosen experts: logits (T, E) -> ``y = sigmoid(logit)`` for the `top_k` largest logits of a token, else 0.

Of equal logits the lower index wins. As Llama 4 routes (transformers, `Llama4Router`).
Work: E comparisons and a sigmoid for each choice.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.machine.jit import jit
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.kernels import EXP, F, empty_like, exp32
from neurodeploy.ops.host.operation import FLOAT, Call, Load, Operation, Tensor, Work


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


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "data-dependent-selection",
        "a choice of {top_k} among all logits of a token",
        "winner-take-all neurons for one expert a token (top_k = 1)",
    ),
    attrs={"top_k": checks.natural}, fits=fits,
)  # fmt: skip
