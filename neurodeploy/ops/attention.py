"""Causal softmax attention over a KV cache that grows: q, k, v -> context (Vaswani et al. 2017, arXiv 1706.03762).

::

    context_i = sum_j p_ij v_j,      p_i = softmax_j(scale q_i . k_j)

`heads` query heads share `kv_heads` of keys and values (Ainslie et al. 2023, arXiv 2305.13245). Key j is visible to
query i if j <= i and (`window` is None or i - j < window) and (`chunk` is None or i // chunk == j // chunk).

Tokens that stand before every text (`conversion.prefix`) are constants: the tensors `PREFIX`, (prefix, kv_heads, head_dim)
each, which a new cache begins with.

On the CPU (numba, float32) it is batch invariant (see `host.kernels`). Keys are stored transposed, (kv_head, head_dim,
position): a score row is then ``scores[j] += q[d] * key[d][j]``, one head dimension after the other, vectorised over
positions j. Values are (kv_head, position, head_dim): the context is ``out[d] += p[j] * value[j][d]``, one key after the
other, vectorised over d. Four queries share the loads; what a query gets is the same sequence of multiplications and
additions with or without its three neighbours.

Work, with P visible (query, key) pairs: ``P heads (4 D + EXP + 4) + T heads D`` flops; bytes of q and context, of new
keys and values, and of the distinct keys and values that the T queries see, which are read once a call: a long prefill
is charged less a token than decoding, as on a real host.

On the chip (`convert --on-chip all`, *hypothetical*): `host/remembering.py`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.mapping import Reason
from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import split
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.kernels import EXP, F, dot_1, dot_4, empty_like, exp32, fold_max, fold_sum
from neurodeploy.ops.host.kvcache import KVCache, first_visible, oldest_visible
from neurodeploy.ops.host.operation import FLOAT, TOKENS, Call, Load, Operation, Tensor, Work
from neurodeploy.ops.host.remembering import lower

#: Attributes that describe the cache.
KEEPS = ("kv_heads", "head_dim", "window", "chunk")
#: Roles of the constant keys and values, and how many numbers each has by its sides.
PREFIX = ("prefix_key", "prefix_value")
#: Queries per block of work: the unit that threads share out.
BLOCK = 32
#: Score elements that exist at a time on a torch device: 256 MiB of float32 over all heads.
SCORES = 1 << 26
#: Head dimensions that `context_4` holds in registers for 4 queries.
LANES = 32


@jit
def softmax(s, buffer):  # type: ignore[no-untyped-def]
    """``s <- e**(s - max)`` in place; returns the sum. The division waits until the context is there."""
    top = fold_max(s, buffer)
    for j in range(s.size):
        s[j] = exp32(s[j] - top)
    return fold_sum(s, buffer)


@jit
def context_4(s, value, a, b, rows, accumulator):  # type: ignore[no-untyped-def]
    """``rows[r] += sum_j s[r, j - a] value[j]`` for 4 rows and keys a..b, in the order of j.

    `LANES` head dimensions at a time in one small array of constant layout: the compiler then keeps them in registers.
    """
    dim = value.shape[1]
    n = b - a
    whole = n - n % 4
    flat = value.ravel()  # a view: the cache is contiguous
    blocked = dim - dim % LANES
    acc = accumulator
    for block in range(0, blocked, LANES):
        for r in range(4):
            for d in range(LANES):
                acc[r * LANES + d] = rows[r, block + d]
        for j in range(0, whole, 4):
            a0, a1, a2, a3 = s[0, j], s[0, j + 1], s[0, j + 2], s[0, j + 3]
            b0, b1, b2, b3 = s[1, j], s[1, j + 1], s[1, j + 2], s[1, j + 3]
            c0, c1, c2, c3 = s[2, j], s[2, j + 1], s[2, j + 2], s[2, j + 3]
            d0, d1, d2, d3 = s[3, j], s[3, j + 1], s[3, j + 2], s[3, j + 3]
            at = (a + j) * dim + block
            v0, v1 = flat[at : at + LANES], flat[at + dim : at + dim + LANES]
            v2, v3 = flat[at + 2 * dim : at + 2 * dim + LANES], flat[at + 3 * dim : at + 3 * dim + LANES]
            for d in range(LANES):
                x0, x1, x2, x3 = v0[d], v1[d], v2[d], v3[d]
                acc[d] = (((acc[d] + a0 * x0) + a1 * x1) + a2 * x2) + a3 * x3
                acc[LANES + d] = (((acc[LANES + d] + b0 * x0) + b1 * x1) + b2 * x2) + b3 * x3
                acc[2 * LANES + d] = (((acc[2 * LANES + d] + c0 * x0) + c1 * x1) + c2 * x2) + c3 * x3
                acc[3 * LANES + d] = (((acc[3 * LANES + d] + d0 * x0) + d1 * x1) + d2 * x2) + d3 * x3
        for r in range(4):
            for d in range(LANES):
                rows[r, block + d] = acc[r * LANES + d]
    for r in range(4):
        for j in range(whole):
            weight, source = s[r, j], value[a + j]
            for d in range(blocked, dim):
                rows[r, d] = rows[r, d] + weight * source[d]
        context_row(s[r, whole:n], value, a + whole, b, rows[r])


@jit
def context_row(s, value, a, b, out):  # type: ignore[no-untyped-def]
    """`context_4` for one row: s (b - a,), out (D,)."""
    dim = value.shape[1]
    n = b - a
    for j in range(0, n - n % 4, 4):
        a0, a1, a2, a3 = s[j], s[j + 1], s[j + 2], s[j + 3]
        v0, v1, v2, v3 = value[a + j], value[a + j + 1], value[a + j + 2], value[a + j + 3]
        for d in range(dim):
            out[d] = (((out[d] + a0 * v0[d]) + a1 * v1[d]) + a2 * v2[d]) + a3 * v3[d]
    for j in range(n - n % 4, n):
        weight, v0 = s[j], value[a + j]
        for d in range(dim):
            out[d] = out[d] + weight * v0[d]


@jit
def attention(part, parts, q, key, value, position, base, scale, window, chunk, out):  # type: ignore[no-untyped-def]
    """Attention of q (T, heads, D) at positions position .. position + T - 1, whose keys are already in the cache.

    key (kv_heads, D, capacity), value (kv_heads, capacity, D); column 0 holds position `base`. out (T, heads, D).
    """
    tokens, heads, dim = q.shape
    group = heads // key.shape[0]
    blocks = (tokens + BLOCK - 1) // BLOCK
    scale = F(scale)
    longest = position + tokens - first_visible(position, window, chunk)
    s = np.empty((4, longest + 1), np.float32)
    buffer = np.empty(longest + 1, np.float32)
    queries = np.empty((4, dim), np.float32)
    rows = np.empty((4, dim), np.float32)
    accumulator = np.empty(4 * LANES, np.float32)
    low = np.empty(4, np.int64)
    total = np.empty(4, np.float32)
    for task in range(heads * blocks):
        head, block = task // blocks, task % blocks
        if (head + block) % parts != part:  # later blocks see more keys: shifting by the head evens out the shares
            continue
        k, v = key[head // group], value[head // group]
        stop = min(tokens, (block + 1) * BLOCK)
        t = block * BLOCK
        while t < stop:
            count = 4 if t + 4 <= stop else 1
            for r in range(count):
                low[r] = first_visible(position + t + r, window, chunk)
                queries[r, :] = q[t + r, head]
                rows[r, :] = F(0.0)
            origin = low[0]
            end = position + t + count
            if count == 4:
                dot_4(queries, k, origin - base, end - base, scale, s)
            else:
                dot_1(queries[0], k, origin - base, end - base, scale, s[0])
            # Columns that a query may not see were computed with its block and are never read.
            for r in range(count):
                total[r] = softmax(s[r, low[r] - origin : position + t + r + 1 - origin], buffer)
            common_a, common_b = low[count - 1], position + t + 1
            if count == 4 and common_b > common_a:
                for r in range(4):
                    context_row(s[r, low[r] - origin : common_a - origin], v, low[r] - base, common_a - base, rows[r])
                context_4(
                    s[:, common_a - origin : common_b - origin], v, common_a - base, common_b - base, rows, accumulator
                )
                for r in range(4):
                    last = position + t + r + 1
                    context_row(s[r, common_b - origin : last - origin], v, common_b - base, last - base, rows[r])
            else:
                for r in range(count):
                    last = position + t + r + 1
                    context_row(s[r, low[r] - origin : last - origin], v, low[r] - base, last - base, rows[r])
            for r in range(count):
                target, source, divisor = out[t + r, head], rows[r], total[r]
                for d in range(dim):
                    target[d] = source[d] / divisor
            t += count


def attend(call: Call) -> tuple[Tensor, KVCache]:
    """The queries, and the cache with the keys and values of the call."""
    q, k, v = call.inputs
    kv_heads, dim, window, chunk = (call.attrs[key] for key in KEEPS)
    cache = call.state.cache(call.op.path, kv_heads, dim, window, chunk, call.device)
    cache.append(k, v)
    return q, cache


def begin(call: Call) -> None:
    """A cache that holds the prefix."""
    kv_heads, dim, window, chunk = (call.attrs[key] for key in KEEPS)
    cache = call.state.cache(call.op.path, kv_heads, dim, window, chunk, call.device)
    key, value = (call.weight(role) for role in PREFIX)
    cache.append(key, value)


def on_cpu(call: Call) -> Tensor:
    q, cache = attend(call)
    q = q.contiguous()
    out, tokens = empty_like(q), q.shape[0]
    shape = (tokens, call.attrs["heads"], cache.key.shape[1])
    split(
        attention,
        tokens * q.shape[1] * (2 * cache.length - tokens),  # 2 multiply-adds a key, half of the new keys visible
        q.view(shape).numpy(),
        cache.key.numpy(),
        cache.value.numpy(),
        cache.position - tokens,
        cache.base,
        call.attrs["scale"],
        cache.window or 0,
        cache.chunk or 0,
        out.view(shape).numpy(),
    )
    return out


def on_torch(call: Call) -> Tensor:
    import torch

    q, cache = attend(call)
    tokens, heads = q.shape[0], call.attrs["heads"]
    kv_heads, dim, _ = cache.key.shape
    key, value = cache.key[:, :, : cache.length], cache.value[:, : cache.length]
    queries = q.view(tokens, kv_heads, heads // kv_heads, dim).permute(1, 2, 0, 3)
    out = torch.empty_like(queries)
    step = max(1, SCORES // (heads * cache.length))
    for begin in range(0, tokens, step):
        part = queries[:, :, begin : begin + step]
        position = torch.arange(part.shape[2], device=q.device)[:, None] + (cache.position - tokens + begin)
        column = torch.arange(cache.length, device=q.device)[None, :] + cache.base
        visible = column <= position
        if cache.window:
            visible &= position - column < cache.window
        if cache.chunk:
            visible &= position // cache.chunk == column // cache.chunk
        scores = (part @ key[:, None]) * call.attrs["scale"]
        out[:, :, begin : begin + step] = scores.masked_fill(~visible, -torch.inf).softmax(-1) @ value[:, None]
    return out.permute(2, 0, 1, 3).reshape(q.shape)


def visible_pairs(tokens: int, context: int, window: int | None, chunk: int | None) -> int:
    """(query, key) pairs of `tokens` queries after `context` tokens."""
    if not window and not chunk:
        return tokens * context + tokens * (tokens + 1) // 2
    return sum(i + 1 - oldest_visible(i, window, chunk) for i in range(context, context + tokens))


def work(load: Load) -> Work:
    tokens, context = load.tokens, load.context
    heads, kv_heads, dim = (load.attrs[key] for key in ("heads", "kv_heads", "head_dim"))
    window, chunk = load.attrs["window"], load.attrs["chunk"]
    pairs = visible_pairs(tokens, context, window, chunk)
    keys = context + tokens - oldest_visible(context, window, chunk)
    flops = pairs * heads * (4 * dim + EXP + 4) + tokens * heads * dim
    return Work(flops, 2 * FLOAT * dim * (tokens * (heads + kv_heads) + kv_heads * keys))


def fits(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    heads, kv_heads, dim = attrs["heads"], attrs["kv_heads"], attrs["head_dim"]
    wanted = [heads * dim, kv_heads * dim, kv_heads * dim]
    return heads % kv_heads == 0 and inputs == wanted and outputs == wanted[:1]


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "dynamic-operands",
        "both operands of q k and p v change with every token and the cache grows; synapses are not rewritten so fast",
        "linear attention or a recurrence with elementwise state; a short window with keys and values as neuron state",
    ),
    attrs={
        **dict.fromkeys(("heads", "kv_heads", "head_dim"), checks.natural), "scale": checks.number,
        **dict.fromkeys(("window", "chunk"), checks.natural_or_none),
    },
    optional={"prefix": checks.natural}, tensors=dict.fromkeys(PREFIX, ("prefix", "kv_heads", "head_dim")), bare=True,
    fits=fits, keeps=KEEPS, begin=begin, rows=lambda path, inputs, outputs: ([TOKENS] * 3, [TOKENS]), lowering=lower,
    attends=True,
)  # fmt: skip
