"""The token that begins every text, as a constant of the model (PrefixQuant, arXiv 2410.05265).

Language models put values of thousands on the first token of a text, whatever it is, and attend to it where they have
nothing else to attend to. Payloads of a static scale that has to carry those have few levels left for all other tokens.
So that token is fixed, its keys and values are computed in float once, and every text begins behind it::

    keys of a text = [key(p_0), key(t_0), key(t_1), ..]        p_0: the prefix, at position 0; t_0 at position 1

No payload of the chip ever stands for the prefix, and ranges are calibrated without it. To the float model it is a token
like others: that one is compared with the same beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neurodeploy.conversion.overlay import Derived, Overlay, held
from neurodeploy.ir.graph import Graph, HostOp, ModelInfo, Op
from neurodeploy.ops import lookup
from neurodeploy.ops.attention import PREFIX
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kvcache import State


def first_token(info: ModelInfo) -> int:
    """What begins a text: the model's own token for that, else the one that ends texts, else its first."""
    ends = info.eos_tokens or (0,)
    return ends[0] if info.bos_token is None else info.bos_token


def with_prefix(graph: Graph, tokens: Sequence[int]) -> Graph:
    """The graph with the keys and values of these tokens as constants of each of its attention operations."""
    sizes = {name: population.size for name, population in graph.populations.items()}
    executor = Executor(graph.ops, graph.weights, sizes, keep_weights=False, input=graph.input, output=graph.output)
    state = State()
    executor.forward_hidden(np.asarray(tokens, np.int64), state)
    arrays: dict[str, Derived] = {}
    for path, cache in state.caches.items():
        rows = cache.key[:, :, : cache.length].permute(2, 0, 1), cache.value[:, : cache.length].permute(1, 0, 2)
        arrays |= {f"{path}.{role}": held(part.contiguous().numpy()) for role, part in zip(PREFIX, rows, strict=True)}
    graph.weights.release()

    def holding(op: Op) -> Op:
        if not isinstance(op, HostOp) or not lookup(op).keeps:
            return op
        names = {role: f"{op.path}.{role}" for role in PREFIX}
        return replace(op, attrs={**op.attrs, "prefix": len(tokens)}, weights={**op.weights, **names})

    info = replace(graph.info, prefix=tuple(tokens))
    return replace(graph, info=info, ops=tuple(map(holding, graph.ops)), weights=Overlay(graph.weights, arrays))
