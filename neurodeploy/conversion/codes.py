"""What calibration remembers of an island's input, and the code that is chosen for it: scale, wide axons and what the choice
is expected to cost.

An event's payload is ``x_j = clip(round(v_j / (s * 2**e_j)))``, with e_j in {0, 8} for wide payloads (`choose_code`) and
any up to 8 for narrow ones (`AxonCodes`). Large language models have a few input
channels whose range is a hundred times that of the rest (docs/conversion.md); with one scale for all, these few leave
only a handful of levels to the others. A wide axon keeps its own 8 bits of extra range, at no further event.
"""

from __future__ import annotations

from collections.abc import Sequence
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


#: Channels get at least their own peak times one of `PEAKS`, and at least one of `FLOORS` of the largest peak of all.
PEAKS, FLOORS = (1.0, 1.25, 1.5, 2.0, 3.0), (0.0, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 1.5)
#: Places of the grid of steps between two powers of two, in log2.
OFFSETS = (0.0, 0.25, 0.5, 0.75)
#: Largest magnitudes of a channel that are kept: more of a half never exceed what the other half needs.
LARGEST = 64


#: How much more a clipped value costs than its square says: what is clipped are the few values that a token hangs on, and
#: another text has more of them. SmolLM2-135M lost ten times as much by what was clipped as by rounding with a 1 here.
CLIPPED = 32.0


class AxonCodes:
    """Codes with an exponent for each axon, chosen by the error of what their ranges were not measured on.

    inputs : windows (tokens, columns) of a site; every other one is a half, a single one is cut.
    power : (columns,) squared norm of the weights of each column, so that an error counts as much as it does at the output.
    clipped : `CLIPPED`, or what takes its place below.

    The range of channel j is ``max(a peak_j, b max_k peak_k)``, rounded up to a power of two of a unit; of `bits` a step is
    that over ``2**(bits - 1)``. Of ranges by the peaks of one half the error on the other half is::

        sum_j power_j (CLIPPED clipped_j + min(step_j**2 / 12, E[x_j**2]))        clipped_j = E[max(0, |x_j| - range_j)**2]

    The pair (a, b) with the least of it, both halves together, is taken. A channel that was quiet by luck is thus given what
    its neighbours need. Exponents are at most 16 - `bits`: raised payloads have 16 bits.
    """

    def __init__(self, inputs: Sequence[torch.Tensor], power: torch.Tensor, clipped: float = CLIPPED) -> None:
        if len(inputs) == 1:
            inputs = torch.tensor_split(inputs[0], 2)
        halves = [torch.cat(list(inputs[start::2])).abs() for start in (0, 1)]
        self._tokens = [max(1, len(x)) for x in halves]
        self._largest = [_largest(x) for x in halves]
        self._peaks = [x[0] for x in self._largest]
        self._mean = torch.stack([x.square().sum(dim=0).double() / max(1, len(x)) for x in halves]).mean(dim=0)
        self._power, self._clipped = power, clipped
        self.signal = float((self._mean * power).sum())

    def best(self, bits: int) -> tuple[InputCode, float]:
        """The code, and its error as a share of the signal at the output."""
        _, a, b = min((self._error(bits, a, b, 0.0), a, b) for a in PEAKS for b in FLOORS)
        error, offset = min((self._error(bits, a, b, offset), offset) for offset in OFFSETS)
        steps = _steps(torch.maximum(*self._peaks), bits, a, b, offset)
        exponent = torch.log2(steps / steps.min()).round().to(torch.uint8).numpy()
        return InputCode(Dyadic.nearest(float(steps.min())), exponent), error / self.signal if self.signal else 0.0

    def _error(self, bits: int, a: float, b: float, offset: float) -> float:
        total = 0.0
        for half in (0, 1):
            steps = _steps(self._peaks[half], bits, a, b, offset)
            beyond = (self._largest[1 - half].double() - steps * signed_max(bits)).clamp_min_(0.0)
            clipped = beyond.square_().sum(dim=0) / self._tokens[1 - half]
            total += float(
                ((self._clipped * clipped + torch.minimum(steps.square() / 12, self._mean)) * self._power).sum()
            )
        return total / 2


def _largest(magnitudes: torch.Tensor) -> torch.Tensor:
    """(`LARGEST` or fewer, columns), sorted: the first row are the peaks."""
    if not len(magnitudes):
        return torch.zeros(1, magnitudes.shape[1])
    return magnitudes.topk(min(LARGEST, len(magnitudes)), dim=0).values


def _steps(peak: torch.Tensor, bits: int, a: float, b: float, offset: float) -> torch.Tensor:
    """(columns,) float64 values of a payload unit: equal but for powers of two."""
    ranges = torch.maximum(peak * a, peak.max() * b).double()
    least = float(peak.max()) * 2.0**-WIDE or SILENT_RANGE
    exponent = torch.ceil(torch.log2(ranges.clamp_min_(max(least, SCALE_MIN * 2**16)) / signed_max(bits)) - offset)
    exponent = torch.maximum(exponent, exponent.max() - min(WIDE, 16 - bits))
    return torch.exp2(exponent + offset)


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

    def add(self, x: torch.Tensor, *, moments: bool, ranges: bool = True) -> None:
        """Count the tokens of `x`; `moments` False leaves the second moments alone (nearest rounding needs none), `ranges`
        False peaks and magnitudes."""
        if x.shape[0] == 0:
            return
        self.tokens += x.shape[0]
        if ranges:
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
