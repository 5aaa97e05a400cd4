"""Events through a convolution: each adds its kernel to the pixels that see it; no matrix is built.

`kernel` (kx, ky, in_channels, out_channels / groups) holds, for each input channel, the weights to the output
channels of its group next to one another. `shape` is the tuple (input y, input channels, output x, output y, output
channels, groups, stride x, stride y, padding x, padding y, dilation x, dilation y).
"""

from __future__ import annotations

from typing import Any

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.finish import add_pending, shift_row


@jit
def _pixel(n: int, tap: int, stride: int, padding: int, dilation: int, size: int, transposed: bool) -> int:
    """The output pixel that input pixel n reaches through a tap on one axis, -1 where there is none."""
    if transposed:
        place = n * stride - padding + tap * dilation
    else:
        reach = n + padding - tap * dilation
        if reach < 0 or reach % stride != 0:
            return -1
        place = reach // stride
    return place if 0 <= place < size else -1


@jit
def _add(j: int, x: Any, kernel: Any, shape: Any, transposed: bool, row: Any) -> None:
    """Add the event of neuron j, payload x, to the sums `row` (pixels * output channels)."""
    in_y, in_channels, out_x, out_y, out_channels, groups, sx, sy, px, py, dx, dy = shape
    channel = j % in_channels
    y = (j // in_channels) % in_y
    left = j // (in_channels * in_y)
    width = out_channels // groups
    base = (channel // (in_channels // groups)) * width
    for tap_x in range(kernel.shape[0]):
        ox = _pixel(left, tap_x, sx, px, dx, out_x, transposed)
        if ox < 0:
            continue
        for tap_y in range(kernel.shape[1]):
            oy = _pixel(y, tap_y, sy, py, dy, out_y, transposed)
            if oy < 0:
                continue
            place = (ox * out_y + oy) * out_channels + base
            out, weights = row[place : place + width], kernel[tap_x, tap_y, channel]
            for o in range(width):
                out[o] += x * weights[o]


@jit
def messages(
    part: int, parts: int, start: int, stop: int, pointer: Any, index: Any, value: Any, kernel: Any, shape: Any,
    transposed: bool, exponent: int, pending: Any,
) -> None:  # fmt: skip
    """Any payload, no delay, no wrap: writes row t + 1 of `pending` for every frame of this part."""
    steps = stop - start
    frames = pending.shape[0] * steps
    for frame in range(frames * part // parts, frames * (part + 1) // parts):
        out = pending[frame // steps, start + frame % steps + 1]
        out[:] = 0
        for e in range(pointer[frame], pointer[frame + 1]):
            _add(index[e], value[e], kernel, shape, transposed, out)
        shift_row(out, exponent)


@jit
def runs(
    part: int, parts: int, start: int, stop: int, pointer: Any, index: Any, value: Any, packed: Any, sides: Any,
    lines: Any, stretches: Any, exponent: int, pending: Any,
) -> None:  # fmt: skip
    """As `messages` where the taps along y reach neighbouring pixels: all their weights are added in one stretch.

    packed (phases, kx, in_channels, taps, out_channels), see `simulators.fast.conv.pack`; sides = (input y,
    output y); lines (input x, kx, 2): (tap, output x) for each x, -1 where there is none; stretches (input y, 4):
    (phase, first tap, taps, first output y) for each y.
    """
    _, along, in_channels, taps, out_channels = packed.shape
    in_y, out_y = sides
    weights = packed.ravel()
    steps = stop - start
    frames = pending.shape[0] * steps
    for frame in range(frames * part // parts, frames * (part + 1) // parts):
        out = pending[frame // steps, start + frame % steps + 1]
        out[:] = 0
        for e in range(pointer[frame], pointer[frame + 1]):
            pixel, channel = index[e] // in_channels, index[e] % in_channels
            x = value[e]
            line, y = pixel // in_y, pixel % in_y
            phase, tap, count, first = stretches[y, 0], stretches[y, 1], stretches[y, 2], stretches[y, 3]
            for n in range(along):
                if lines[line, n, 0] < 0:
                    break
                place = (lines[line, n, 1] * out_y + first) * out_channels
                at = (((phase * along + lines[line, n, 0]) * in_channels + channel) * taps + tap) * out_channels
                stretch = count * out_channels
                to, of = out[place : place + stretch], weights[at : at + stretch]
                for i in range(stretch):
                    to[i] += x * of[i]
        shift_row(out, exponent)


@jit
def delayed(
    start: int, stop: int, pointer: Any, index: Any, value: Any, kernel: Any, shape: Any, transposed: bool, slot: Any,
    acc: Any, used: Any, exponent: int, bits: int, pending: Any,
) -> int:  # fmt: skip
    """Any payload, one delay an axon: returns how many values wrapped. `acc`, `used` as in `dense`."""
    steps = stop - start
    lost = 0
    for frame in range(pending.shape[0] * steps):
        for e in range(pointer[frame], pointer[frame + 1]):
            j = index[e]
            used[slot[j]] = True
            _add(j, acc.dtype.type(value[e]), kernel, shape, transposed, acc[slot[j]])
        lost += add_pending(acc, used, exponent, bits, pending[frame // steps, start + frame % steps + 1 :])
    return int(lost)
