"""What calibration remembers of an island's input, and the code that is chosen for it: scale, wide axons and what the choice
is expected to cost.

An event's payload is ``x_j = clip(round(v_j / (s * 2**e_j)))`` with e_j in {0, 8}. Large language models have a few input
channels whose range is a hundred times that of the rest (docs/conversion.md); with one scale for all, these few leave
only a handful of levels to the others. A wide axon keeps its own 8 bits of extra range, at no further event.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.presets import Preset
from neurodeploy.ir.fixedpoint import SCALE_MIN, Dyadic, signed_max

WIDE = 8
#: Range of a silent input: any scale is right, this one keeps the arithmetic in ordinary numbers.
SILENT_RANGE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class InputCode:
    """Scale of the narrow axons and exponent of each axon."""

    scale: Dyadic
    axon_shift: NDArray[np.uint8]

    def steps(self) -> NDArray[np.float32]:
        """Value of one payload unit on each axon."""
        steps: NDArray[np.float32] = np.ldexp(np.float32(self.scale.value), self.axon_shift.astype(np.int32))
        return steps


def choose_code(channel_max: NDArray[np.float32], preset: Preset) -> InputCode:
    """Scale and wide axons that minimise the rounding error ``sum_j step_j**2``.

    `channel_max` (columns,) is the range that each channel must be able to carry.
    """
    limit = signed_max(preset.payload_bits)
    wanted = np.maximum(channel_max.astype(np.float64) * preset.headroom, 0.0)
    columns = wanted.size
    order = np.argsort(-wanted, kind="stable")
    sorted_range = wanted[order]
    best: tuple[float, int, float] | None = None
    for wide in range(int(columns * preset.wide_fraction) + 1):
        narrow_range = sorted_range[wide] if wide < columns else 0.0
        needed = max(narrow_range, sorted_range[0] / 2**WIDE if wide else 0.0)
        step = needed / limit
        cost = step * step * (columns - wide + wide * 4**WIDE)
        if best is None or cost < best[0]:
            best = (cost, wide, needed)
    assert best is not None
    _, wide, needed = best
    scale = Dyadic.nearest(max((needed or SILENT_RANGE) / limit, SCALE_MIN))
    axon_shift = np.zeros(columns, np.uint8)
    axon_shift[order[:wide]] = WIDE
    return InputCode(scale, axon_shift)


def least_square_range(absolute: NDArray[np.float32], limit: int) -> float:
    """The clipping range with the least square error of rounding and clipping, on a sample of magnitudes."""
    peak = float(absolute.max(initial=0.0))
    if peak == 0.0:
        return SILENT_RANGE
    best = (np.inf, peak)
    for fraction in np.geomspace(1.0, 1 / 16, 33):
        step = peak * fraction / limit
        error = absolute - np.minimum(np.rint(absolute / step), limit) * step
        mse = float(np.mean(error * error))
        if mse < best[0]:
            best = (mse, peak * float(fraction))
    return best[1]


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
