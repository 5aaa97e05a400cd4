"""Fewer events: which payloads of linear layers are too small to be sent.

The loss of dropping one payload is that of its second order (KL from the float model, in nats, to where the gradient of the
KL is zero), with g the gradient of ``log p(y)`` by the value x and y drawn from the model's own prediction::

    loss_tj = (g_tj x_tj)**2 / 2         expected: x_tj**2 s_j / 2,   s_j = E_t[g_tj**2]

It saves as many synaptic events as its axon has synapses, c_j. One price of a synaptic event for all axons of all layers
gives the least loss for the events that are left (a Lagrange multiplier)::

    sent where x_tj**2 > threshold_j**2 = price c_j / s_j

The price is that at which a share of the synaptic events of calibration is left. s_j is measured by going back
through the float model from drawn tokens, and drawn towards what the weights of a column say alone, since few tokens say
little of a column.
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
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.ops.host.executor import Executor, Values

#: Tokens that gradients are measured on, and how many of them are remembered to find the price.
SENSED, REMEMBERED = 2048, 256
#: How much of s_j is what the weights of its column say.
PRIOR = 0.1
#: No loss is smaller, and no limit larger than its inverse.
TINY = 1e-30
#: Rows of logits that exist at a time.
HEAD_ROWS = 64
#: Kernels of torch on the processor: they keep what a way back needs.
WITH_GRADIENTS = "cpu:0"


@dataclass(slots=True, eq=False)
class _Site:
    """Inputs of a layer. squares : of gradients, summed over `rows` values of each column; sample : some values; fan :
    synapses of a column."""

    fan: int
    power: torch.Tensor
    squares: torch.Tensor
    rows: int = 0
    sample: list[torch.Tensor] = field(default_factory=list)

    def losses(self) -> torch.Tensor:
        """(columns,) s_j."""
        mean = self.squares / max(1, self.rows)
        total = float(self.power.sum())
        prior = self.power * (float(mean.sum()) / total) if total else mean
        return (1 - PRIOR) * mean + PRIOR * prior


def thresholds(
    graph: Graph, layers: Sequence[Sequence[Projection]], tokens: NDArray[np.int64], window: int, share: float
) -> dict[str, Threshold]:
    """By the value that a layer reads, so that this share of the synaptic events of these tokens is left. Layers that
    no token reached have none."""
    sites = _sensed(graph, layers, tokens, window)
    every = {name: site for name, site in sites.items() if site.rows and bool(site.squares.any())}
    saved, synapses = list[torch.Tensor](), list[torch.Tensor]()
    for site in every.values():
        sample = torch.cat(site.sample).float()
        worth = (sample.square_() * (site.losses() / site.fan).float()).flatten()
        saved.append(worth[worth > 0])
        synapses.append(torch.full((len(saved[-1]),), site.fan * site.rows / len(sample), dtype=torch.float64))
    worth, order = torch.cat(saved).sort()
    dropped = torch.cat(synapses)[order].cumsum(0)
    price = float(worth[int(torch.searchsorted(dropped, (1 - share) * float(dropped[-1])))])
    found = {}
    for name, site in every.items():
        limit = torch.sqrt(price * site.fan / site.losses().clamp_min(TINY)).clamp_max(1 / TINY)
        found[name] = Threshold(limit.float().numpy(), site.power)
    return found


def _sensed(
    graph: Graph, layers: Sequence[Sequence[Projection]], tokens: NDArray[np.int64], window: int
) -> dict[str, _Site]:
    """What windows spread over the tokens say of the input of every layer."""
    sizes = {name: population.size for name, population in graph.populations.items()}
    sites = {
        layer[0].input: _Site(
            sum(p.out_features for p in layer), _power(graph, layer), torch.zeros(layer[0].in_features).double()
        )
        for layer in layers
    }
    read = dict[str, torch.Tensor]()

    def project(op: Projection, values: Values) -> None:
        x = values[op.input]
        if op.output != graph.output:
            if op.input not in read:
                read[op.input] = x if x.requires_grad else x.clone().requires_grad_()
                read[op.input].retain_grad()
            x = read[op.input]
        y = x @ executor.weights.get(op.weight).T
        values[op.output] = y if op.bias is None else y + executor.weights.get(op.bias)

    executor = Executor(
        graph.ops, graph.weights, sizes, WITH_GRADIENTS, handlers={Projection: project}, input=graph.input,
        output=graph.output,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    starts = range(0, tokens.size, window)
    wanted = max(1, min(len(starts), SENSED // window))
    for start in [starts[i * len(starts) // wanted] for i in range(wanted)]:
        read.clear()
        with torch.enable_grad():
            hidden = executor.forward_hidden(tokens[start : start + window])
            slope = torch.cat([_slope(executor, rows, generator) for rows in torch.split(hidden.detach(), HEAD_ROWS)])
            if not bool(torch.isfinite(slope).all()):
                problem, fix = "has logits that are not finite", "check the checkpoint in its own framework"
                raise ModelError("ND1103", graph.info.name, problem, fix)
            if hidden.requires_grad:
                hidden.backward(slope)  # type: ignore[no-untyped-call]
        found = {name: (x.detach(), x.grad) for name, x in read.items()}
        for name, (value, gradient) in {**found, executor.head_input: (hidden.detach(), slope)}.items():
            site = sites[name]
            site.rows += len(value)
            if gradient is not None:
                site.squares += gradient.double().square().sum(dim=0)
            site.sample.append(value[:: max(1, wanted * window // REMEMBERED)].bfloat16())
    graph.weights.release()
    return sites


def _slope(executor: Executor, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The gradient of ``log p(y)`` by what the head reads, for a token y drawn for each row."""
    rows = rows.clone().requires_grad_()
    logs = executor.head(rows).log_softmax(-1)
    drawn = torch.multinomial(logs.detach().exp().nan_to_num_(1.0), 1, generator=generator)
    return torch.autograd.grad(logs.gather(1, drawn).sum(), rows)[0]


def _power(graph: Graph, layer: Sequence[Projection]) -> torch.Tensor:
    """(columns,) squared norm of each column of weights."""
    power = torch.zeros(layer[0].in_features, dtype=torch.float64)
    for projection in layer:
        for start, stop in chunks(projection.out_features):
            power += torch.from_numpy(graph.weights.get(projection.weight, start, stop)).square_().sum(dim=0)
    return power
