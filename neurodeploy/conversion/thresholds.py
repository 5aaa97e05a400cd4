"""Fewer events: which payloads of linear layers are too small to be sent.

The loss of dropping one payload is that of its second order (KL from the float model, in nats, to where the gradient of the
KL is zero), with g the gradient of ``log p(y)`` by the value x and y drawn from the model's own prediction::

    loss_tj = (g_tj x_tj)**2 / 2         expected: x_tj**2 s_j / 2,   s_j = E_t[g_tj**2]

It saves as many synaptic events as its axon has synapses, c_j. One price of a synaptic event for all axons of all layers
gives the least loss for the events that are left (a Lagrange multiplier)::

    sent where x_tj**2 > threshold_j**2 = price c_j / s_j

The price is that at which a share of the synaptic events of calibration is left. s_j is measured by going back through the
float model from drawn tokens. Few tokens say little of one column, so half of it is what the gradients h_i of all outputs
say, ``sum_i E[h_i**2] w_ij**2``, in proportion. Of the head it is known without a draw (`_Head`).

What a site loses in a token is the square of a sum over its axons, not a sum of squares: where what is dropped pulls in one
direction it is several times as much (inputs of q, k, v). So s_j of a site are multiplied by what is lost together over what
they predict (`_check`).

Where it costs little, values are sent in a basis that spreads losses further apart (`conversion.bases`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.bases import Basis, Moments, Place, places, turned
from neurodeploy.conversion.layers import chunks
from neurodeploy.conversion.sparse import Threshold
from neurodeploy.errors import ModelError
from neurodeploy.ir.graph import Graph, Projection, WeightStore
from neurodeploy.ops.host.executor import Executor, Values

#: Tokens that gradients are measured on, those that thresholds are checked on, and how many of them are remembered to find
#: the price.
SENSED, CHECKED, REMEMBERED = 8192, 4096, 256
#: Multiples of the first thresholds at which it is checked what is lost together, how often the price is found again with
#: that, and how far a ratio may be from 1.
FACTORS, REFINED, LARGEST_RATIO = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0), 4, 16.0
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
    projection makes (its rows,), summed over `rows` values. sample : some values. moments : where it may be turned.
    sensitive : s_j. together : see `_check`; ratio : that of what is lost to what s_j say."""

    layer: Sequence[Projection]
    squares: torch.Tensor
    outputs: dict[str, torch.Tensor]
    rows: int = 0
    sample: list[torch.Tensor] = field(default_factory=list)
    moments: Moments | None = None
    sensitive: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    together: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    ratio: float = 1.0

    @property
    def fan(self) -> int:
        return sum(p.out_features for p in self.layer)

    def remember(self, x: torch.Tensor, pieces: Sequence[NDArray[np.int64]]) -> None:
        self.sample.append(x.detach()[:: max(1, sum(map(len, pieces)) // REMEMBERED)].bfloat16())

    def losses(self, weights: WeightStore) -> torch.Tensor:
        """Find s_j; squared norms of columns."""
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
        self.sensitive = ((1 - share) * mean + share * prior).float()
        return power

    def refine(self, dearer: float) -> None:
        """The ratio at the threshold of a price so many times the first: its square times the ratio is that."""
        measured, predicted = self.together.numpy()
        if not (measured > 0).all() or not (predicted > 0).all():
            return
        factor = float(np.log(dearer / self.ratio) / 2)
        ratio = float(np.exp(np.interp(factor, np.log(FACTORS), np.log(measured / predicted))))
        self.ratio = float(np.clip(ratio, 1 / LARGEST_RATIO, LARGEST_RATIO))


class Chosen(NamedTuple):
    """The graph, with some values in other bases, and thresholds by the value that a layer reads. Layers that no token
    reached have none."""

    graph: Graph
    limits: dict[str, Threshold]


def thresholds(
    graph: Graph, layers: Sequence[Sequence[Projection]], tokens: NDArray[np.int64], window: int, share: float,
    *, turn: bool = True,
) -> Chosen:  # fmt: skip
    """So that this share of the synaptic events of these tokens is left, what the bases take among them. turn : whether
    values may be sent in other bases."""
    sites = _sensed(graph, layers, _spread(tokens, window, SENSED), places(graph) if turn else {})
    every = {name: site for name, site in sites.items() if site.rows and bool(site.squares.any())}
    own = sum(site.fan * len(site.squares) for site in every.values())
    graph, every = _turned(graph, every)
    left = share * own / sum(site.fan * len(site.squares) for site in every.values())
    powers = {name: site.losses(graph.weights) for name, site in every.items()}
    first, limits = _limits(every, powers, left)
    _check(graph, every, limits, _spread(tokens, window, CHECKED))
    every = {name: site for name, site in every.items() if site.rows}
    price = first
    for _ in range(REFINED):
        for site in every.values():
            site.refine(price / first)
        price, limits = _limits(every, powers, left)
    graph.weights.release()
    return Chosen(graph, limits)


def _limits(
    sites: Mapping[str, _Site], powers: Mapping[str, torch.Tensor], left: float
) -> tuple[float, dict[str, Threshold]]:
    """The price at which this share of the synaptic events of what is remembered is left, and the thresholds."""
    saved, synapses = list[torch.Tensor](), list[torch.Tensor]()
    for site in sites.values():
        sample = torch.cat(site.sample).float()
        worth = (sample.square_() * (site.sensitive * (site.ratio / site.fan))).flatten()
        saved.append(worth[worth > 0])
        synapses.append(torch.full((len(saved[-1]),), site.fan * site.rows / len(sample), dtype=torch.float64))
    worth, order = torch.cat(saved).sort()
    dropped = torch.cat(synapses)[order].cumsum(0)
    price = float(worth[min(int(torch.searchsorted(dropped, (1 - left) * float(dropped[-1]))), len(worth) - 1)])
    return price, {
        name: Threshold((price * site.fan / (site.ratio * site.sensitive).clamp_min(TINY)).sqrt().numpy(), powers[name])
        for name, site in sites.items()
    }


def _turned(graph: Graph, sites: dict[str, _Site]) -> tuple[Graph, dict[str, _Site]]:
    """The graph with the bases that were found, and what is known of the inputs of its layers."""
    found = {name: site.moments.basis() for name, site in sites.items() if site.moments is not None}
    bases: dict[str, Basis] = {name: basis for name, basis in found.items() if basis is not None}
    graph = turned(graph, bases)
    made = {p.path: p for p in graph.projections()}
    every = dict[str, _Site]()
    for name, site in sites.items():
        layer = [made[p.path] for p in site.layer]
        if name in bases and site.moments is not None:
            basis = bases[name]
            new = _Site(
                layer, basis.squares(site.moments.slopes), site.outputs, site.rows,
                [basis.there_of(part.float()) for part in site.sample],
            )  # fmt: skip
            if layer[0].input != name:  # behind a layer of its own
                turns = [p for p in made.values() if p.input == name]
                every[name] = replace(site, layer=turns, outputs={})
            every[layer[0].input] = new
        else:
            every[name] = site
    return graph, every


class _Window(NamedTuple):
    """What going back through one window has left. read : the inputs of layers, with gradients; made : outputs of layers by
    path, with the name of their input; hidden and slope : the input of the head, and the gradient there."""

    read: Mapping[str, torch.Tensor]
    made: Mapping[str, tuple[str, torch.Tensor]]
    hidden: torch.Tensor
    slope: torch.Tensor


class _Back:
    """Goes back through the float model from tokens that are drawn from its own predictions."""

    def __init__(self, graph: Graph) -> None:
        self._name = graph.info.name
        self._read, self._made = dict[str, torch.Tensor](), dict[str, tuple[str, torch.Tensor]]()
        sizes = {name: population.size for name, population in graph.populations.items()}
        self._executor = Executor(
            graph.ops, graph.weights, sizes, WITH_GRADIENTS, handlers={Projection: self._project}, input=graph.input,
            output=graph.output,
        )  # fmt: skip
        self.head = _Head(self._executor, next(op for op in graph.projections() if op.output == graph.output))

    def _project(self, op: Projection, values: Values) -> None:
        if op.input not in self._read:
            x = values[op.input]
            self._read[op.input] = x if x.requires_grad else x.clone().requires_grad_()
            self._read[op.input].retain_grad()
        y = self._read[op.input] @ self._executor.weights.get(op.weight).T
        y = y if op.bias is None else y + self._executor.weights.get(op.bias)
        y.retain_grad()
        values[op.output], self._made[op.path] = y, (op.input, y)

    def run(self, tokens: NDArray[np.int64]) -> _Window:
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
        return _Window(self._read, self._made, hidden.detach(), slope)


def _spread(tokens: NDArray[np.int64], window: int, most: int) -> list[NDArray[np.int64]]:
    """Windows spread over the tokens, of so many at most."""
    starts = range(0, tokens.size, window)
    wanted = max(1, min(len(starts), most // window))
    return [tokens[start : start + window] for start in (starts[i * len(starts) // wanted] for i in range(wanted))]


def _sensed(
    graph: Graph, layers: Sequence[Sequence[Projection]], pieces: Sequence[NDArray[np.int64]],
    may_turn: Mapping[str, Place],
) -> dict[str, _Site]:  # fmt: skip
    """What these windows say of the input of every layer."""
    sites = {
        layer[0].input: _Site(layer, torch.zeros(layer[0].in_features, dtype=torch.float64), {}) for layer in layers
    }
    for name, place in may_turn.items():
        width = graph.populations[name].size // place.groups
        sums = (torch.zeros(place.groups, width, width, dtype=torch.float64) for _ in range(2))
        sites[name].moments = Moments(place, *sums)
    back = _Back(graph)
    for piece in pieces:
        found = back.run(piece)
        for name, x in found.read.items():
            sites[name].squares += _squares(x)
        for path, (name, y) in found.made.items():
            sites[name].outputs[path] = sites[name].outputs.get(path, torch.zeros(())) + _squares(y)
        for name, x in {**found.read, back.head.input: found.hidden}.items():
            site = sites[name]
            site.rows += len(x)
            site.remember(x, pieces)
            if site.moments is not None:
                site.moments.inputs += _products(x.detach(), site.moments.place.groups)
                if name != back.head.input and x.grad is not None:
                    site.moments.slopes += _products(x.grad, site.moments.place.groups)
    last = sites[back.head.input]
    slopes = back.head.moment()
    last.squares += slopes.diagonal()
    if last.moments is not None:
        last.moments.slopes += slopes
    return sites


def _check(
    graph: Graph, sites: Mapping[str, _Site], limits: Mapping[str, Threshold], pieces: Sequence[NDArray[np.int64]]
) -> None:
    """What is lost together at a site on these windows, over what `limits` (thresholds, of a price) predict::

        ratio = E[(sum_j g_tj e_tj)**2] / E[sum_j s_j e_tj**2]          e_tj: x_tj where it is not sent, else 0

    at thresholds that are `FACTORS` times as large; and other values to remember."""
    for site in sites.values():
        site.sample.clear()
        site.together, site.rows = torch.zeros(2, len(FACTORS), dtype=torch.float64), 0
    back = _Back(graph)
    for piece in pieces:
        found = back.run(piece)
        slopes = {**{name: x.grad for name, x in found.read.items()}, back.head.input: found.slope}
        for name, x in {**found.read, back.head.input: found.hidden}.items():
            if name not in sites:
                continue
            site, values = sites[name], x.detach()
            site.rows += len(values)
            site.remember(values, pieces)
            limit, slope = torch.from_numpy(limits[name].limit), slopes[name]
            if slope is None:
                continue
            for i, factor in enumerate(FACTORS):
                lost = torch.where(values.abs() > factor * limit, 0.0, values)
                site.together[0, i] += (lost * slope).sum(dim=1).double().square().sum()
                site.together[1, i] += (lost.square() @ site.sensitive).double().sum()


def _products(x: torch.Tensor, groups: int) -> torch.Tensor:
    """(groups, k, k) sums over tokens of the products of a group's values."""
    parts = x.reshape(len(x), groups, -1).transpose(0, 1)
    return (parts.mT @ parts).double()


def _squares(x: torch.Tensor) -> torch.Tensor:
    """Of the gradients of a value, summed over its rows; 0 where nothing behind it depends on it."""
    grad = torch.zeros_like(x) if x.grad is None else x.grad
    return grad.double().square_().sum(dim=0)


class _Head:
    """What the head says of its input. With p the model's own prediction and w_v the head's rows, for a token y drawn from
    it the gradient of ``log p(y)`` is ``w_y - sum_v p_v w_v``, and what is expected of its products needs no draw:
    ``sum_v p_v w_v w_v^T - (sum_v p_v w_v) (sum_v p_v w_v)^T``."""

    def __init__(self, executor: Executor, head: Projection) -> None:
        self.input = head.input
        self._weight = executor.weights.get(head.weight)
        self._bias = None if head.bias is None else executor.weights.get(head.bias)
        self._likely = torch.zeros(head.out_features, dtype=torch.float64)
        self._means = torch.zeros(head.in_features, head.in_features, dtype=torch.float64)
        self._generator = torch.Generator().manual_seed(0)

    def slopes(self, hidden: torch.Tensor) -> torch.Tensor:
        """The gradients, of one draw for each row."""
        slopes = list[torch.Tensor]()
        for rows in torch.split(hidden, HEAD_ROWS):
            p = torch.nn.functional.linear(rows, self._weight, self._bias).softmax(-1)
            mean = p @ self._weight
            self._likely += p.double().sum(dim=0)
            self._means += (mean.T @ mean).double()
            drawn = torch.multinomial(p.nan_to_num_(1.0), 1, generator=self._generator)[:, 0]
            slopes.append(self._weight[drawn] - mean)
        return torch.cat(slopes)

    def moment(self) -> torch.Tensor:
        """Of the gradients, summed over all rows so far."""
        found = -self._means
        for start, stop in chunks(len(self._weight)):
            part = self._weight[start:stop].double()
            found += (part.T * self._likely[start:stop]) @ part
        found.diagonal().clamp_min_(0)
        return found
