"""Fewer events: which payloads of linear layers are too small to be sent.

The loss of dropping one payload is that of its second order (KL from the float model, in nats, to where the gradient of the
KL is zero), with g the gradient of ``log p(y)`` by the value x and y drawn from the model's own prediction::

    loss_tj = (g_tj x_tj)**2 / 2         expected: x_tj**2 s_j / 2,   s_j = E_t[g_tj**2]

It saves as many synaptic events as its axon has synapses, c_j. One price of a synaptic event for all axons of all layers
gives the least loss for the events that are left (a Lagrange multiplier)::

    sent where x_tj**2 > threshold_j**2 = price c_j / s_j

The price is that at which a share of the synaptic events of calibration is left. s_j is measured by going back through the
float model from drawn tokens. Few tokens say little of one column, so half of it is what the gradients h_i of all outputs
say, ``sum_i E[h_i**2] w_ij**2``, in proportion. Of the head it is known without a draw (`gradients.Head`).

What a site loses in a token is the square of a sum over its axons, not a sum of squares: where what is dropped pulls in one
direction it is several times as much (inputs of q, k, v). So s_j of a site are multiplied by what is lost together over what
they predict, measured on tokens that they do not know (`_check`).

Where it costs little, values are sent in a basis that spreads losses further apart (`conversion.bases`), and rows of a large
head hear what is sent for them alone (`conversion.row_groups`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.bases import WORTH, Coordinates, Moments, Place, places, turned
from neurodeploy.conversion.gradients import Back, Head, products, squares_of
from neurodeploy.conversion.layers import chunks
from neurodeploy.conversion.row_groups import in_groups
from neurodeploy.conversion.sparse import Threshold
from neurodeploy.ir.graph import Graph, Projection, WeightStore

#: Tokens that gradients are measured on, and how many of them are remembered to find the price.
SENSED, REMEMBERED = 4096, 256
#: From so many windows on, some check what others say.
FEW = 4
#: Multiples of the first thresholds at which it is checked what is lost together, how often the price is found again with
#: that, and how far a ratio may be from 1.
FACTORS, REFINED, LARGEST_RATIO = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0), 4, 16.0
#: How much of s_j is what the weights of its column and the gradients of the layer's outputs say.
PRIOR = 0.5
#: No loss is smaller, and no limit larger than its inverse.
TINY = 1e-30


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
    """The graph, with some values in other bases, and thresholds by the path of a layer's first projection. Layers that no
    token reached have none."""

    graph: Graph
    limits: dict[str, Threshold]


def thresholds(
    graph: Graph, layers: Sequence[Sequence[Projection]], tokens: NDArray[np.int64], window: int, share: float,
    *, turn: bool = True, cut: bool = False,
) -> Chosen:  # fmt: skip
    """So that this share of the synaptic events of these tokens is left, what the bases take among them. turn : whether
    values may be sent in other bases. cut : whether rows of a large head may have inputs of their own (`row_groups`)."""
    sensed, others = _pieces(tokens, window)
    sites = _sensed(graph, layers, sensed, places(graph) if turn else {})
    every = {name: site for name, site in sites.items() if site.rows and bool(site.squares.any())}
    own = sum(site.fan * len(site.squares) for site in every.values())
    graph, every = _turned(graph, every)
    left = share * own / sum(site.fan * len(site.squares) for site in every.values())
    powers = {name: site.losses(graph.weights) for name, site in every.items()}
    first, limits = _limits(every, powers, left)
    unchecked = dict(limits)  # of experts that only the first windows chose
    head = _check(graph, every, limits, others)
    every = {name: site for name, site in every.items() if site.rows}
    if cut and head.path in every:
        graph = _cut(graph, every, powers, head)
        if head.path not in every:
            del unchecked[head.path]
    price = first
    for _ in range(REFINED):
        for site in every.values():
            site.refine(price / first)
        price, limits = _limits(every, powers, left)
    graph.weights.release()
    return Chosen(graph, {**unchecked, **limits})


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
    bases: dict[str, Coordinates] = {name: basis for name, basis in found.items() if basis is not None}
    graph = turned(graph, bases)
    made = {p.path: p for p in graph.projections()}
    every = dict[str, _Site]()
    for name, site in sites.items():
        layer = [made[p.path] for p in site.layer]
        if name in bases and site.moments is not None:
            basis = bases[name]
            if layer[0].input != site.layer[0].input:  # behind a layer of its own
                turns = next(p for p in made.values() if p.output == layer[0].input)
                every[turns.path] = replace(site, layer=[turns], outputs={})
            every[name] = _Site(
                layer, basis.squares(site.moments.slopes), site.outputs, site.rows,
                [basis.there_of(part.float()) for part in site.sample],
            )  # fmt: skip
        else:
            every[name] = site
    return graph, every


def _cut(graph: Graph, sites: dict[str, _Site], powers: dict[str, torch.Tensor], head: Head) -> Graph:
    """The graph with a large head in groups of rows, each with what is known of it in place of the whole."""
    whole = next(p for p in graph.projections() if p.path == head.path)
    if whole.out_features < WORTH * whole.in_features:
        return graph
    site = sites.pop(head.path)
    graph, parts = in_groups(graph, whole, head.mean().float().numpy())
    for part, moment in zip(parts, head.moments(), strict=True):
        own = sites[part.path] = _Site(
            [part], moment.diagonal(), {}, site.rows, site.sample, together=site.together * 0
        )
        powers[part.path] = own.losses(graph.weights)
    return graph


def _pieces(tokens: NDArray[np.int64], window: int) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Windows spread over the tokens: what sensitivities are measured on, and others between them that check those; all of
    them for both where they are fewer than `FEW`."""
    pieces = [tokens[start : start + window] for start in range(0, tokens.size, window)]
    if len(pieces) < FEW:
        return pieces, pieces
    wanted = max(2, min(len(pieces), 2 * SENSED // window))
    spread = [pieces[i * len(pieces) // wanted] for i in range(wanted)]
    return spread[::2], spread[1::2]


def _sensed(
    graph: Graph, layers: Sequence[Sequence[Projection]], pieces: Sequence[NDArray[np.int64]],
    may_turn: Mapping[str, Place],
) -> dict[str, _Site]:  # fmt: skip
    """What these windows say of the input of every layer."""
    sites = {
        layer[0].path: _Site(layer, torch.zeros(layer[0].in_features, dtype=torch.float64), {}) for layer in layers
    }
    for name, place in may_turn.items():
        width = sites[name].layer[0].in_features // place.groups
        sums = (torch.zeros(place.groups, width, width, dtype=torch.float64) for _ in range(2))
        sites[name].moments = Moments(place, *sums)
    back = Back(graph, layers)
    for piece in pieces:
        found = back.run(piece)
        for name, x in found.read.items():
            sites[name].squares += squares_of(x)
        for path, (name, y) in found.made.items():
            sites[name].outputs[path] = sites[name].outputs.get(path, torch.zeros(())) + squares_of(y)
        for name, x in {**found.read, back.head.path: found.hidden}.items():
            site = sites[name]
            site.rows += len(x)
            site.remember(x, pieces)
            if site.moments is not None:
                site.moments.inputs += products(x.detach(), site.moments.place.groups)
                if name != back.head.path and x.grad is not None:
                    site.moments.slopes += products(x.grad, site.moments.place.groups)
    last = sites[back.head.path]
    slopes = back.head.moments().sum(0)
    last.squares += slopes.diagonal()
    if last.moments is not None:
        last.moments.slopes += slopes
    return sites


def _check(
    graph: Graph, sites: Mapping[str, _Site], limits: Mapping[str, Threshold], pieces: Sequence[NDArray[np.int64]]
) -> Head:
    """What the head says of these windows; what is lost together at a site there, over what `limits` (thresholds, of a
    price) predict::

        ratio = E[(sum_j g_tj e_tj)**2] / E[sum_j s_j e_tj**2]          e_tj: x_tj where it is not sent, else 0

    at thresholds that are `FACTORS` times as large; and other values to remember."""
    for site in sites.values():
        site.sample.clear()
        site.together, site.rows = torch.zeros(2, len(FACTORS), dtype=torch.float64), 0
    back = Back(graph, [site.layer for site in sites.values()])
    for piece in pieces:
        found = back.run(piece)
        slopes = {**{name: x.grad for name, x in found.read.items()}, back.head.path: found.slope}
        for name, x in {**found.read, back.head.path: found.hidden}.items():
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
    return back.head
