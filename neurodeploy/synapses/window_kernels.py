"""Which input pixels reach ranges of rows of a convolution, range by range, compiled."""

from __future__ import annotations

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def bounds(row, stop, order, shape, groups, in_height, xs, ys):  # type: ignore[no-untyped-def]
    """No cell of these rows lies below the first or above the second, which is below the first where there is none.
    Arguments as in `reaching`."""
    height, out = shape[1], shape[2]
    each = out // groups
    low, high = np.int64(-1), np.int64(-2)
    while row < stop:
        neuron = order[row] if len(order) else row
        pixel = neuron // out
        group = (neuron - pixel * out) // each
        row += 1 if len(order) else min(stop - row, (pixel * groups + group + 1) * each - neuron)
        left, right, top, bottom = -1, -1, -1, -1
        for x in xs[pixel // height]:
            if x >= 0:
                left, right = x if left < 0 else min(left, x), max(right, x)
        for y in ys[pixel % height]:
            if y >= 0:
                top, bottom = y if top < 0 else min(top, y), max(bottom, y)
        if left >= 0 and top >= 0:
            first, last = (left * in_height + top) * groups + group, (right * in_height + bottom) * groups + group
            low, high = first if high < 0 else min(low, first), max(high, last)
    return low, high


@jit
def reaching(ranges, first, most, order, shape, groups, in_shape, xs, ys):  # type: ignore[no-untyped-def]
    """(range, cell, synapses) of the ranges (n, 2) of rows from number `first` on, until `most` have come together, and the
    number of the next range.

    A cell is one group of channels of an input pixel, number ``pixel * groups + group``; those of a range ascend.
    order : the neuron of each row, empty where they lie in their places. shape, in_shape : (x, y, channels) of both sides.
    xs, ys : (output pixels, taps) along each side the input pixel that a tap reads, -1 for none.
    """
    height, out = shape[1], shape[2]
    each = out // groups
    stamp, fan = np.full(1024, -1, np.int64), np.zeros(1024, np.int64)  # of the cells from the lowest of a range on
    found, held, n = np.empty((3, 1024), np.int64), 0, first
    while n < len(ranges) and held < most:
        row, stop = ranges[n]
        low, high = bounds(row, stop, order, shape, groups, in_shape[1], xs, ys)
        if high - low >= len(stamp):
            size = 2 * (high - low + 1)
            stamp, fan = np.full(size, -1, np.int64), np.zeros(size, np.int64)
        while row < stop:
            neuron = order[row] if len(order) else row
            pixel = neuron // out
            group = (neuron - pixel * out) // each
            last = min(stop - row, (pixel * groups + group + 1) * each - neuron)  # rows of this pixel and group
            count = 1
            if len(order):
                while count < last and order[row + count] == neuron + count:
                    count += 1
            else:
                count = last
            row += count
            for x in xs[pixel // height]:
                for y in ys[pixel % height]:
                    if x < 0 or y < 0:
                        continue
                    cell = (x * in_shape[1] + y) * groups + group - low
                    if stamp[cell] != n:
                        stamp[cell] = n
                        fan[cell] = 0
                    fan[cell] += count
        if held + high - low + 1 > found.shape[1]:
            larger = np.empty((3, 2 * (held + high - low + 1)), np.int64)
            larger[:, :held] = found[:, :held]
            found = larger
        for cell in range(high - low + 1):
            if stamp[cell] == n:
                found[0, held], found[1, held], found[2, held] = n, low + cell, fan[cell]
                held += 1
        n += 1
    return found[:, :held], n
