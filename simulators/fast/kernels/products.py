"""Around an exact matrix product: digits of payloads, the patches of a convolution, and the way back to what is
pending."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.conv import _pixel
from simulators.fast.kernels.finish import add_row


@jit
def place(sums: Any, first: int, exponent: int, start: int, stop: int, pending: Any) -> None:
    """No delay, no wrap: ``pending[s, t + 1] = shift(sums[n])`` for frame first + n, sums (frames, rows)."""
    steps = stop - start
    for n in range(sums.shape[0]):
        frame = first + n
        row, out = sums[n], pending[frame // steps, start + frame % steps + 1]
        if exponent > 0:
            for i in range(row.shape[0]):
                out[i] = np.int64(row[i]) << exponent
        else:
            for i in range(row.shape[0]):
                out[i] = np.int64(row[i]) >> -exponent


@jit
def patch(frame: Any, ox: int, oy: int, group: int, shape: Any, taps: Any, row: Any) -> None:
    """What an output pixel sees of a frame (input x, input y, channels): taps * channels of the group to the beginning of
    `row`. What lies outside is zero. `shape` as in `conv`."""
    in_y, in_channels, _, _, _, groups, sx, sy, px, py, dx, dy = shape
    wide = in_channels // groups
    stretch = taps[1] * wide
    y0 = oy * sy - py
    inside = y0 >= 0 and y0 + taps[1] <= in_y and dy == 1 and groups == 1
    for tap_x in range(taps[0]):
        x = ox * sx - px + tap_x * dx
        to = row[tap_x * stretch : (tap_x + 1) * stretch]
        if x < 0 or x >= frame.shape[0]:
            to[:] = 0
        elif inside:
            of = frame[x].ravel()[y0 * wide : y0 * wide + stretch]
            for i in range(stretch):
                to[i] = of[i]
        else:
            for tap_y in range(taps[1]):
                y, place = y0 + tap_y * dy, to[tap_y * wide : (tap_y + 1) * wide]
                if 0 <= y < in_y:
                    of = frame[x, y, group * wide : (group + 1) * wide]
                    for c in range(wide):
                        place[c] = of[c]
                else:
                    place[:] = 0


@jit
def patches(part: int, parts: int, frames: Any, group: int, shape: Any, taps: Any, out: Any) -> None:
    """Patches of a convolution: frames (n, input x, input y, channels) to rows of out (n * pixels, taps * channels of
    the group); columns of out beyond these stay as they are. Lines of output pixels are shared among the parts."""
    out_x, out_y = shape[2], shape[3]
    lines = frames.shape[0] * out_x
    for place in range(lines * part // parts, lines * (part + 1) // parts):
        for oy in range(out_y):
            patch(frames[place // out_x], place % out_x, oy, group, shape, taps, out[place * out_y + oy])


@jit
def by_channel(part: int, parts: int, frames: Any, kernel: Any, shape: Any, out: Any) -> None:
    """Sums of a convolution with one input and one output channel a group: frames (n, input x, input y, channels), kernel
    (taps x, taps y, channels) int64, out (n, output x, output y, channels) int64. `shape` as in `conv`."""
    in_y, _, out_x, out_y, _, _, sx, sy, px, py, dx, dy = shape
    in_x = frames.shape[1]
    lines = frames.shape[0] * out_x
    for place in range(lines * part // parts, lines * (part + 1) // parts):
        n, ox = place // out_x, place % out_x
        for oy in range(out_y):
            row = out[n, ox, oy]
            row[:] = 0
            for tap_x in range(kernel.shape[0]):
                x = ox * sx - px + tap_x * dx
                if x < 0 or x >= in_x:
                    continue
                for tap_y in range(kernel.shape[1]):
                    y = oy * sy - py + tap_y * dy
                    if y < 0 or y >= in_y:
                        continue
                    source, weight = frames[n, x, y], kernel[tap_x, tap_y]
                    for c in range(row.shape[0]):
                        row[c] += np.int64(source[c]) * weight[c]


@jit
def unpatch(products: Any, group: int, shape: Any, taps: Any, sums: Any) -> None:
    """The way back of a transposed convolution: products (n, input x, input y, taps x, taps y, width) added to the
    output channels of the group in sums (n, output x, output y, output channels)."""
    _, _, out_x, out_y, out_channels, groups, sx, sy, px, py, dx, dy = shape
    width = out_channels // groups
    for n in range(products.shape[0]):
        for x in range(products.shape[1]):
            for tap_x in range(taps[0]):
                ox = _pixel(x, tap_x, sx, px, dx, out_x, True)
                if ox < 0:
                    continue
                for y in range(products.shape[2]):
                    for tap_y in range(taps[1]):
                        oy = _pixel(y, tap_y, sy, py, dy, out_y, True)
                        if oy < 0:
                            continue
                        for o in range(width):
                            sums[n, ox, oy, group * width + o] += products[n, x, y, tap_x, tap_y, o]


@jit
def place_checked(
    sums: Any, first: int, slot: int, exponent: int, bits: int, start: int, stop: int, pending: Any
) -> int:
    """Add the sums of one delay slot of frames first.. to what is pending; returns how many values wrapped."""
    steps = stop - start
    lost = np.int64(0)
    for n in range(sums.shape[0]):
        frame = first + n
        lost += add_row(sums[n], exponent, bits, pending[frame // steps, start + frame % steps + 1 + slot])
    return int(lost)
