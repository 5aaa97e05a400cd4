"""What calibration remembers of an island's input: ranges, a sample of magnitudes, and second moments by block."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.codes import least_square_range
from neurodeploy.conversion.presets import Preset
from neurodeploy.ir.fixedpoint import signed_max

#: Magnitudes kept for percentiles and least-square ranges; the peak is always exact.
SAMPLES = 1 << 18


@dataclass(slots=True, eq=False)
class InputMoments:
    """Streaming statistics of one population; `add` takes (tokens, columns) float32.

    `blocks` holds ``X^T X`` of contiguous blocks of `block_columns` columns, summed over `tokens` tokens.
    """

    columns: int
    block_columns: int
    tokens: int = 0
    peak: torch.Tensor = field(init=False)
    blocks: list[torch.Tensor] = field(init=False)
    sample: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.peak = torch.zeros(self.columns)
        widths = [
            min(start + self.block_columns, self.columns) - start
            for start in range(0, self.columns, self.block_columns)
        ]
        self.blocks = [torch.zeros(width, width) for width in widths]

    def add(self, x: torch.Tensor, *, moments: bool) -> None:
        """Count the tokens of `x`; `moments` False leaves the second moments alone (nearest rounding needs none)."""
        if x.shape[0] == 0:
            return
        self.tokens += x.shape[0]
        self.peak = torch.maximum(self.peak, x.abs().amax(dim=0))
        flat = x.abs().flatten()
        self.sample.append(flat[:: max(1, flat.numel() * 8 // SAMPLES)].clone())
        start = 0
        for block in self.blocks if moments else ():
            part = x[:, start : start + block.shape[0]]
            block.addmm_(part.T, part)
            start += block.shape[0]

    def channel_range(self, preset: Preset) -> NDArray[np.float32]:
        """(columns,) largest magnitude that each channel must carry, by the preset's rule."""
        peak: NDArray[np.float32] = self.peak.numpy()
        if preset.input_range == "absmax" or not self.sample:
            return peak
        magnitudes = torch.cat(self.sample).numpy()
        if preset.input_range == "percentile":
            limit = float(np.percentile(magnitudes, preset.percentile))
        else:
            limit = least_square_range(magnitudes, signed_max(preset.payload_bits))
        clipped: NDArray[np.float32] = np.minimum(peak, np.float32(limit))
        return clipped
