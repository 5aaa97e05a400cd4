"""Weights of few bits in groups along the input: a factor and an offset for each row and group, integers of a unit.

    w_ij ~ unit_i * (m_gi * q_ij + n_gi)        0 <= q_ij < 2**bits, g = j // group (`synapses.grouped`)

The factor and the offset of a group begin with the range of its weights, shrunk at both ends where that lowers the error
weighted with the power of the inputs (a search over 9 pairs, as ggml's quantisers and HQQ do on their own measures). The
row's unit is the largest factor over its 127, so that factors are integers of 7 bits and offsets of 9 times a power of two
of the row: 16 bits a group. Then weights are rounded with compensation (`rounding`; GPTQ's "static groups", with the columns
in order of their power).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.rounding import Block, compensated
from neurodeploy.ir.graph import Projection
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses.grouped import Grouped

#: Bits of a factor, none for a sign, and of an offset, one of them the sign.
FACTOR_BITS, OFFSET_BITS = 7, 9
CONSTANT_BITS = FACTOR_BITS + OFFSET_BITS
#: How much of the lower and of the upper end of a group's range its grid keeps.
SHARES = (1.0, 0.92, 0.84)
#: Steps below this are none: of a group of equal weights, and of a row of zeros.
FINEST = 1e-30


@dataclass(frozen=True, slots=True)
class GroupGrid:
    """What a weight may be: `bits` of it, in groups of `group` columns; a group of 0 columns is a row, symmetric."""

    bits: int
    group: int

    @property
    def bits_a_weight(self) -> float:
        return self.bits + (CONSTANT_BITS / self.group if self.group else 0.0)


def grouped_view(weight: torch.Tensor, group: int) -> torch.Tensor:
    """(rows, groups, group); a last group that is not full repeats its last column."""
    missing = -weight.shape[1] % group
    if missing:
        weight = torch.cat([weight, weight[:, -1:].expand(-1, missing)], dim=1)
    return weight.view(weight.shape[0], -1, group)


def ranges(
    weight: torch.Tensor, grid: GroupGrid, power: torch.Tensor, shares: tuple[float, ...] = SHARES
) -> list[torch.Tensor]:
    """Step, lowest value and weighted squared error of each group: three tensors (rows, groups). power : (columns,)."""
    parts, top = grouped_view(weight, grid.group), 2**grid.bits - 1
    of = torch.nn.functional.pad(power, (0, -len(power) % grid.group)).view(1, -1, grid.group)
    low, high = parts.amin(dim=2), parts.amax(dim=2)
    best = [torch.zeros_like(low), low, torch.full_like(low, torch.inf)]
    for below in shares:
        for above in shares:
            start = low * below
            step = ((high * above - start) / top).clamp_min_(FINEST)
            error = (parts - start[..., None]).div_(step[..., None]).round_().clamp_(0, top)
            error = error.mul_(step[..., None]).add_(start[..., None]).sub_(parts).square_().mul_(of).sum(dim=2)
            better = error < best[2]
            best = [torch.where(better, a, b) for a, b in zip((step, start, error), best, strict=True)]
    return best


class InGroups:
    """`by_row.Form` of a grid. power : (columns,) of the inputs. blocks : for compensation; none: to the nearest."""

    exact = False

    def __init__(
        self, shape: tuple[int, int], grid: GroupGrid, power: torch.Tensor | None, blocks: list[Block]
    ) -> None:
        self.weight_bits, self._grid, self._blocks = grid.bits, grid, blocks
        self._power = torch.ones(shape[1]) if power is None else power
        groups = -(-shape[1] // grid.group)
        self._weight = np.empty(shape, np.int8)
        self._factor, self._offset = (np.empty((shape[0], groups), np.int32) for _ in range(2))
        self._found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def units(self, projection: Projection, start: int, part: torch.Tensor) -> torch.Tensor:
        step, low, _ = ranges(part, self._grid, self._power)
        self._found[start] = step, low
        units: torch.Tensor = step.amax(dim=1) / (2**FACTOR_BITS - 1)
        return units

    def rounded(self, projection: Projection, start: int, part: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        step, low = (found / unit[:, None] for found in self._found.pop(start))
        factor = step.round_().clamp_(1, 2**FACTOR_BITS - 1)
        most = 2 ** (OFFSET_BITS - 1) - 1
        raised = torch.exp2(torch.ceil(torch.log2((low.abs().amax(dim=1) / most).clamp_min_(1.0))))[:, None]
        offset = (low / raised).round_().mul_(raised)
        rows = slice(start, start + len(part))
        self._factor[rows], self._offset[rows] = factor.numpy(), offset.numpy()
        integers = self._integers(part, unit, factor.T.contiguous(), offset.T.contiguous())
        self._weight[rows] = integers.numpy()
        every = torch.arange(part.shape[1]) // self._grid.group
        return (integers.float() * factor[:, every] + offset[:, every]).mul_(unit[:, None])

    def _integers(
        self, part: torch.Tensor, unit: torch.Tensor, factor: torch.Tensor, offset: torch.Tensor
    ) -> torch.Tensor:
        """`factor` and `offset` are (groups, rows) here."""
        group, top = self._grid.group, 2**self._grid.bits - 1

        def nearest(column: int, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            m, n = factor[column // group], offset[column // group]
            integer = (value / unit).sub_(n).div_(m).round_().clamp_(0, top)
            return integer, (integer * m).add_(n).mul_(unit)

        if self._blocks:
            return compensated(part, self._blocks, nearest)
        columns = [nearest(column, part[:, column])[0] for column in range(part.shape[1])]
        return torch.stack(columns, dim=1).to(torch.int8)

    def synapse(self) -> Synapse:
        return Grouped(self._weight, self._factor, self._offset, self._grid.group, CONSTANT_BITS)

    def stored(self, projection: Projection) -> tuple[str, float]:
        return f"{'gptq' if self._blocks else 'nearest'}, groups of {self._grid.group}", self._grid.bits_a_weight


def relative_error(weight: NDArray[np.float32], grid: GroupGrid) -> float:
    """Squared error over square of weights that are rounded to the nearest of the grid, its ranges not shrunk."""
    part = torch.from_numpy(weight)
    if grid.group:
        found = ranges(part, grid, torch.ones(part.shape[1]), (1.0,))[2]
    else:
        unit = (part.abs().amax(dim=1) / (2 ** (grid.bits - 1) - 1)).clamp_min_(FINEST)[:, None]
        found = ((part / unit).round_() * unit - part).square_()
    return float(found.double().sum()) / max(float(part.double().square().sum()), FINEST)
