"""Host operations in plain torch, for any device: what runs on a GPU, and what the CPU kernels are compared with.

Shapes and equations are those of `ir.graph.HOST_OPS`. Results agree with the CPU kernels to rounding, not bit for bit,
and they may depend on the number of tokens in a call: batch invariance is promised for the CPU kernels only.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neurodeploy.ops.host.kvcache import KVCache
from neurodeploy.ops.host.rotary import cos_sin

#: Score elements that exist at a time: 256 MiB of float32 over all heads.
SCORES = 1 << 26


def embedding(rows: Tensor, scale: float) -> Tensor:
    """The gathered rows times `scale`, which float32 holds."""
    return rows if scale == 1.0 else rows * float(np.float32(scale))


def rmsnorm(x: Tensor, weight: Tensor | None, eps: float, group: int) -> Tensor:
    rows = x.reshape(x.numel() // group, group)
    out = rows * torch.rsqrt(rows.square().mean(-1, keepdim=True) + eps)
    return (out if weight is None else out * weight).view(x.shape)


def layernorm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, group: int) -> Tensor:
    return functional.layer_norm(x.reshape(x.numel() // group, group), (group,), weight, bias, eps).view(x.shape)


def rope(
    x: Tensor, position: int, inv_freq: tuple[float, ...], head_dim: int, style: str, factor: float = 1.0
) -> Tensor:
    """The first ``2 len(inv_freq)`` neurons of each head are rotated, the others pass."""
    tokens, half = x.shape[0], len(inv_freq)
    angles = cos_sin(inv_freq, position, position + tokens, str(x.device), factor)
    cosine, sine = (part[:, None, :] for part in angles)
    rows = x.reshape(tokens, x.shape[1] // head_dim, head_dim)
    turned, passing = rows[..., : 2 * half], rows[..., 2 * half :]
    axis, shape = (2, (2, half)) if style == "half" else (3, (half, 2))
    low, high = turned.reshape(tokens, rows.shape[1], *shape).unbind(axis)
    pairs = torch.stack((low * cosine - high * sine, high * cosine + low * sine), axis)
    return torch.cat((pairs.reshape(turned.shape), passing), 2).view(x.shape)


def temperature(x: Tensor, position: int, scale: float, floor_scale: float) -> Tensor:
    """The factor of a token is computed in float64 and rounded once: one number per token."""
    positions = np.arange(position, position + x.shape[0], dtype=np.float64)
    factor = 1.0 + scale * np.log1p(np.floor((positions + 1.0) / floor_scale))
    return x * torch.from_numpy(factor.astype(np.float32)).to(x.device)[:, None]


def attention(q: Tensor, cache: KVCache, heads: int, scale: float) -> Tensor:
    """Context of the last ``q.shape[0]`` positions of `cache`, whose keys and values are already in it."""
    tokens = q.shape[0]
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
        scores = (part @ key[:, None]) * scale
        out[:, :, begin : begin + step] = scores.masked_fill(~visible, -torch.inf).softmax(-1) @ value[:, None]
    return out.permute(2, 0, 1, 3).reshape(q.shape)


def glu(gate: Tensor, up: Tensor, act: str) -> Tensor:
    return activation(gate, act) * up


def activation(x: Tensor, act: str) -> Tensor:
    return functional.silu(x) if act == "silu" else functional.gelu(x, approximate="tanh")


def add(a: Tensor, b: Tensor) -> Tensor:
    return a + b


def moe_route(logits: Tensor, top_k: int) -> Tensor:
    """Of equal logits the lower index wins: a stable sort, where `torch.topk` leaves the choice open."""
    chosen = logits.sort(dim=-1, descending=True, stable=True).indices[:, :top_k]
    return torch.zeros_like(logits).scatter(1, chosen, torch.sigmoid(logits.gather(1, chosen)))


def moe_dispatch(x: Tensor, routing: Tensor) -> list[Tensor]:
    """For each expert its tokens, scaled, in the order of the text; an expert without tokens gets 0 rows."""
    out = []
    for scores in routing.unbind(1):
        rows = scores.nonzero()[:, 0]
        out.append(x[rows] * scores[rows, None])
    return out


def moe_combine(routing: Tensor, parts: list[Tensor]) -> Tensor:
    """Sum over experts in the order of their index, the same for every token."""
    size = max(part.shape[1] for part in parts)
    out = routing.new_zeros((routing.shape[0], size))
    for scores, part in zip(routing.unbind(1), parts, strict=True):
        rows = scores.nonzero()[:, 0]
        out[rows] += part
    return out


__all__ = [
    "activation", "add", "attention", "embedding", "glu", "layernorm", "moe_combine", "moe_dispatch", "moe_route",
    "rmsnorm", "rope", "temperature",
]  # fmt: skip
