"""One scale for a population: how many units of weight a voltage of 1 is. The chip's limits, and which of them decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurodeploy.conversion.spiking.membranes import Membrane
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.float_network import Floats

#: Registers: threshold of 17 bits, compared after << 6; bias of 13 bits times 2**0..7; states of 24 bits
#: (lava-nc 0.10.0 `lava/proc/lif/models.py`). A `threshold` neuron compares sums, which a convolution wraps at 24 bits.
VTH_MAX, BIAS_MANT_MAX, BIAS_EXP_MAX, STATE_MAX, ALIGN = 131_071, 4095, 7, 2**23 - 1, 64
#: Of the mantissa of a scale: as a float64, so that a threshold that weights reach exactly is reached exactly.
SCALE_BITS = 53
#: Steps of a threshold whose rounding is well below that of 8-bit weights.
VTH_FINE = 1024
#: Exponents of weights: 4 bits, as Loihi's (Davies et al. 2018, IEEE Micro 38(1)).
WEIGHT_EXP_MIN, WEIGHT_EXP_MAX = -8, 7
#: Payloads of a population that others read: 16 bits, what a graded spike carries in one word.
PAYLOAD_MAX = 2**15 - 1
#: Multiples of one number up to this share of the largest: rounding of float64, far below half a step of any integer.
SAME = 1e-9
#: Whole weights are looked for up to this many steps.
MOST_STEPS = 256


@dataclass(frozen=True, slots=True)
class Grid:
    """Mantissas that weights of one sign mode can have: low, low + step, .., high."""

    mode: str
    low: int
    high: int
    step: int


def grid(values: Floats, bits: int) -> Grid:
    """Mixed signs lose the lowest bit to the sign (lava-nc 0.10.0 `lava/utils/weightutils.py`)."""
    step = 2 ** (8 - bits)
    if not values.size or float(values.min()) >= 0:
        return Grid("excitatory", 0, 256 - step, step)
    if float(values.max()) <= 0:
        return Grid("inhibitory", step - 256, 0, step)
    return Grid("mixed", -256, 256 - 2 * step, 2 * step)


def span(values: Floats, bits: int) -> float:
    """Weights in parts of the largest mantissa: ``scale * span <= 2**weight_exp`` uses no more than the bits there are."""
    if not values.size:
        return 0.0
    g = grid(values, bits)
    high = float(values.max()) / g.high if g.high > 0 else 0.0
    low = float(values.min()) / g.low if g.low < 0 else 0.0
    return max(high, low)


class Bounds(NamedTuple):
    """current, voltage : (size,) largest u and v in volts, None where nothing bounds them. seen : they were seen in a run,
    not proven from the weights. start : the largest state in volts that a start in phase wants (`starts.reach`)."""

    current: Floats | None
    voltage: Floats | None
    seen: bool
    start: float = 0.0


def choose(m: Membrane, spans: Sequence[tuple[float, bool]], bounds: Bounds, read: bool) -> Dyadic:
    """The scale of a population.

    spans : of its projections (with gains), and which of them are graded. read : other populations take its payloads.

    As large as registers allow, with the largest weight exactly at the end of its mantissa. Currents and voltages that were
    seen stay below 24 bits. Proven bounds (all inputs at once) do so too as long as the weights keep all their bits: with an
    exponent of at least 0, or -8 where payloads are large; for voltages the threshold must keep `VTH_FINE` steps besides (a
    voltage that nothing bounds, as an integrator's, gets all the room that is left then), and the same goes for a start.
    """
    current, voltage, seen, start = bounds
    hard = [math.inf]
    vth = 2**22 if m.model == "threshold" else VTH_MAX
    if m.threshold is not None:
        hard.append(_quotient(vth, m.threshold))
    hard.append(_quotient(BIAS_MANT_MAX * 2**BIAS_EXP_MAX / ALIGN, m.bias))
    hard += [_quotient(STATE_MAX / ALIGN, start) for start in (m.u0, m.v0)]
    if m.graded:
        end = PAYLOAD_MAX if read else STATE_MAX
        known = voltage if voltage is not None else current
        if known is not None:
            hard.append(_quotient(end / ALIGN, known))
    largest = max((span for span, _ in spans), default=0.0)
    ends = [2.0 ** (WEIGHT_EXP_MIN if graded else 0) / span for span, graded in spans if span]
    all_bits = max(ends, default=0.0)
    limit, floor = min(hard), 0.0 if seen else all_bits
    if current is not None:
        limit = min(limit, max(_quotient(STATE_MAX / ALIGN, current), floor))
    if m.model != "threshold":
        fine = 0.0 if m.threshold is None else min(_quotient(VTH_FINE, m.threshold), 2.0**64)
        room = 0.0 if voltage is None else _quotient(STATE_MAX / ALIGN, voltage)
        limit = min(limit, room if seen else max(room, all_bits, fine))
        if start:
            limit = min(limit, max(STATE_MAX / ALIGN / start, all_bits, fine))
    if not largest:
        return Dyadic.nearest(min(limit, 2.0**16), SCALE_BITS)
    limit = min(limit, 2.0**WEIGHT_EXP_MAX / largest)
    exponent = math.floor(math.log2(limit * largest) + 1e-12)
    if exponent < WEIGHT_EXP_MIN:
        return Dyadic.nearest(limit, SCALE_BITS)
    return Dyadic.nearest(2.0**exponent / largest, SCALE_BITS)


def common_step(values: Floats) -> float | None:
    """The largest number that all values are whole multiples of; None where one would be more than `MOST_STEPS` times it.

    Euclid's algorithm on all values at once: what is left of any of them is a multiple of the step that is looked for.
    """
    sizes = np.abs(values[values != 0])
    if not sizes.size:
        return None
    largest = float(sizes.max())
    step = float(sizes.min())
    while step * MOST_STEPS >= largest * (1 - SAME):
        left = np.abs(sizes - np.rint(sizes / step) * step)
        left = left[left > SAME * largest]
        if not left.size:
            return largest / float(np.rint(largest / step))
        step = float(left.min())
    return None


def on_grid(m: Membrane, scale: Dyadic, values: Sequence[Floats], bits: int) -> Dyadic:
    """The scale, or the next below it (down to its half) that makes the weights whole without rounding; ties stay ties.

    values : of the weights of each projection, for a scale of 1, in volts. Only where these are whole multiples of one
    number, and for leaky neurons only where the thresholds become whole with them: without a leak all voltages are sums
    of weights, and any threshold can be rounded down.
    """
    step = common_step(np.concatenate([one.reshape(-1) for one in values])) if values else None
    if step is None:
        return scale
    largest = max(span(one, bits) for one in values)
    exponent = math.ceil(math.log2(scale.value * largest) - 1e-6)
    if exponent < WEIGHT_EXP_MIN:
        return scale
    unit = max(grid(one, bits).step for one in values) * 2.0**exponent
    most = math.floor(scale.value * step / unit * (1 + SAME))
    for count in range(most, most // 2, -1):
        made = count * unit / step
        if (count * unit).is_integer() and (m.whole or _whole(m.threshold, made)):
            return Dyadic.nearest(made, SCALE_BITS)
    return scale


def _whole(threshold: Floats | None, scale: float) -> bool:
    if threshold is None:
        return True
    wanted = threshold * scale
    return bool((np.abs(wanted - np.rint(wanted)) <= SAME * np.abs(wanted)).all())


def _quotient(limit: float, values: Floats) -> float:
    largest = float(np.abs(values).max()) if values.size else 0.0
    return limit / largest if largest else math.inf


def weight_exp(scale: float, largest: float) -> int:
    """The smallest exponent that holds weights of this span."""
    if not largest:
        return 0
    needed = math.ceil(math.log2(scale * largest) - 1e-6)
    return min(max(needed, WEIGHT_EXP_MIN), WEIGHT_EXP_MAX)


def bias_exp(bias: Floats) -> int:
    """The smallest exponent with which the largest bias (in integers) has 13 bits."""
    largest = float(np.abs(bias).max()) if bias.size else 0.0
    return next((e for e in range(BIAS_EXP_MAX) if np.rint(largest / 2**e) <= BIAS_MANT_MAX), BIAS_EXP_MAX)
