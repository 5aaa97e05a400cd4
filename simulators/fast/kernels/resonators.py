"""Resonate-and-fire neurons of `neurodeploy.neurons.rf` and `rf_iz`, for all steps of a block."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def _part(factor: int, x: int, bits: int) -> int:
    """``factor * x / 2**bits``, rounded towards zero."""
    y = factor * x
    return -(-y >> bits) if y < 0 else y >> bits


@jit
def resonator(
    resetting: bool, gain: int, bits: int, start: int, stop: int, inputs: Any, state: Any, params: Any, out: Any,
    lost: Any,
) -> None:  # fmt: skip
    """`rf`, or `rf_iz` where `resetting`: inputs (re, im), state (real, imag), params (sin, cos, vth << state_exp).

    gain : state_exp, the shift of the inputs; bits : decay_bits. `lost` += (wrapped, saturated).
    """
    limit = np.int64(2**23 - 1)
    re_in, im_in = inputs
    real, imag = state
    sin, cos, end = params
    wrapped, clipped = np.int64(0), np.int64(0)
    for s in range(real.shape[0]):
        for t in range(start, stop):
            for i in range(real.shape[1]):
                exact_re, exact_im = np.int64(re_in[s, t, i]) << gain, np.int64(im_in[s, t, i]) << gain
                in_re, in_im = np.int64(np.int32(exact_re)), np.int64(np.int32(exact_im))
                wrapped += np.int64(in_re != exact_re) + np.int64(in_im != exact_im)
                re, im = real[s, i], imag[s, i]
                new_re = _part(cos[i], re, bits) - _part(sin[i], im, bits) + in_re
                new_im = _part(sin[i], re, bits) + _part(cos[i], im, bits) + in_im
                kept_re, kept_im = min(max(new_re, -limit), limit), min(max(new_im, -limit), limit)
                clipped += np.int64(kept_re != new_re) + np.int64(kept_im != new_im)
                if resetting:
                    fires = kept_im >= end[i]
                    real[s, i] = 0 if fires else kept_re
                    imag[s, i] = end[i] - 1 if fires else kept_im
                else:
                    fires = (kept_re >= end[i]) and (kept_im >= 0) and (im < 0)
                    real[s, i] = kept_re
                    imag[s, i] = kept_im
                out[s, t, i] = fires
    lost[0] += wrapped
    lost[1] += clipped
