"""Codes: how the values of a network of tensors are sent.

- *graded*: the value, every step; a sample is a step.
- *sigma_delta*: what of the value has changed since it was last sent, where that is more than a threshold; samples are
  the steps of one stream, in order (`neurons/graded_sigma_delta.py`).
- *rate*: spikes whose mean over the steps of a sample is the value (`neurons/graded_rate.py`); an input is sent once.

A sum does not care which of the first two its terms come in, if all come in the same: what reads changes adds them up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError, UserError
from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic, Ints
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.neurons.registers import REGISTER_MAX
from neurodeploy.ops.tensors.asking import Bend

GRADED, SIGMA_DELTA, RATE = CODES = ("graded", "sigma_delta", "rate")
#: Payloads of weights have so many bits at most, changes of them too: exact products take no more.
PAYLOAD_MAX = 16
#: An input that spikes are made of has so many bits at most: its sums, over many inputs, stay in registers of 32 bits.
RATE_INPUT_BITS = 12
#: Steps of a sample at most.
STEPS_MAX = 4096
#: Rounding a threshold to whole sums changes a rate by no more than this share.
ROUNDED = 2.0**-7
#: Bits of a mean of spikes below the value of one a step.
MEAN_BITS = 16


@dataclass(frozen=True, slots=True)
class Coding:
    """The code of every value. kind : of all, or of those that `sites` leave open. steps : of a sample, for rates. sites :
    graded or sigma_delta, by operation. thresholds : largest change that is not sent, by population. stateful : what a
    sample leaves is what the next one begins with (`conversion.tensors.states`)."""

    kind: str = GRADED
    steps: int = 1
    sites: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, int] = field(default_factory=dict)
    stateful: bool = False

    @property
    def in_time(self) -> bool:
        """Whether samples are the steps of one stream."""
        return self.kind != RATE and (self.stateful or SIGMA_DELTA in (self.kind, *self.sites.values()))

    def of(self, site: str) -> str:
        return self.sites.get(site, self.kind)

    def check(self) -> None:
        """ND1316 for what is no code."""
        fix = f"choose one of {', '.join(CODES)}, auto, or SITE=graded and SITE=sigma_delta"
        for site, code in {"--code": self.kind, **self.sites}.items():
            if code not in (CODES if site == "--code" else CODES[:2]):
                raise no_code(site, f"has the code {code!r:.40}, which there is not", fix)
        if self.kind == RATE and self.sites:
            raise no_code("--code", "mixes rates with other codes, whose steps are not theirs", fix)
        if not 1 <= self.steps <= STEPS_MAX:
            raise no_code("--code", f"has {self.steps} steps", f"give 1 to {STEPS_MAX} steps of a sample")


#: Every value as it is.
PLAIN = Coding()


def changing(value: Unit, *, sums: bool, changes: bool, vth: int) -> dict[str, int]:
    """Parameters that `graded_sigma_delta` has beside those of `graded_rectified`. A change has a bit more than its
    value, where the products of weights or a payload have room."""
    most = PAYLOAD_MAX if value.bits <= PAYLOAD_MAX else STATE_BITS
    sent = min(value.bits + 1, most) if changes else value.bits
    return {"sums": int(sums), "changes": int(changes), "vth": vth, "value_bits": value.bits, "out_bits": sent}


def spiking(
    name: str, scale: Floats, bias: Floats | None, unit: Unit, bend: Bend | None, *, sums: bool
) -> tuple[dict[str, int | Ints], dict[str, int | Ints]]:
    """Parameters and start of `graded_rate`: a spike a step is the value `unit`. scale : of a sum, by neuron. ND1317 for
    what spikes cannot say."""
    if (scale <= 0).any():
        raise refused(name, "has a negative factor")
    bend = bend or Bend()
    rectified = bend.low == 0 or (np.ndim(bend.slope) == 0 and bend.slope == 0)
    if (not rectified and (np.any(np.asarray(bend.slope) != 1) or math.isfinite(bend.low))) or math.isfinite(bend.high):
        raise refused(name, "has an activation other than ReLU")
    exact = unit.scale.value / scale
    vth = np.maximum(np.rint(exact), 1)
    offset = np.zeros_like(vth) if bias is None else np.rint(bias / scale)
    if (np.abs(vth - exact) > ROUNDED * exact).any() or max(vth.max(), np.abs(offset).max()) > REGISTER_MAX // 2:
        raise refused(name, f"needs thresholds of {exact.min():.3g} to {exact.max():.3g} in whole sums")
    params: dict[str, int | Ints] = {
        "vth": vth.astype(np.int64), "bias": offset.astype(np.int64), "signed": int(not rectified), "sums": int(sums),
    }  # fmt: skip
    return params, {} if not rectified else {"v": (vth // 2).astype(np.int64)}


def no_code(where: str, problem: str, fix: str) -> UserError:
    """Of a code, a site or a loss that there is not."""
    return UserError("ND1316", where, problem, fix)


def refused(name: str, problem: str) -> ModelError:
    fix = "choose another code; rates are for networks of matrices, convolutions, ReLU and pooling"
    return ModelError("ND1317", name, f"{problem}, which rates cannot do", fix)


def rate_exponent(numbers: Sequence[NDArray[np.floating]], peak: float, steps: int) -> int:
    """The exponent of the value of a spike a step: what saturates and what so few steps cannot tell apart lose least
    together (mean square), of values that were seen."""
    if not peak:
        return 0
    x = np.abs(np.concatenate([np.asarray(some, np.float64) for some in numbers]))
    most = math.ceil(math.log2(peak))
    losses = []
    for e in range(most, most - 6, -1):
        step = 2.0**e / steps
        losses.append(float(np.square(np.minimum(np.rint(x / step), steps) * step - x).mean()))
    return most - int(np.argmin(losses))


def recoded_unit(unit: Unit, own: str, code: str) -> Unit:
    """The unit of a value in another code: of a mean over steps, or of a spike."""
    if own == RATE and code == GRADED:
        return Unit(Dyadic(1, unit.scale.exponent - MEAN_BITS), STATE_BITS)
    if own != RATE and code == RATE:
        return Unit(Dyadic(1, unit.scale.exponent + unit.bits - 1), 2)
    return unit
