"""How weights become integers: what a layer asks of a form of weights, and the plain form, a scale for each row."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from neurodeploy.conversion.rounding import Block, round_compensated, round_nearest, row_scales
from neurodeploy.ir.fixedpoint import signed_max
from neurodeploy.ir.graph import Projection
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses.dense import Dense


class Form(Protocol):
    """The weights of a layer, projection by projection, some rows at a time: first all scales, then all integers.

    weight_bits : of a stored weight. exact : whether the unit of a weight must be a power of two times that of the input, so
    that nothing is rounded.
    """

    weight_bits: int
    exact: bool

    def units(self, projection: Projection, start: int, part: torch.Tensor) -> torch.Tensor:
        """(rows,) the real value of one integer of each of these rows, of which row `start` of the layer is the first."""
        ...

    def rounded(self, projection: Projection, start: int, part: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        """Keep the integers of these rows, whose unit is now what the neurons can have; returns their real weights."""
        ...

    def synapse(self) -> Synapse:
        """All of them."""
        ...

    def stored(self, projection: Projection) -> tuple[str, float]:
        """The method, and bits a weight with what constants take."""
        ...


class ByRow:
    """``w = unit_i * q`` with q of so many bits, symmetric. blocks : for compensation; none: to the nearest."""

    exact = False

    def __init__(self, shape: tuple[int, int], bits: int, power: torch.Tensor | None, blocks: list[Block]) -> None:
        self.weight_bits, self._limit, self._power, self._blocks = bits, signed_max(bits), power, blocks
        self._weight = np.empty(shape, np.int8)

    def units(self, projection: Projection, start: int, part: torch.Tensor) -> torch.Tensor:
        return row_scales(part, self._limit, self._power)

    def rounded(self, projection: Projection, start: int, part: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        if self._blocks:
            integers = round_compensated(part, unit, self._limit, self._blocks)
        else:
            integers = round_nearest(part, unit, self._limit)
        self._weight[start : start + len(part)] = integers.numpy()
        return integers.float().mul_(unit[:, None])

    def synapse(self) -> Synapse:
        return Dense(self._weight)

    def stored(self, projection: Projection) -> tuple[str, float]:
        return "gptq" if self._blocks else "nearest", float(self.weight_bits)
