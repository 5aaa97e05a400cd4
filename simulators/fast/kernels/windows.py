"""A convolution and the neurons behind it in one pass: windows, product and neurons of a tile of pixels, which stay in the
cache.

Real numbers of 64 bits stand for integers here as in `kernels.lane`: `simulators.fast.windows` proves that each has fewer
than 53 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.feeds import kept
from simulators.fast.kernels.lane import room_of
from simulators.fast.kernels.products import patch
from simulators.products.pairs import GROUP, TALL, multiply_part
from simulators.products.tiles import WIDEST

#: Elements of the windows of a tile, which stay in the second-level cache, and the fewest pixels that pay for widening the
#: weights anew.
ELEMENTS, LEAST = 1 << 17, 24


@jit
def bent(sums: Any, offset: Any, rising: Any, falling: Any, numbers: Any, out: Any, fired: Any, lost: Any) -> None:
    """`neurons.graded_rectified` of exact sums, and `graded_affine` where both factors are one and nothing limits it.

    offset : ``bias * unit + 1/2``. rising, falling : ``multiplier / 2**shift``. numbers : unit (``2**-acc_shift``), largest
    state, low, high, largest payload. `fired` += payloads that are not zero, `lost` += (wrapped, states, payloads).
    """
    unit, most, low, high, top = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    states, payloads = np.int64(0), np.int64(0)
    for i in range(sums.shape[0]):
        x = np.floor(np.float64(sums[i]) * unit + offset[i])
        v = kept(x, most)
        states += np.int64(v != x)
        y = np.floor(v * (rising[i] if v >= 0.0 else falling[i]) + 0.5)
        y = min(max(y, low), high)
        z = kept(y, top)
        payloads += np.int64(z != y)
        out[i] = np.int32(z)
        fired[i] += np.int64(z != 0.0)
    lost[1] += states
    lost[2] += payloads


@jit
def convolved(
    part: int, parts: int, frames: Any, shape: Any, taps: Any, weight: Any, kind: Any, neurons: Any, numbers: Any,
    out: Any, fired: Any, lost: Any,
) -> None:  # fmt: skip
    """Frames (n, input x, input y, channels) int16 to payloads out (n, pixels, channels) int32.

    shape, taps : as in `kernels.products`. weight : (channels, taps * input channels) int8. kind : an array of the type of
    the sums. neurons : (3, pixels or 1, channels), the rows of `bent`; numbers : its numbers. fired : (pixels, channels).
    lost : (parts, 3). Tiles of pixels, and channels where these are few, are shared among the parts: no two count the same
    neuron.
    """
    rows, depth = weight.shape
    pixels, out_y, columns = out.shape[1], shape[3], (depth + WIDEST - 1) // WIDEST * WIDEST
    height = min(TALL, max(LEAST, ELEMENTS // columns), pixels)
    tiles, shares = (pixels + height - 1) // height, 1
    while tiles * shares < 2 * parts and 2 * shares * GROUP <= rows and parts > 1:
        shares *= 2
    flat = np.zeros(height * columns + WIDEST, np.int16)
    aligned = -flat.ctypes.data % (2 * WIDEST) // 2
    windows = flat[aligned : aligned + height * columns].reshape(height, columns)
    sums, groups, units = room_of(height * rows, kind), (rows + GROUP - 1) // GROUP, tiles * shares
    for unit in range(units * part // parts, units * (part + 1) // parts):
        begin, share = unit // shares * height, unit % shares
        end = min(begin + height, pixels)
        first, stop = groups * share // shares * GROUP, min(groups * (share + 1) // shares * GROUP, rows)
        own = sums[: (end - begin) * (stop - first)].reshape(end - begin, stop - first)
        for n in range(out.shape[0]):
            for pixel in range(begin, end):
                patch(frames[n], pixel // out_y, pixel % out_y, 0, shape, taps, windows[pixel - begin])
            multiply_part(0, 1, windows[: end - begin], weight[first:stop], own)
            for pixel in range(begin, end):
                place = min(pixel, neurons.shape[1] - 1)
                offset, rising, falling = neurons[0, place], neurons[1, place], neurons[2, place]
                bent(
                    own[pixel - begin], offset[first:stop], rising[first:stop], falling[first:stop], numbers,
                    out[n, pixel, first:stop], fired[pixel, first:stop], lost[part],
                )  # fmt: skip
