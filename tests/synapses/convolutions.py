"""Transposed convolutions, pooling by summation and its transpose, as convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.synapses.build import Pair, conv
from neurodeploy.synapses.conv import Conv


def transposed_conv(
    weight: NDArray[Any],
    input_shape: tuple[int, int, int],
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    output_padding: Pair = (0, 0),
) -> Conv:
    """A transposed convolution; `weight` (out, kx, ky, in / groups), see `from_torch_transposed_kernel`."""
    return conv(weight, input_shape, stride, padding, dilation, groups, transposed=True, output_padding=output_padding)


def sum_pool(
    input_shape: tuple[int, int, int],
    kernel: Pair,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    weight: int = 1,
) -> Conv:
    """``out[X, Y, c] = weight * sum of in over the window``, channel by channel. `stride` None: that of the kernel."""
    channels = input_shape[2]
    ones = np.full((channels, *kernel, 1), weight)
    return conv(ones, input_shape, stride or kernel, padding, dilation, channels)


def unpool(
    input_shape: tuple[int, int, int],
    kernel: Pair,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    weight: int = 1,
) -> Conv:
    """Every input pixel, times `weight`, onto all pixels of its window: the transpose of `sum_pool`."""
    channels = input_shape[2]
    ones = np.full((channels, *kernel, 1), weight)
    return transposed_conv(ones, input_shape, stride or kernel, padding, dilation, channels)
