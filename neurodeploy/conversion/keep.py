"""The weights of a quantised file as they are: its integers and its constants, nothing rounded a second time.

A file's weight is ``scale * q + offset`` with constants that are 16-bit reals, or those times integers of 6 or 8 bits: whole
multiples of a power of two. A row's unit is such a power of two, so that they are integers m and n of `synapses.grouped`
exactly::

    unit_i = 2**e,  scale_gi = m_gi 2**e,  offset_gi = n_gi 2**e

e is the largest for which all are whole, or a smaller one where the row's largest weight would have less than `BITS` bits:
then all rows use their states equally well. The output's unit is a power of two times the input's, so that multiply and
shift are a shift alone. A matrix of real numbers beside quantised ones is rounded to 8 bits by row and said to be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.rounding import Block, round_compensated, round_nearest, row_scales
from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import signed_max
from neurodeploy.ir.graph import Graph, Projection, WeightStore
from neurodeploy.ir.stored_grid import GridStore, StoredGrid
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses.grouped import WEIGHT_END, Grouped

#: Bits, without a sign, that the largest weight of a row has at least.
BITS = 22
#: Of a factor that rounds to the nearest what the file holds as real numbers, and of its weights.
FACTOR_BITS, WEIGHT_BITS = 14, 8
#: The unit of a row of zeros.
SILENT_UNIT = 2.0**-40
Reals = NDArray[np.float64]


def kept_grid(
    weights: WeightStore, projection: Projection, start: int = 0, stop: int | None = None
) -> StoredGrid | None:
    return weights.grid(projection.weight, start, stop) if isinstance(weights, GridStore) else None


def need_grid(graph: Graph) -> None:
    """ND1110 where no matrix comes with integers of its own."""
    for projection in graph.projections():
        if kept_grid(graph.weights, projection, 0, 1) is not None:
            return
    problem = "holds no quantised matrix whose integers could be kept"
    fix = "give a .gguf of the types Q4_0 to Q8_0 or Q4_K to Q6_K, or choose another preset"
    raise UserError("ND1110", graph.info.source, problem, fix)


class OfFile:
    """`by_row.Form` of what a file holds. blocks : for matrices that it holds as real numbers."""

    exact = True

    def __init__(self, projections: Sequence[Projection], weights: WeightStore, blocks: list[Block]) -> None:
        self._weights, self._blocks = weights, blocks
        first, columns, rows = dict[str, int](), projections[0].in_features, 0
        for projection in projections:
            first[projection.path], rows = rows, rows + projection.out_features
        self._first = first
        samples = {p.path: kept_grid(weights, p, 0, 1) for p in projections}
        grids = [grid for grid in samples.values() if grid is not None]
        self._kinds = {path: None if grid is None else grid.kind for path, grid in samples.items()}
        self._group = math.gcd(*(grid.group for grid in grids)) if grids else columns
        each = [-(-grid.constant_bits * self._group // grid.group) for grid in grids]
        self._constant_bits = max(each, default=FACTOR_BITS)
        least = 0 if len(grids) == len(projections) else WEIGHT_BITS
        self.weight_bits = max([least, *(grid.bits for grid in grids)])
        groups = -(-columns // self._group)
        self._weight = np.empty((rows, columns), np.int8)
        self._factor, self._offset = (np.zeros((rows, groups), np.int32) for _ in range(2))

    def units(self, projection: Projection, start: int, part: torch.Tensor) -> torch.Tensor:
        grid, rows = self._grid(projection, start, len(part)), slice(start, start + len(part))
        if grid is None:
            scale = row_scales(part, signed_max(WEIGHT_BITS), None).double().numpy()
            unit = np.exp2(np.floor(np.log2(scale)) + 1 - FACTOR_BITS)
            self._factor[rows] = np.rint(scale / unit)[:, None]
            return torch.from_numpy(unit.astype(np.float32))
        unit = units_of(grid, projection.weight)
        every = self._group_of(grid)
        self._weight[rows] = grid.codes
        self._factor[rows], self._offset[rows] = ((c / unit[:, None])[:, every] for c in (grid.scale, grid.offset))
        return torch.from_numpy(unit.astype(np.float32))

    def rounded(self, projection: Projection, start: int, part: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        rows = slice(start, start + len(part))
        if self._kinds[projection.path] is None:
            scale = unit * torch.from_numpy(self._factor[rows, 0].astype(np.float32))
            limit = signed_max(WEIGHT_BITS)
            blocks = self._blocks
            codes = round_compensated(part, scale, limit, blocks) if blocks else round_nearest(part, scale, limit)
            self._weight[rows] = codes.numpy()
        own = Grouped(self._weight[rows], self._factor[rows], self._offset[rows], self._group)
        return torch.from_numpy(own.matrix().astype(np.float32)).mul_(unit[:, None])

    def synapse(self) -> Synapse:
        return Grouped(self._weight, self._factor, self._offset, self._group, self._constant_bits)

    def stored(self, projection: Projection) -> tuple[str, float]:
        kind = self._kinds[projection.path]
        how = f"kept {kind}" if kind else f"{'gptq' if self._blocks else 'nearest'}, not quantised in the file"
        return how, self.weight_bits + self._constant_bits / self._group

    def _grid(self, projection: Projection, start: int, rows: int) -> StoredGrid | None:
        if self._kinds[projection.path] is None:
            return None
        local = start - self._first[projection.path]
        return kept_grid(self._weights, projection, local, local + rows)

    def _group_of(self, grid: StoredGrid) -> NDArray[np.int64]:
        """The group of the file of each of ours."""
        return np.arange(self._factor.shape[1]) * self._group // grid.group


def units_of(grid: StoredGrid, name: str) -> Reals:
    """(rows,) powers of two of which all constants of a row are whole multiples, as large as `BITS` allows. A row whose
    constants are too far apart for the integers of `synapses.grouped` is ND1111."""
    constants = np.concatenate([grid.scale, grid.offset], axis=1)
    fraction, exponent = np.frexp(constants)
    whole = np.ldexp(fraction, 53).astype(np.int64)
    lowest = np.where(whole == 0, 1 << 20, exponent.astype(np.int64) - 53 + _trailing_zeros(whole)).min(axis=1)
    most = np.abs(grid.scale) * (1 << (grid.bits - (grid.codes.min(initial=0) < 0))) + np.abs(grid.offset)
    top = np.frexp(most.max(axis=1))[1].astype(np.int64)
    unit = np.where(most.max(axis=1) > 0, np.exp2(np.minimum(lowest, top - BITS).astype(np.float64)), SILENT_UNIT)
    bound = (np.abs(grid.scale) * 128 + np.abs(grid.offset)).max(axis=1) / unit
    if (bound >= WEIGHT_END).any():
        row = int(bound.argmax())
        problem = f"its constants in row {row} need {int(np.log2(bound[row])) + 1} bits, 30 are possible"
        raise UserError("ND1111", name, problem, "choose another preset")
    return unit


def _trailing_zeros(whole: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of integers that are not zero."""
    lowest = whole & -whole
    return np.where(whole == 0, 0, np.frexp(lowest.astype(np.float64))[1].astype(np.int64) - 1)
