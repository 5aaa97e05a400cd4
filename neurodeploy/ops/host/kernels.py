"""CPU kernels of the host operations (numba, float32). The key property: *batch invariance, bit for bit*.

What one token gets must not depend on how many other tokens are in the call, nor on the number of threads. So every sum
has an order that depends on the token's own data only:

* sums over keys and over head dimensions run as axpy loops, one term after the other, vectorised over the *other* axis;
* sums over a row (mean of squares, softmax denominator) fold it in halves, so that the order depends on its length;
* `exp` is a polynomial in plain float32 arithmetic: a vector body and a scalar tail do the same operations.

Fast-math stays off: no reassociation and no contraction to fused multiply-add. Every kernel takes ``part, parts`` and
works on its share, so that threads split rows and heads, never a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

F = np.float32

#: Keys per tile of a score row: 4 rows of scores and 4 rows of keys stay in a 32 KiB first-level cache.
TILE = 512


def jit(function: Callable[..., Any]) -> Any:
    """Compile without the GIL; keep the machine code on disk where some folder for it is writable."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "no locator available": a read-only install without a writable cache folder
        return numba.njit(**options)(function)


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
def rmsnorm(part, parts, x, weight, eps, out):  # type: ignore[no-untyped-def]
    """``out = x / sqrt(mean(x^2) + eps) * weight`` by row of x (rows, group); weight (group,), or (0,) for none."""
    rows, group = x.shape
    buffer = np.empty(group + 1, np.float32)
    squares = np.empty(group, np.float32)
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        source, target = x[row], out[row]
        for i in range(group):
            squares[i] = source[i] * source[i]
        factor = F(1.0) / np.sqrt(fold_sum(squares, buffer) / F(group) + F(eps))
        if weight.size:
            for i in range(group):
                target[i] = source[i] * factor * weight[i]
        else:
            for i in range(group):
                target[i] = source[i] * factor


@jit
def layernorm(part, parts, x, weight, bias, eps, out):  # type: ignore[no-untyped-def]
    """``out = (x - m) / sqrt(mean((x - m)^2) + eps) * weight + bias``, m = mean(x), by row of x (rows, group)."""
    rows, group = x.shape
    buffer = np.empty(group + 1, np.float32)
    squares = np.empty(group, np.float32)
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        source, target = x[row], out[row]
        mean = fold_sum(source, buffer) / F(group)
        for i in range(group):
            target[i] = source[i] - mean
            squares[i] = target[i] * target[i]
        factor = F(1.0) / np.sqrt(fold_sum(squares, buffer) / F(group) + F(eps))
        for i in range(group):
            target[i] = target[i] * factor * weight[i] + bias[i]


@jit
def rope_half(part, parts, x, cosine, sine, out):  # type: ignore[no-untyped-def]
    """Rotate pairs (i, i + R/2) of x (T, heads, D) by the angles of cosine, sine (T, R/2); neurons from R on pass."""
    tokens, heads, dim = x.shape
    half = cosine.shape[1]
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        c, s = cosine[t], sine[t]
        for h in range(heads):
            low, high = x[t, h, :half], x[t, h, half : 2 * half]
            out_low, out_high = out[t, h, :half], out[t, h, half : 2 * half]
            for i in range(half):
                out_low[i] = low[i] * c[i] - high[i] * s[i]
                out_high[i] = high[i] * c[i] + low[i] * s[i]
            for i in range(2 * half, dim):
                out[t, h, i] = x[t, h, i]


@jit
def rope_interleaved(part, parts, x, cosine, sine, out):  # type: ignore[no-untyped-def]
    """Rotate pairs (2i, 2i + 1) of x (T, heads, D) by the angles of cosine, sine (T, R/2); neurons from R on pass."""
    tokens, heads, dim = x.shape
    half = cosine.shape[1]
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        c, s = cosine[t], sine[t]
        for h in range(heads):
            source, target = x[t, h], out[t, h]
            for i in range(half):
                real, imaginary = source[2 * i], source[2 * i + 1]
                target[2 * i] = real * c[i] - imaginary * s[i]
                target[2 * i + 1] = real * s[i] + imaginary * c[i]
            for i in range(2 * half, dim):
                target[i] = source[i]


@jit
def add(part, parts, a, b, out):  # type: ignore[no-untyped-def]
    """``out = a + b``; flat arrays. Beside torch's own because that waits for all of its threads at every small sum."""
    n = a.size
    low, high = n * part // parts, n * (part + 1) // parts
    x, y, o = a[low:high], b[low:high], out[low:high]
    for i in range(high - low):
        o[i] = x[i] + y[i]


@jit
def silu32(x):  # type: ignore[no-untyped-def]
    """``x / (1 + e**-x)``."""
    return x / (F(1.0) + exp32(-x))


@jit
def gelu_tanh32(x):  # type: ignore[no-untyped-def]
    """``0.5 x (1 + tanh z) = x / (1 + e**(-2 z))`` with ``z = sqrt(2/pi) (x + 0.044715 x^3)``."""
    z = F(-2.0 * 0.7978845608028654) * (x + F(0.044715) * (x * x * x))
    return x / (F(1.0) + exp32(z))


@jit
def glu_silu(part, parts, gate, up, out):  # type: ignore[no-untyped-def]
    """``out = silu(gate) * up``; flat arrays."""
    n = gate.size
    a, b = n * part // parts, n * (part + 1) // parts
    g, u, o = gate[a:b], up[a:b], out[a:b]
    for i in range(b - a):
        o[i] = silu32(g[i]) * u[i]


@jit
def glu_gelu_tanh(part, parts, gate, up, out):  # type: ignore[no-untyped-def]
    """``out = gelu_tanh(gate) * up``; flat arrays."""
    n = gate.size
    a, b = n * part // parts, n * (part + 1) // parts
    g, u, o = gate[a:b], up[a:b], out[a:b]
    for i in range(b - a):
        o[i] = gelu_tanh32(g[i]) * u[i]


@jit
def silu(part, parts, x, out):  # type: ignore[no-untyped-def]
    """``out = silu(x)``; flat arrays."""
    n = x.size
    a, b = n * part // parts, n * (part + 1) // parts
    source, target = x[a:b], out[a:b]
    for i in range(b - a):
        target[i] = silu32(source[i])


@jit
def gelu_tanh(part, parts, x, out):  # type: ignore[no-untyped-def]
    """``out = gelu_tanh(x)``; flat arrays."""
    n = x.size
    a, b = n * part // parts, n * (part + 1) // parts
    source, target = x[a:b], out[a:b]
    for i in range(b - a):
        target[i] = gelu_tanh32(source[i])


@jit
def moe_route(logits, top_k, out):  # type: ignore[no-untyped-def]
    """Sigmoid of the `top_k` largest logits of each row, 0 elsewhere; of equal logits the lower index wins."""
    tokens, experts = logits.shape
    for t in range(tokens):
        out[t, :] = F(0.0)
        chosen = np.zeros(experts, np.bool_)
        for _ in range(top_k):
            best = -1
            for e in range(experts):
                if not chosen[e] and (best < 0 or logits[t, e] > logits[t, best]):
                    best = e
            chosen[best] = True
            out[t, best] = F(1.0) / (F(1.0) + exp32(-logits[t, best]))


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
