"""Weights to int8: a scale per output row, and rounding that knows what the inputs look like.

With second moment ``H = X^T X`` of the calibration inputs, the output error of a row is ``(w - s q) H (w - s q)^T``. The
"gptq" rounding (Frantar et al., arXiv 2210.17323: rounding in order, each column's error compensated in the columns not yet
rounded through the Cholesky factor of ``H^-1``) lowers it well below that of rounding to nearest at the same cost on chip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

#: Of a column and what is to become integers there: (rows,) integers and the real values that they stand for.
Nearest = Callable[[int, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
#: Columns rounded before the rest of the row is updated: large enough for matrix products, small enough for the cache.
COLUMNS_PER_UPDATE = 64
#: Candidate row scales, as shares of the scale that just holds the largest weight.
SCALE_SHARES = (1.0, 0.985, 0.97, 0.955, 0.94, 0.92, 0.9, 0.87, 0.84, 0.8)
#: Mean squares below this were summed in float32 numbers without full precision: as good as silent.
FAINTEST = 2.0**-100


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Columns ``start:stop`` of a weight matrix: `order` sorts them by falling input power, `factor` is the upper
    Cholesky factor of their inverse second moment in that order."""

    start: int
    stop: int
    order: torch.Tensor
    factor: torch.Tensor


def compensation(moments: list[torch.Tensor], tokens: int, damping: float) -> list[Block]:
    """Prepare block-diagonal second moments ``X^T X``. Columns that never fire get unit power: any weight is right.

    Each diagonal element grows by the share `damping` of itself. The usual share of the *mean* diagonal is ruled by the few
    outlier channels of a language model and leaves the others as good as uncorrelated (docs/conversion.md).
    """
    blocks = []
    start = 0
    for moment in moments:
        order = torch.argsort(moment.diagonal(), descending=True, stable=True)
        part = moment[order][:, order].double() / max(tokens, 1)
        diagonal = part.diagonal()
        silent = diagonal < FAINTEST
        part[silent], part[:, silent] = 0.0, 0.0
        diagonal.copy_(torch.where(silent, torch.ones_like(diagonal), diagonal * (1 + damping)))
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(part))
        factor = torch.linalg.cholesky(inverse, upper=True).float()
        blocks.append(Block(start, start + moment.shape[0], order, factor))
        start += moment.shape[0]
    return blocks


def row_scales(weight: torch.Tensor, limit: int, power: torch.Tensor | None) -> torch.Tensor:
    """(rows,) scales: absolute maximum over `limit`, shrunk where clipping a little lowers the power-weighted error."""
    peak = weight.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny * 2**30)
    if power is None:
        return peak / limit
    best_error = torch.full_like(peak, torch.inf)
    best = peak / limit
    for share in SCALE_SHARES:
        scale = peak * (share / limit)
        rounded = (weight / scale[:, None]).round_().clamp_(-limit, limit).mul_(scale[:, None])
        error = rounded.sub_(weight).square_() @ power
        better = error < best_error
        best_error = torch.where(better, error, best_error)
        best = torch.where(better, scale, best)
    return best


def round_nearest(weight: torch.Tensor, scale: torch.Tensor, limit: int) -> torch.Tensor:
    """(rows, columns) int8: ``clip(round(w / scale))``."""
    return (weight / scale[:, None]).round_().clamp_(-limit, limit).to(torch.int8)


def round_compensated(weight: torch.Tensor, scale: torch.Tensor, limit: int, blocks: list[Block]) -> torch.Tensor:
    """(rows, columns) int8 by compensated rounding; `weight` float32 is left as it is."""

    def nearest(column: int, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        integer = (value / scale).round_().clamp_(-limit, limit)
        return integer, integer * scale

    return compensated(weight, blocks, nearest)


def compensated(weight: torch.Tensor, blocks: list[Block], nearest: Nearest) -> torch.Tensor:
    """(rows, columns) int8: column by column in the order of the blocks, `nearest` of what is left after the compensation of
    the columns before it; `weight` float32 is left as it is."""
    rows = weight.shape[0]
    out = torch.empty(weight.shape, dtype=torch.int8)
    for block in blocks:
        chosen = block.order + block.start
        columns = chosen.tolist()
        rest = weight[:, chosen].T.contiguous()  # (columns, rows): one column of weights is one contiguous row
        rounded = torch.empty_like(rest)
        factor, width = block.factor, block.stop - block.start
        for first in range(0, width, COLUMNS_PER_UPDATE):
            last = min(first + COLUMNS_PER_UPDATE, width)
            errors = torch.empty(last - first, rows)
            for column in range(first, last):
                value = rest[column]
                integer, real = nearest(columns[column], value)
                rounded[column] = integer
                error = (value - real) / factor[column, column]
                errors[column - first] = error
                if column + 1 < last:
                    rest[column + 1 : last].addr_(factor[column, column + 1 : last], error, alpha=-1)
            if last < width:
                rest[last:].addmm_(factor[first:last, last:].T, errors, alpha=-1)
        out[:, chosen] = rounded.T.to(torch.int8)
    return out
