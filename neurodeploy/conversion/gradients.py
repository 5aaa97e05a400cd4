"""Back through the float model: the gradients of ``log p(y)`` by what its layers read, y drawn from its own predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.layers import chunks
from neurodeploy.conversion.row_groups import groups
from neurodeploy.errors import ModelError
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.ops.host.executor import Executor, Values

#: Rows of logits that exist at a time.
HEAD_ROWS = 64
#: Kernels of torch on the processor: they keep what a way back needs.
WITH_GRADIENTS = "cpu:0"


class Gradients(NamedTuple):
    """What going back through one window has left. read : the inputs of layers, with the gradients that come through each,
    by the path of a layer's first projection; made : outputs of projections by path, with that of their layer; hidden and
    slope : the input of the head, and the gradient there."""

    read: Mapping[str, torch.Tensor]
    made: Mapping[str, tuple[str, torch.Tensor]]
    hidden: torch.Tensor
    slope: torch.Tensor


class Back:
    """Goes back through the float model from tokens that are drawn from its own predictions."""

    def __init__(self, graph: Graph, layers: Iterable[Sequence[Projection]]) -> None:
        self._name = graph.info.name
        self._layer = {projection.path: layer[0].path for layer in layers for projection in layer}
        self._read, self._made = dict[str, torch.Tensor](), dict[str, tuple[str, torch.Tensor]]()
        sizes = {name: population.size for name, population in graph.populations.items()}
        self._executor = Executor(
            graph.ops, graph.weights, sizes, WITH_GRADIENTS, handlers={Projection: self._project}, input=graph.input,
            output=graph.output,
        )  # fmt: skip
        self.head = Head(self._executor, next(op for op in graph.projections() if op.output == graph.output))

    def _project(self, op: Projection, values: Values) -> None:
        layer = self._layer.get(op.path, op.path)
        if layer not in self._read:
            x = values[op.input]
            self._read[layer] = x.view_as(x) if x.requires_grad else x.clone().requires_grad_()
            self._read[layer].retain_grad()
        y = self._read[layer] @ self._executor.weights.get(op.weight).T
        y = y if op.bias is None else y + self._executor.weights.get(op.bias)
        y.retain_grad()
        values[op.output], self._made[op.path] = y, (layer, y)

    def run(self, tokens: NDArray[np.int64]) -> Gradients:
        self._read.clear()
        self._made.clear()
        with torch.enable_grad():
            hidden = self._executor.forward_hidden(tokens)
            slope = self.head.slopes(hidden.detach())
            if not bool(torch.isfinite(slope).all()):
                problem, fix = "has logits that are not finite", "check the checkpoint in its own framework"
                raise ModelError("ND1103", self._name, problem, fix)
            if hidden.requires_grad:
                hidden.backward(slope)  # type: ignore[no-untyped-call]
        return Gradients(self._read, self._made, hidden.detach(), slope)


class Head:
    """What the head says of its input. With p the model's own prediction and w_v the head's rows, for a token y drawn from
    it the gradient of ``log p(y)`` is ``w_y - sum_v p_v w_v``, and what is expected of its products needs no draw:
    ``sum_v p_v w_v w_v^T - (sum_v p_v w_v) (sum_v p_v w_v)^T``. Those of a group of rows are its part of that sum,
    ``sum_(v in r) p_v (w_v - m) (w_v - m)^T`` with m the mean row."""

    def __init__(self, executor: Executor, head: Projection) -> None:
        self.path = head.path
        self._weight = executor.weights.get(head.weight)
        self._bias = None if head.bias is None else executor.weights.get(head.bias)
        self._likely = torch.zeros(head.out_features, dtype=torch.float64)
        self._groups = groups(head.out_features)
        #: By group, -sum (m_r m^T + m m_r^T - p_r m m^T), with p_r and m_r the group's part of all p and of m.
        self._means = torch.zeros(len(self._groups), head.in_features, head.in_features, dtype=torch.float64)
        self._generator = torch.Generator().manual_seed(0)

    def slopes(self, hidden: torch.Tensor) -> torch.Tensor:
        """The gradients, of one draw for each row."""
        slopes = list[torch.Tensor]()
        for rows in torch.split(hidden, HEAD_ROWS):
            p = torch.nn.functional.linear(rows, self._weight, self._bias).softmax(-1)
            parts = [p[:, start:stop] @ self._weight[start:stop] for start, stop in self._groups]
            mean = torch.stack(parts).sum(0)
            self._likely += p.double().sum(dim=0)
            for (start, stop), part, found in zip(self._groups, parts, self._means, strict=True):
                half = (part - p[:, start:stop].sum(1, keepdim=True) * mean / 2).T @ mean
                found -= (half + half.T).double()
            drawn = torch.multinomial(p.nan_to_num_(1.0), 1, generator=self._generator)[:, 0]
            slopes.append(self._weight[drawn] - mean)
        return torch.cat(slopes)

    def mean(self) -> torch.Tensor:
        """(columns,) the mean of m over all rows so far."""
        return sum(
            (self._likely[a:b] @ self._weight[a:b].double() for a, b in chunks(len(self._weight))), torch.zeros(())
        ) / max(float(self._likely.sum()), 1.0)

    def moments(self) -> torch.Tensor:
        """(groups, columns, columns) of the gradients, summed over all rows so far, by group of the head's rows."""
        found = self._means.clone()
        for (first, last), own in zip(self._groups, found, strict=True):
            for start, stop in chunks(last - first):
                part = self._weight[first + start : first + stop].double()
                own += (part.T * self._likely[first + start : first + stop]) @ part
        found.diagonal(dim1=1, dim2=2).clamp_min_(0)
        return found


def products(x: torch.Tensor, groups: int) -> torch.Tensor:
    """(groups, k, k) sums over tokens of the products of a group's values."""
    parts = x.reshape(len(x), groups, -1).transpose(0, 1)
    return (parts.mT @ parts).double()


def squares_of(x: torch.Tensor) -> torch.Tensor:
    """Of the gradients of a value, summed over its rows; 0 where nothing behind it depends on it."""
    grad = torch.zeros_like(x) if x.grad is None else x.grad
    return grad.double().square_().sum(dim=0)
