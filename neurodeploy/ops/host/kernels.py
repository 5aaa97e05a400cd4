"""What the CPU kernels of the host operations are made of (numba, float32): *batch invariant, bit for bit*.

What one token gets must not depend on how many other tokens are in the call, nor on the number of threads. So every sum
has an order that depends on the token's own data only:

* sums over keys and over head dimensions run as axpy loops, one term after the other, vectorised over the *other* axis;
* sums over a row (mean of squares, softmax denominator) fold it in halves, so that the order depends on its length;
* `exp` is a polynomial in plain float32 arithmetic: a vector body and a scalar tail do the same operations.

Fast-math stays off: no reassociation and no contraction to fused multiply-add. Every kernel takes ``part, parts`` and
works on its share, so that threads split rows and heads, never a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.machine.jit import Kernel, jit
from neurodeploy.machine.threads import split

if TYPE_CHECKING:
    from torch import Tensor

F = np.float32

#: Keys per tile of a score row: 4 rows of scores and 4 rows of keys stay in a 32 KiB first-level cache.
TILE = 512


#: Flops of `exp32`: clip 2, scale and shift 3, reduction 4, polynomial 13, exponent 2.
EXP = 24


@jit
def exp32(x):  # type: ignore[no-untyped-def]
    """``e**x`` within 1 ulp for -87 <= x <= 88 (clipped there), NaN stays NaN.

    x = n ln 2 + r with |r| <= ln(2) / 2, n from adding 1.5 * 2**23 (rounds to an integer in the low mantissa bits);
    ln 2 in two pieces, the first with 9 bits so that n times it is exact (Cody and Waite 1980); polynomial coefficients
    of Cephes ``expf`` (Moshier 1989); 2**n is written into the exponent field.
    """
    x = x if not x < F(-87.0) else F(-87.0)
    x = x if not x > F(88.0) else F(88.0)
    shifted = x * F(1.44269504088896341) + F(12582912.0)
    n = shifted - F(12582912.0)
    r = (x - n * F(0.693359375)) - n * F(-2.12194440e-4)
    p = F(1.9875691500e-4) * r + F(1.3981999507e-3)
    p = p * r + F(8.3334519073e-3)
    p = p * r + F(4.1665795894e-2)
    p = p * r + F(1.6666665459e-1)
    p = p * r + F(5.0000001201e-1)
    p = (p * (r * r) + r) + F(1.0)
    bits = (F(shifted).view(np.int32) << np.int32(23)) + np.int32(0x3F800000)
    return p * np.int32(bits).view(np.float32)


@jit
def fold_sum(x, buffer):  # type: ignore[no-untyped-def]
    """Sum of a row in a fixed tree: fold the upper half onto the lower until one number is left. `x` is not changed."""
    n = x.size
    half = (n + 1) // 2
    for i in range(n - half):
        buffer[i] = x[i] + x[i + half]
    if n % 2:
        buffer[half - 1] = x[half - 1]
    n = half
    while n > 1:
        half = (n + 1) // 2
        for i in range(n - half):
            buffer[i] = buffer[i] + buffer[i + half]
        n = half
    return buffer[0]


@jit
def fold_max(x, buffer):  # type: ignore[no-untyped-def]
    """Largest element of a row, folded like `fold_sum`: unlike a running maximum this vectorises."""
    n = x.size
    half = (n + 1) // 2
    for i in range(n - half):
        buffer[i] = x[i] if x[i] > x[i + half] else x[i + half]
    if n % 2:
        buffer[half - 1] = x[half - 1]
    n = half
    while n > 1:
        half = (n + 1) // 2
        for i in range(n - half):
            buffer[i] = buffer[i] if buffer[i] > buffer[i + half] else buffer[i + half]
        n = half
    return buffer[0]


@jit
def dot_4(q, key, a, b, scale, s):  # type: ignore[no-untyped-def]
    """``s[r, j - a] = scale * sum_d q[r, d] key[d, j]`` for 4 rows q (4, D) and columns a..b of key (D, capacity).

    The sum runs over d in order; four d at a time, so that s is loaded and stored once for four products.
    """
    dim = q.shape[1]
    for start in range(0, b - a, TILE):
        m = min(b - a - start, TILE)
        s0, s1 = s[0, start : start + m], s[1, start : start + m]
        s2, s3 = s[2, start : start + m], s[3, start : start + m]
        low, high = a + start, a + start + m
        for j in range(m):
            s0[j] = s1[j] = s2[j] = s3[j] = F(0.0)
        whole = dim - dim % 4
        for d in range(0, whole, 4):
            a0, a1, a2, a3 = q[0, d], q[0, d + 1], q[0, d + 2], q[0, d + 3]
            b0, b1, b2, b3 = q[1, d], q[1, d + 1], q[1, d + 2], q[1, d + 3]
            c0, c1, c2, c3 = q[2, d], q[2, d + 1], q[2, d + 2], q[2, d + 3]
            d0, d1, d2, d3 = q[3, d], q[3, d + 1], q[3, d + 2], q[3, d + 3]
            k0, k1 = key[d, low:high], key[d + 1, low:high]
            k2, k3 = key[d + 2, low:high], key[d + 3, low:high]
            for j in range(m):
                x0, x1, x2, x3 = k0[j], k1[j], k2[j], k3[j]
                s0[j] = (((s0[j] + a0 * x0) + a1 * x1) + a2 * x2) + a3 * x3
                s1[j] = (((s1[j] + b0 * x0) + b1 * x1) + b2 * x2) + b3 * x3
                s2[j] = (((s2[j] + c0 * x0) + c1 * x1) + c2 * x2) + c3 * x3
                s3[j] = (((s3[j] + d0 * x0) + d1 * x1) + d2 * x2) + d3 * x3
        for d in range(whole, dim):
            k0 = key[d, low:high]
            for j in range(m):
                s0[j] = s0[j] + q[0, d] * k0[j]
                s1[j] = s1[j] + q[1, d] * k0[j]
                s2[j] = s2[j] + q[2, d] * k0[j]
                s3[j] = s3[j] + q[3, d] * k0[j]
        for j in range(m):
            s0[j] *= scale
            s1[j] *= scale
            s2[j] *= scale
            s3[j] *= scale


@jit
def dot_1(q, key, a, b, scale, s):  # type: ignore[no-untyped-def]
    """`dot_4` for one row q (D,), s (>= b - a,)."""
    dim = q.size
    for start in range(0, b - a, TILE):
        m = min(b - a - start, TILE)
        s0 = s[start : start + m]
        low, high = a + start, a + start + m
        for j in range(m):
            s0[j] = F(0.0)
        whole = dim - dim % 4
        for d in range(0, whole, 4):
            a0, a1, a2, a3 = q[d], q[d + 1], q[d + 2], q[d + 3]
            k0, k1 = key[d, low:high], key[d + 1, low:high]
            k2, k3 = key[d + 2, low:high], key[d + 3, low:high]
            for j in range(m):
                s0[j] = (((s0[j] + a0 * k0[j]) + a1 * k1[j]) + a2 * k2[j]) + a3 * k3[j]
        for d in range(whole, dim):
            k0 = key[d, low:high]
            for j in range(m):
                s0[j] = s0[j] + q[d] * k0[j]
        for j in range(m):
            s0[j] *= scale


def empty_like(x: Tensor) -> Tensor:
    import torch  # here: the table is read without it

    return torch.empty_like(x)


def elementwise(kernel: Kernel, work: int, *inputs: Tensor) -> Tensor:
    """A kernel that takes flat arrays of one size, the last for its result; `work` is that of one element."""
    first = inputs[0].contiguous()
    out = empty_like(first)
    arrays = [x.contiguous().view(-1).numpy() for x in inputs[1:]]
    split(kernel, out.numel() * work, first.view(-1).numpy(), *arrays, out.view(-1).numpy())
    return out


def by_groups(kernel: Kernel, work: int, x: Tensor, group: int, *given: Any) -> Tensor:
    """A kernel that takes rows of `group` neurons, what is given, and rows for its result."""
    x = x.contiguous()
    out = empty_like(x)
    split(kernel, x.numel() * work, x.view(-1, group).numpy(), *given, out.view(-1, group).numpy())
    return out
