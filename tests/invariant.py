"""A float projection whose bits do not depend on the batch: slower than BLAS, for exact comparisons."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import split
from neurodeploy.ops.host.kernels import F, dot_1, dot_4


@jit
def linear(part, parts, x, transposed, bias, out):  # type: ignore[no-untyped-def]
    """``out = x W^T + b`` from W^T (in, out), summed in the order of the inputs: batch invariant, unlike BLAS."""
    tokens = x.shape[0]
    columns = transposed.shape[1]
    a, b = columns * part // parts, columns * (part + 1) // parts
    s = np.empty((4, b - a), np.float32)
    t = 0
    while t < tokens:
        count = 4 if t + 4 <= tokens else 1
        if count == 4:
            dot_4(x[t : t + 4], transposed, a, b, F(1.0), s)
        else:
            dot_1(x[t], transposed, a, b, F(1.0), s[0])
        for r in range(count):
            target, source = out[t + r, a:b], s[r]
            if bias.size:
                for i in range(b - a):
                    target[i] = source[i] + bias[a + i]
            else:
                for i in range(b - a):
                    target[i] = source[i]
        t += count


def invariant_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x W^T + b`` whose rows do not depend on the batch, in the place of `torch.nn.functional.linear`."""
    out = x.new_empty((x.shape[0], weight.shape[0]))
    offset = np.empty(0, np.float32) if bias is None else bias.numpy()
    transposed = weight.t().contiguous().numpy()
    split(linear, x.shape[0] * weight.numel(), x.contiguous().numpy(), transposed, offset, out.numpy())
    return out
