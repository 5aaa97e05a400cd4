"""Transposed convolutions, pooling by summation and its transpose, as convolutions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from neurodeploy.synapses.build import Pair, conv
from neurodeploy.synapses.conv import Conv

#: `weight` (out, kx, ky, in / groups), see `from_torch_transposed_kernel`.
transposed_conv = partial(conv, transposed=True)


def _pool(
    make: Callable[..., Conv], shape: tuple[int, int, int], kernel: Pair, stride: Pair | None = None, *geometry: Pair,
    weight: int = 1,
) -> Conv:  # fmt: skip
    ones: Any = np.full((shape[2], *kernel, 1), weight)
    return make(ones, shape, stride or kernel, *geometry, groups=shape[2])


#: ``out[X, Y, c] = weight * sum of in over the window``, channel by channel; no stride is that of the kernel.
sum_pool = partial(_pool, conv)
#: Every input pixel, times `weight`, onto all pixels of its window: the transpose of `sum_pool`.
unpool = partial(_pool, transposed_conv)
