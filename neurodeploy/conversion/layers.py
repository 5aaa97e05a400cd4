"""One island from its projections: integers whose real meaning is known exactly.

The row scale is chosen first and snapped to what the neuron can realise, ``s_w = multiplier * 2**-shift * 2**acc_shift *
output_scale / input_scale``-wise, so that multiply and shift add no error of their own; only then are weights rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from neurodeploy.conversion.by_row import ByRow, Form
from neurodeploy.conversion.codes import AxonCodes, InputCode, InputMoments, choose_code
from neurodeploy.conversion.groups import GroupGrid, InGroups
from neurodeploy.conversion.keep import OfFile, kept_grid
from neurodeploy.conversion.presets import SITE_BITS, Preset
from neurodeploy.conversion.rounding import Block, compensation
from neurodeploy.conversion.sparse import Thresholded
from neurodeploy.errors import ModelError
from neurodeploy.ir.fixedpoint import (
    ACC_SHIFT_END,
    BIAS_MAX,
    MULTIPLIER_BITS,
    SCALE_MIN,
    STATE_BITS,
    STATE_MAX,
    Dyadic,
    Ints,
    multiply_shift,
    signed_max,
)
from neurodeploy.ir.graph import Projection, WeightStore
from neurodeploy.ir.population import Section
from neurodeploy.neurons.graded_choice import choose
from neurodeploy.synapses.linear import LinearLayer, linear_layer

#: Rows converted at a time: bounds memory for vocabulary-sized projections.
ROWS_AT_A_TIME = 8192
#: Outputs above this are no sign of a model that works, and their scale leaves the range of `ir.fixedpoint`.
LARGEST_OUTPUT = 2.0**100


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """What the conversion of one projection did, for the metadata and the report. bits_a_weight : with the constants that
    weights share. sent : share of the payloads of calibration tokens that are sent."""

    path: str
    payload_bits: int
    weight_bits: int
    rounding: str
    bits_a_weight: float
    input_scale: float
    wide_channels: int
    calibration_tokens: int
    weight_sqnr_db: float | None
    output_sqnr_db: float | None
    sent: float = 1.0


def sqnr_db(signal: float, noise: float) -> float | None:
    """Signal to quantisation noise in dB; None where either is zero or overflows."""
    return 10 * math.log10(signal / noise) if 0 < signal < math.inf and 0 < noise < math.inf else None


def check_range(x: torch.Tensor, path: str, what: str, limit: float) -> None:
    """ND1103 where a value is not finite or too large for the arithmetic that follows."""
    largest = float(x.abs().max()) if x.numel() else 0.0
    if not largest <= limit:  # NaN is not
        problem = f"its {what} reaches {largest:.3g} on the calibration text, at most {limit:.3g} can be converted"
        raise ModelError(
            "ND1103", path, problem, "check the checkpoint in its own framework: it overflows or nearly so"
        )


class LayerBuilder:
    """Converts the projections that read one population. `sample` is a float32 input of some tokens, `grid` what their
    weights may be, None: a scale for each row."""

    def __init__(
        self,
        moments: InputMoments,
        sample: torch.Tensor,
        preset: Preset,
        weights: WeightStore,
        grid: GroupGrid | None = None,
        code: InputCode | None = None,
        sparse: Thresholded | None = None,
    ) -> None:
        """`code` of the input, where it is not chosen by the preset's ranges; `sparse`: not all of it is sent."""
        self.moments, self.sample, self.preset, self.weights = moments, sample, preset, weights
        self.grid, self.code, self.sparse = grid, code, sparse

    def build(self, name: str, projections: Sequence[Projection]) -> tuple[LinearLayer, list[SiteRecord]]:
        first = projections[0]
        rows, columns = sum(p.out_features for p in projections), first.in_features
        code = self.code or choose_code(self.moments.channel_range(self.preset), self.preset)
        form = self._form(projections, (rows, columns))
        peak, scales = self._ranges(projections, form)
        output_scale, acc_shift = self._output(first.path, code, peak, scales, form.exact)
        ratio = scales * (code.scale.value * 2.0**acc_shift / output_scale.value)
        multiplier, shift = multiply_shift(ratio.double().numpy())
        snapped = torch.from_numpy(np.ldexp(multiplier.astype(np.float64), -shift.astype(np.int64)))
        row_scale = (snapped * (output_scale.value / (code.scale.value * 2.0**acc_shift))).float()
        row_scale = torch.where(row_scale > 0, row_scale, scales)
        bias = np.zeros(rows, np.int64)
        sections, records, start = [], [], 0
        for projection in projections:
            stop = start + projection.out_features
            records.append(self._round(projection, code, row_scale[start:stop], form, start))
            if projection.bias:
                unit = row_scale[start:stop].double().numpy() * code.scale.value
                real = np.rint(self.weights.get(projection.bias).astype(np.float64) / unit)
                check_range(torch.from_numpy(real), projection.path, "bias, in units of its weights,", BIAS_MAX)
                bias[start:stop] = real
            sections.append(Section(projection.path, start, stop, projection.role, projection.heads))
            start = stop
        params: dict[str, int | Ints] = {
            "multiplier": multiplier, "shift": shift.astype(np.uint8), "acc_shift": acc_shift,
            "state_bits": STATE_BITS, "out_bits": STATE_BITS,
        }  # fmt: skip
        layer = linear_layer(
            name, form.synapse(), {**params, "bias": bias} if bias.any() else params, scales=(code.scale, output_scale),
            values=(first.input, tuple(projection.output for projection in projections)),
            payload_bits=self.preset.payload_bits, weight_bits=form.weight_bits, axon_exp=code.axon_shift,
            chosen=self._chosen(code), sections=sections, layer=first.layer, expert=first.expert,
        )  # fmt: skip
        return layer, records

    def _form(self, projections: Sequence[Projection], shape: tuple[int, int]) -> Form:
        blocks, power = list[Block](), None
        kept = self._kept(projections)
        if all(kept):  # nothing is rounded
            return OfFile(projections, self.weights, blocks)
        if self.preset.rounding != "nearest":
            blocks = compensation(self.moments.blocks, self.moments.tokens, self.preset.damping)
            power = torch.cat([block.diagonal() for block in self.moments.blocks])
            power = power if bool((power > 0).any()) else None
        if any(kept):
            return OfFile(projections, self.weights, blocks)
        if self.grid is not None and self.grid.group:
            return InGroups(shape, self.grid, power, blocks)
        return ByRow(shape, self.preset.weight_bits if self.grid is None else self.grid.bits, power, blocks)

    def _chosen(self, code: InputCode) -> dict[str, int | Ints]:
        """Which payloads are sent, as parameters of the input."""
        if self.sparse is not None:
            return {"vth": self.sparse.payloads(code.steps())}
        n, m = self.preset.choice or (1, 1)
        return {"keep": n, "of": m} if n < m else {}

    def _sent(self, x: torch.Tensor) -> torch.Tensor:
        """What is sent of inputs (tokens, columns)."""
        if self.sparse is not None:
            return self.sparse.coded(x)
        n, m = self.preset.choice or (1, 1)
        return x if n == m else torch.from_numpy(choose(x.numpy(), n, m))

    def _used(self, part: torch.Tensor) -> torch.Tensor:
        """Rows of weights as they are to be rounded."""
        return part if self.sparse is None else self.sparse.weights(part)

    def _kept(self, projections: Sequence[Projection]) -> list[bool]:
        """Whose integers are those of the file."""
        wanted = self.preset.weights == "file"
        return [wanted and kept_grid(self.weights, p, 0, 1) is not None for p in projections]

    def _ranges(self, projections: Sequence[Projection], form: Form) -> tuple[torch.Tensor, torch.Tensor]:
        """Largest output by row (rows,) over the sample, and the units of weights by row (rows,)."""
        peaks, scales, first = list[torch.Tensor](), list[torch.Tensor](), 0
        for projection in projections:
            bias = self.weights.get(projection.bias) if projection.bias else None
            for start, stop in chunks(projection.out_features):
                part = torch.from_numpy(self.weights.get(projection.weight, start, stop))
                out = self.sample @ part.T
                if bias is not None:
                    out += torch.from_numpy(bias[start:stop])
                check_range(out, projection.path, "output", LARGEST_OUTPUT)
                peaks.append(out.abs().amax(dim=0) if out.shape[0] else torch.zeros(stop - start))
                scales.append(form.units(projection, first + start, self._used(part)))
            first += projection.out_features
        return torch.cat(peaks), torch.cat(scales)

    def _output(
        self, path: str, code: InputCode, peak: torch.Tensor, scales: torch.Tensor, exact: bool
    ) -> tuple[Dyadic, int]:
        """Output scale and accumulator shift that leave the preset's headroom over the sample's peaks; where weights are
        `exact`, an output scale that is the input's times a power of two."""
        headroom = self.preset.output_headroom
        largest = float(peak.max()) if peak.numel() else 0.0
        sums = float((peak / scales).max()) / code.scale.value * headroom if largest else 1.0
        acc_shift = max(0, math.ceil(math.log2(max(sums, 1.0) / STATE_MAX)))
        if acc_shift >= ACC_SHIFT_END:
            problem = f"its bias needs {acc_shift} bits more than the state has, {ACC_SHIFT_END - 1} are possible"
            raise ModelError("ND1103", path, problem, "check the checkpoint: its bias dwarfs its weights")
        unit = float(scales.max()) * code.scale.value * 2.0**acc_shift  # of a state, in the row with the coarsest scale
        coarsest = unit / 2.0 ** (MULTIPLIER_BITS - 1)  # a multiplier needs a shift of at least 0
        least = max((largest or 1.0) * headroom / STATE_MAX, coarsest, SCALE_MIN)
        if exact:
            raised = math.ceil(math.log2(least / code.scale.value))
            return Dyadic(code.scale.mantissa, code.scale.exponent + raised), acc_shift
        return Dyadic.nearest(least), acc_shift

    def _round(self, projection: Projection, code: InputCode, unit: torch.Tensor, form: Form, first: int) -> SiteRecord:
        """Round one projection's weights and measure what is lost, weights alone and with the input code."""
        steps = torch.from_numpy(code.steps())
        limit = signed_max(self.preset.payload_bits)
        sent = self._sent(self.sample)
        share = float((sent != 0).sum()) / max(1, int((self.sample != 0).sum()))
        coded = (sent / steps).round_().clamp_(-limit, limit).mul_(steps)
        totals = np.zeros(4)
        for start, stop in chunks(projection.out_features):
            part = torch.from_numpy(self.weights.get(projection.weight, start, stop))
            real = form.rounded(projection, first + start, self._used(part), unit[start:stop])
            wanted = self.sample @ part.T
            totals += (
                float(part.square().sum()),
                float((real - part).square().sum()),
                float(wanted.square().sum()),
                float((coded @ real.T).sub_(wanted).square_().sum()),
            )
        method, bits = form.stored(projection)
        return SiteRecord(
            projection.path, self.preset.payload_bits, form.weight_bits, method, bits,
            code.scale.value, int(np.count_nonzero(code.axon_shift)), self.moments.tokens,
            sqnr_db(totals[0], totals[1]), sqnr_db(totals[2], totals[3]), share,
        )  # fmt: skip


def site_code(
    inputs: Sequence[torch.Tensor], projections: Sequence[Projection], preset: Preset, weights: WeightStore
) -> tuple[Preset, InputCode | None]:
    """For ranges by "axon": the code of these inputs, and the preset with as many bits as they need; else no code."""
    if preset.input_range != "axon":
        return preset, None
    power = torch.zeros(projections[0].in_features, dtype=torch.float64)
    for projection in projections:
        for start, stop in chunks(projection.out_features):
            power += torch.from_numpy(weights.get(projection.weight, start, stop)).square_().sum(dim=0)
    codes = AxonCodes(inputs, power)
    for bits in range(preset.payload_bits, SITE_BITS + 1):
        code, error = codes.best(bits)
        if error <= preset.site_error:
            break
    return replace(preset, payload_bits=bits), code


def chunks(rows: int) -> list[tuple[int, int]]:
    return [(start, min(start + ROWS_AT_A_TIME, rows)) for start in range(0, rows, ROWS_AT_A_TIME)]
