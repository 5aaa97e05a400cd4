"""Weights of a layer whose small payloads are not sent, which make up for those.

With x' what is sent of x, ``W x`` is nearest to ``W (1 + M) x'`` with::

    M = E[(x - x') x'^T] (E[x' x'^T] + rho diag(E[x' x'^T]))^-1

What is sent tells something of what is not. rho is that of `SHARES` with the least error on tokens that M does not know: M
of one half of the calibration, the error of the other. Rounding then has the moments of x'. Which payloads are small:
`conversion.thresholds`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.neurons.registers import VTH_MAX

#: Shares of itself by which the diagonal grows before the inversion; infinite: no change.
SHARES = (0.1, 0.3, 1.0, 3.0, math.inf)


class Threshold(NamedTuple):
    """Of the inputs of a layer, by column. limit : magnitudes up to which nothing is sent. power : squared norms of the
    weights."""

    limit: NDArray[np.float32]
    power: torch.Tensor


class Thresholded:
    """What a layer does about payloads that are not sent.

    limit : (columns,) magnitudes up to which nothing is sent. blocks : second moments of what is
    sent (`codes.InputMoments`). share : of `SHARES`.
    """

    def __init__(self, chosen: Threshold, inputs: Sequence[torch.Tensor], block_columns: int) -> None:
        self.limit = torch.from_numpy(chosen.limit)
        parts = list(inputs) if len(inputs) > 1 else list(torch.tensor_split(inputs[0], 2))
        halves = [_Half(self, parts[start::2], block_columns) for start in (0, 1)]
        known, others = halves
        self.share = min(SHARES, key=lambda share: others.error(known.changes(share), chosen.power))
        self.blocks = known.sent = [a + b for a, b in zip(known.sent, others.sent, strict=True)]
        known.cross = [a + b for a, b in zip(known.cross, others.cross, strict=True)]
        self._changes = known.changes(self.share)

    def coded(self, x: torch.Tensor) -> torch.Tensor:
        """What is sent of these inputs."""
        return torch.where(x.abs() > self.limit, x, 0.0)

    def weights(self, part: torch.Tensor) -> torch.Tensor:
        """Rows of weights for what is sent."""
        moved, start = part.clone(), 0
        for change in self._changes:
            own = slice(start, start + len(change))
            moved[:, own] += part[:, own] @ change
            start += len(change)
        return moved

    def payloads(self, steps: NDArray[np.float32]) -> NDArray[np.int16]:
        """The thresholds of payloads in these steps: a magnitude is rounded before it is compared."""
        return np.rint(np.clip(self.limit.double().numpy() / steps - 0.5, 0, VTH_MAX)).astype(np.int16)


class _Half:
    """Second moments of a half of the inputs, by blocks of columns: sent : E[x' x'^T]; cross : E[(x - x') x'^T], both times
    the tokens; dropped : (columns,) the diagonal of the same of x - x'."""

    def __init__(self, sparse: Thresholded, inputs: Sequence[torch.Tensor], block_columns: int) -> None:
        columns = len(sparse.limit)
        self._blocks = [slice(at, min(at + block_columns, columns)) for at in range(0, columns, block_columns)]
        sizes = [block.stop - block.start for block in self._blocks]
        self.sent, self.cross = ([torch.zeros(size, size) for size in sizes] for _ in range(2))
        self._dropped = torch.zeros(columns, dtype=torch.float64)
        for x in inputs:
            kept = sparse.coded(x)
            rest = x - kept
            self._dropped += rest.square().sum(dim=0)
            for block, sent, cross in zip(self._blocks, self.sent, self.cross, strict=True):
                sent.addmm_(kept[:, block].T, kept[:, block])
                cross.addmm_(rest[:, block].T, kept[:, block])

    def changes(self, share: float) -> list[torch.Tensor]:
        """M of the module, by blocks; nothing where the share is infinite."""
        found = []
        for sent, cross in zip(self.sent, self.cross, strict=True):
            if math.isinf(share):
                found.append(torch.zeros_like(cross))
                continue
            damped = sent.clone()
            diagonal = damped.diagonal()
            diagonal.copy_(torch.where(diagonal > 0, diagonal * (1 + share), 1.0))
            found.append(torch.cholesky_solve(cross.T, torch.linalg.cholesky(damped)).T)
        return found

    def error(self, changes: Sequence[torch.Tensor], power: torch.Tensor) -> float:
        """Squares of what is lost at the outputs, as if columns of weights had nothing in common."""
        total = self._dropped.clone()
        for block, change, sent, cross in zip(self._blocks, changes, self.sent, self.cross, strict=True):
            total[block] += (change * (change @ sent - 2 * cross)).sum(dim=1)
        return float(total @ power)
