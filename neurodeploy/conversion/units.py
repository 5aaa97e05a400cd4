"""Units of values on the chip that are powers of two, from what calibration saw."""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import SCALE_MIN, STATE_BITS, STATE_MAX, Ints, multiply_shift
from neurodeploy.ops.host.lowering import HEADROOM, Floats, Unit

#: A channel that calibration hardly saw has a unit of at most 2**-this of the largest.
FAINTEST = 16


def units_of(peak: Floats, *, flat: bool) -> Unit:
    """Units of 24 bits that hold `HEADROOM` times these magnitudes: one for all channels where `flat`."""
    largest = max(float(peak.max(initial=0.0)), SCALE_MIN * STATE_MAX)
    range_ = np.full(peak.size, largest) if flat else np.maximum(peak, largest * 2.0**-FAINTEST)
    return Unit.of_logs(np.ceil(np.log2(range_ * HEADROOM / STATE_MAX)).astype(np.int64), STATE_BITS)


def ratio_of(steps: Floats, wanted: Ints) -> tuple[Ints, Ints, Ints]:
    """Multiplier and shift from these units to powers of two, and by how many bits these must be coarser."""
    multiplier, shift = multiply_shift(np.ldexp(steps, -wanted))
    coarser = np.maximum(-shift, 0)
    return multiplier, (shift + coarser).astype(np.uint8), coarser
