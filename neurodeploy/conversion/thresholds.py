"""Fewer events: which payloads of linear layers are too small to be sent.

The loss of dropping one payload is that of its second order (KL from the float model, in nats, to where the gradient of the
KL is zero), with g the gradient of ``log p(y)`` by the value x and y drawn from the model's own prediction::

    loss_tj = (g_tj x_tj)**2 / 2         expected: x_tj**2 s_j / 2,   s_j = E_t[g_tj**2]

It saves as many synaptic events as its axon has synapses, c_j. One price of a synaptic event for all axons of all layers
gives the least loss for the events that are left (a Lagrange multiplier)::

    sent where x_tj**2 > threshold_j**2 = price c_j / s_j

The price is that at which a share of the synaptic events of calibration is left. s_j is measured by going back through the
float model from drawn tokens. Few tokens say little of one column, so half of it is what the gradients h_i of all outputs
say, ``sum_i E[h_i**2] w_ij**2``, in proportion. Of the head it is known without a draw (`_head`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.layers import chunks
from neurodeploy.conversion.sparse import Threshold
from neurodeploy.errors import ModelError
from neurodeploy.ir.graph import Graph, Projection, WeightStore
from neurodeploy.ops.host.executor import Executor, Values

#: Tokens that gradients are measured on, and how many of them are remembered to find the price.
SENSED, REMEMBERED = 2048, 256
#: How much of s_j is what the weights of its column and the gradients of the layer's outputs say.
PRIOR = 0.5
#: No loss is smaller, and no limit larger than its inverse.
TINY = 1e-30
#: Rows of logits that exist at a time.
HEAD_ROWS = 64
#: Kernels of torch on the processor: they keep what a way back needs.
WITH_GRADIENTS = "cpu:0"


@dataclass(slots=True, eq=False)
class _Site:
    """What a layer reads. fan : synapses of a column. squares : (columns,) of gradients, outputs : the same of what each
    projection makes (its rows,), summed over `rows` values. sample : some values."""

    layer: Sequence[Projection]
    squares: torch.Tensor
    outputs: dict[str, torch.Tensor]
    rows: int = 0
    sample: list[torch.Tensor] = field(default_factory=list)

    @property
    def fan(self) -> int:
        return sum(p.out_features for p in self.layer)

    def losses(self, weights: WeightStore) -> Threshold:
        """s_j, in place of limits, and squared norms of columns."""
        power, prior = (torch.zeros(len(self.squares), dtype=torch.float64) for _ in range(2))
        for projection in self.layer:
            for start, stop in chunks(projection.out_features):
                square = torch.from_numpy(weights.get(projection.weight, start, stop)).square_()
                power += square.sum(dim=0)
                if projection.path in self.outputs:
                    prior += self.outputs[projection.path][start:stop].float() @ square
        mean = self.squares / max(1, self.rows)
        prior *= float(mean.sum()) / max(float(prior.sum()), TINY)
        share = PRIOR if self.outputs else 0.0
        return Threshold(((1 - share) * mean + share * prior).float().numpy(), power)


def thresholds(
    graph: Graph, layers: Sequence[Sequence[Projection]], tokens: NDArray[np.int64], window: int, share: float
) -> dict[str, Threshold]:
    """By the value that a layer reads, so that this share of the synaptic events of these tokens is left. Layers that
    no token reached have none."""
    sites = _sensed(graph, layers, tokens, window)
    every = {name: site for name, site in sites.items() if site.rows and bool(site.squares.any())}
    losses = {name: site.losses(graph.weights) for name, site in every.items()}
    saved, synapses = list[torch.Tensor](), list[torch.Tensor]()
    for name, site in every.items():
        sample = torch.cat(site.sample).float()
        worth = (sample.square_() * (torch.from_numpy(losses[name].limit) / site.fan)).flatten()
        saved.append(worth[worth > 0])
        synapses.append(torch.full((len(saved[-1]),), site.fan * site.rows / len(sample), dtype=torch.float64))
    worth, order = torch.cat(saved).sort()
    dropped = torch.cat(synapses)[order].cumsum(0)
    price = float(worth[int(torch.searchsorted(dropped, (1 - share) * float(dropped[-1])))])
    graph.weights.release()
    return {
        name: Threshold(np.sqrt(price * every[name].fan / np.maximum(found.limit, TINY)), found.power)
        for name, found in losses.items()
    }


def _sensed(
    graph: Graph, layers: Sequence[Sequence[Projection]], tokens: NDArray[np.int64], window: int
) -> dict[str, _Site]:
    """What windows spread over the tokens say of the input of every layer."""
    sizes = {name: population.size for name, population in graph.populations.items()}
    sites = {
        layer[0].input: _Site(layer, torch.zeros(layer[0].in_features, dtype=torch.float64), {}) for layer in layers
    }
    read, made = dict[str, torch.Tensor](), dict[str, tuple[str, torch.Tensor]]()

    def project(op: Projection, values: Values) -> None:
        if op.input not in read:
            x = values[op.input]
            read[op.input] = x if x.requires_grad else x.clone().requires_grad_()
            read[op.input].retain_grad()
        y = read[op.input] @ executor.weights.get(op.weight).T
        y = y if op.bias is None else y + executor.weights.get(op.bias)
        y.retain_grad()
        values[op.output], made[op.path] = y, (op.input, y)

    executor = Executor(
        graph.ops, graph.weights, sizes, WITH_GRADIENTS, handlers={Projection: project}, input=graph.input,
        output=graph.output,
    )  # fmt: skip
    head = next(op for op in graph.projections() if op.output == graph.output)
    generator = torch.Generator().manual_seed(0)
    starts = range(0, tokens.size, window)
    wanted = max(1, min(len(starts), SENSED // window))
    for start in [starts[i * len(starts) // wanted] for i in range(wanted)]:
        read.clear()
        made.clear()
        with torch.enable_grad():
            hidden = executor.forward_hidden(tokens[start : start + window])
            slope, squares = _head(executor, head, hidden.detach(), generator)
            if not bool(torch.isfinite(slope).all()):
                problem, fix = "has logits that are not finite", "check the checkpoint in its own framework"
                raise ModelError("ND1103", graph.info.name, problem, fix)
            if hidden.requires_grad:
                hidden.backward(slope)  # type: ignore[no-untyped-call]
        for name, x in read.items():
            sites[name].squares += _squares(x)
        for path, (name, y) in made.items():
            sites[name].outputs[path] = sites[name].outputs.get(path, torch.zeros(())) + _squares(y)
        sites[head.input].squares += squares
        for name, x in {**read, head.input: hidden}.items():
            sites[name].rows += len(x)
            sites[name].sample.append(x.detach()[:: max(1, wanted * window // REMEMBERED)].bfloat16())
    return sites


def _squares(x: torch.Tensor) -> torch.Tensor:
    """Of the gradients of a value, summed over its rows; 0 where nothing behind it depends on it."""
    grad = torch.zeros_like(x) if x.grad is None else x.grad
    return grad.double().square_().sum(dim=0)


def _head(
    executor: Executor, head: Projection, hidden: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient of ``log p(y)`` by what the head reads, for a token y drawn for each row: ``w_y - sum_v p_v w_v``; and
    the sum over rows of its expected square, which needs no draw: ``sum_v p_v w_v**2 - (sum_v p_v w_v)**2``."""
    weight = executor.weights.get(head.weight)
    bias = None if head.bias is None else executor.weights.get(head.bias)
    slopes, squares = list[torch.Tensor](), torch.zeros(head.in_features, dtype=torch.float64)
    for rows in torch.split(hidden, HEAD_ROWS):
        p = torch.nn.functional.linear(rows, weight, bias).softmax(-1)
        mean, square = p @ weight, torch.zeros_like(rows)
        for start, stop in chunks(head.out_features):
            square += p[:, start:stop] @ weight[start:stop].square()
        squares += (square - mean.square()).clamp_min_(0).double().sum(dim=0)
        drawn = torch.multinomial(p.nan_to_num_(1.0), 1, generator=generator)[:, 0]
        slopes.append(weight[drawn] - mean)
    return torch.cat(slopes), squares
