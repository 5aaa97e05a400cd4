"""How many bits the weights of each layer get: a budget is spent where it is predicted to save most.

The loss that a layer adds is taken to be its relative error, that of its weights rounded to the nearest (`groups`), times
how much the model minds errors there: to second order the loss grows with the power of the error at the outputs, and outputs
of different layers have the same power relative to what they are added to, roughly. `MINDS` says how much more some
projections count than others, measured (docs/conversion.md).

All layers begin with the fewest bits. Then, again and again, the step to more bits that saves the most predicted loss a bit
is taken while the budget lasts; where a model has a head its weights come last, with what the budget of all leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurodeploy.conversion.groups import GroupGrid, relative_error
from neurodeploy.ir.graph import Projection, WeightStore

#: From few bits a weight to many.
GRIDS = (GroupGrid(4, 32), GroupGrid(5, 64), GroupGrid(5, 32), GroupGrid(6, 64), GroupGrid(8, 0))
#: Of projections by their role, how much their relative error counts; 1 for others.
MINDS: Mapping[str, float] = {}
#: Rows of a matrix that stand for all of it.
SAMPLED_ROWS = 512


@dataclass(frozen=True, slots=True)
class Choice:
    """A layer: weights, and the predicted loss of each of `GRIDS`."""

    path: str
    size: int
    losses: tuple[float, ...]


def choices_of(layers: Sequence[Sequence[Projection]], weights: WeightStore) -> list[Choice]:
    return [_choice(projections, weights) for projections in layers]


def _choice(projections: Sequence[Projection], weights: WeightStore) -> Choice:
    losses = np.zeros(len(GRIDS))
    for projection in projections:
        rows = min(projection.out_features, SAMPLED_ROWS)
        starts = np.linspace(0, projection.out_features - rows, 2 if rows < projection.out_features else 1).astype(int)
        part = np.concatenate([weights.get(projection.weight, at, at + rows // len(starts)) for at in starts.tolist()])
        errors = [relative_error(part, grid) for grid in GRIDS]
        losses += MINDS.get(projection.role, 1.0) * np.minimum.accumulate(errors)
    size = sum(p.out_features * p.in_features for p in projections)
    return Choice(projections[0].path, size, tuple(losses.tolist()))


def allocate(choices: Sequence[Choice], mean_bits: float) -> dict[str, GroupGrid]:
    """A grid for each layer so that weights have at most so many bits in the mean, or the fewest that there are."""
    level = dict.fromkeys((choice.path for choice in choices), 0)
    left = sum(choice.size * (mean_bits - GRIDS[0].bits_a_weight) for choice in choices)
    while True:
        best: tuple[float, Choice, int, float] | None = None
        for choice in choices:
            now = level[choice.path]
            for further in range(now + 1, len(GRIDS)):
                price = choice.size * (GRIDS[further].bits_a_weight - GRIDS[now].bits_a_weight)
                saved = (choice.losses[now] - choice.losses[further]) / price
                if price <= left and saved > 0 and (best is None or saved > best[0]):
                    best = saved, choice, further, price
        if best is None:
            return {path: GRIDS[index] for path, index in level.items()}
        _, choice, further, price = best
        level[choice.path], left = further, left - price


def planned(
    layers: Sequence[Sequence[Projection]], head: str, weights: WeightStore, body_bits: float, all_bits: float
) -> dict[str, GroupGrid]:
    """By the path of a layer's first projection. head : the value that the model's head makes."""
    body = choices_of([layer for layer in layers if layer[0].output != head], weights)
    last = choices_of([layer for layer in layers if layer[0].output == head], weights)
    found = allocate(body, body_bits)
    spent = sum(choice.size * found[choice.path].bits_a_weight for choice in body)
    total = sum(choice.size for choice in (*body, *last))
    if last:
        found |= allocate(last, (all_bits * total - spent) / sum(choice.size for choice in last))
    return found
