"""The numba kernels behind the same functions as `torch_kernels`: float32 tensors in and out, any number of threads.

Operations that are a gather or one multiplication or addition per element (embedding, temperature, dispatch, combine)
are torch's: they are batch invariant as they are.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurodeploy.ops.host import attention as attention_kernel
from neurodeploy.ops.host import kernels
from neurodeploy.ops.host.kvcache import KVCache
from neurodeploy.ops.host.rotary import cos_sin
from neurodeploy.ops.host.threads import split
from neurodeploy.ops.host.torch_kernels import embedding, moe_combine, moe_dispatch, temperature

#: Work of one element in units of a multiply-add of the attention kernel, measured on one core: what a thread is worth.
WORK_NORM, WORK_ROPE, WORK_GLU = 12, 8, 12

_NONE = np.empty(0, np.float32)


def rmsnorm(x: Tensor, weight: Tensor | None, eps: float, group: int) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    factors = _NONE if weight is None else weight.numpy()
    rows = x.view(-1, group)
    split(kernels.rmsnorm, x.numel() * WORK_NORM, rows.numpy(), factors, eps, out.view(-1, group).numpy())
    return out


def layernorm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, group: int) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    rows, target = x.view(-1, group).numpy(), out.view(-1, group).numpy()
    split(kernels.layernorm, x.numel() * WORK_NORM, rows, weight.numpy(), bias.numpy(), eps, target)
    return out


def rope(
    x: Tensor, position: int, inv_freq: tuple[float, ...], head_dim: int, style: str, factor: float = 1.0
) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    tokens = x.shape[0]
    cosine, sine = cos_sin(inv_freq, position, position + tokens, "cpu", factor)
    shape = (tokens, x.shape[1] // head_dim, head_dim)
    kernel = kernels.rope_half if style == "half" else kernels.rope_interleaved
    split(kernel, x.numel() * WORK_ROPE, x.view(shape).numpy(), cosine.numpy(), sine.numpy(), out.view(shape).numpy())
    return out


def attention(q: Tensor, cache: KVCache, heads: int, scale: float) -> Tensor:
    """Context of the last ``q.shape[0]`` positions of `cache`, whose keys and values are already in it."""
    q = q.contiguous()
    out = torch.empty_like(q)
    tokens, dim = q.shape[0], cache.key.shape[1]
    split(
        attention_kernel.attention,
        tokens * q.shape[1] * (2 * cache.length - tokens),  # 2 multiply-adds a key, half of the new keys visible
        q.view(tokens, heads, dim).numpy(),
        cache.key.numpy(),
        cache.value.numpy(),
        cache.position - tokens,
        cache.base,
        scale,
        cache.window or 0,
        cache.chunk or 0,
        out.view(tokens, heads, dim).numpy(),
    )
    return out


def add(a: Tensor, b: Tensor) -> Tensor:
    a, b = a.contiguous(), b.contiguous()
    out = torch.empty_like(a)
    split(kernels.add, a.numel(), a.view(-1).numpy(), b.view(-1).numpy(), out.view(-1).numpy())
    return out


def glu(gate: Tensor, up: Tensor, act: str) -> Tensor:
    gate, up = gate.contiguous(), up.contiguous()
    out = torch.empty_like(gate)
    kernel = kernels.glu_silu if act == "silu" else kernels.glu_gelu_tanh
    split(kernel, gate.numel() * WORK_GLU, gate.view(-1).numpy(), up.view(-1).numpy(), out.view(-1).numpy())
    return out


def activation(x: Tensor, act: str) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    kernel = kernels.silu if act == "silu" else kernels.gelu_tanh
    split(kernel, x.numel() * WORK_GLU, x.view(-1).numpy(), out.view(-1).numpy())
    return out


def moe_route(logits: Tensor, top_k: int) -> Tensor:
    logits = logits.contiguous()
    out = torch.empty_like(logits)
    kernels.moe_route(logits.numpy(), top_k, out.numpy())
    return out


def invariant_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x W^T + b`` whose rows do not depend on the batch: slower than BLAS, for tests and for exact comparisons.

    Meant as the `linear` of an `Executor`; it transposes the weight at every call.
    """
    out = torch.empty((x.shape[0], weight.shape[0]), dtype=torch.float32)
    transposed = weight.t().contiguous().numpy()
    work = x.shape[0] * weight.numel()
    split(
        kernels.linear, work, x.contiguous().numpy(), transposed, _NONE if bias is None else bias.numpy(), out.numpy()
    )
    return out


__all__ = [
    "activation", "add", "attention", "embedding", "glu", "invariant_linear", "layernorm", "moe_combine",
    "moe_dispatch", "moe_route", "rmsnorm", "rope", "temperature",
]  # fmt: skip
