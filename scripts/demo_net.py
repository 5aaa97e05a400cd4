"""The network of the demo model and the optimiser of its matrices; `train_demo.py` is the recipe.

It is the forward pass of transformers' `Llama4ForCausalLM` with its tensor names, written again because transformers
runs every expert on every token, which is slow to train. tests/embedded proves that both give the same loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; `moe` and `nope` list layer numbers."""

    vocab: int = 128
    hidden: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    layers: int = 3
    dense_ffn: int = 384
    expert_ffn: int = 160
    experts: int = 4
    moe: tuple[int, ...] = (1,)
    nope: tuple[int, ...] = (2,)
    chunk: int = 128
    context: int = 256
    rope_theta: float = 10_000.0
    eps: float = 1e-5


# ---------------------------------------------------------------- network


def rms_norm(x: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE on (batch, heads, T, head_dim); pairs are neighbours (2i, 2i + 1), as Llama 4 has them."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class RMSNorm(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(shape.hidden)), shape.eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class Attention(nn.Module):
    """Grouped-query attention: RoPE, QK-norm and chunks in a RoPE layer; full attention in a NoPE layer."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.shape, self.rope = shape, layer not in shape.nope
        inner, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden, inner, bias=False)
        self.k_proj = nn.Linear(shape.hidden, kv, bias=False)
        self.v_proj = nn.Linear(shape.hidden, kv, bias=False)
        self.o_proj = nn.Linear(inner, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        s = self.shape
        span = min(s.chunk, length) if self.rope and length % min(s.chunk, length) == 0 else length
        q, k, v = (
            proj(x).view(batch * (length // span), span, -1, s.head_dim).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        mask = None
        if self.rope:
            # Only differences of positions enter, and chunks do not see one another: each may count from zero.
            q, k = (rms_norm(rotate(y, cos[:span], sin[:span]), s.eps) for y in (q, k))
            if span > s.chunk:  # a length that does not divide into chunks: mask instead of fold
                at = torch.arange(span)
                mask = (at[:, None] >= at) & (at[:, None] // s.chunk == at // s.chunk)
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=True)
        y: Tensor = self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))
        return y


class MLP(nn.Module):
    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, width, bias=False)
        self.up_proj = nn.Linear(shape.hidden, width, bias=False)
        self.down_proj = nn.Linear(width, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return y


class Experts(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(shape.experts, shape.hidden, 2 * shape.expert_ffn))
        self.down_proj = nn.Parameter(torch.empty(shape.experts, shape.expert_ffn, shape.hidden))


class MoE(nn.Module):
    """Top-1 routing as in Llama 4: the winning logit's sigmoid scales the expert's *input*; a shared MLP is added."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.router = nn.Linear(shape.hidden, shape.experts, bias=False)
        self.experts = Experts(shape)
        self.shared_expert = MLP(shape, shape.expert_ffn)
        self.balance = torch.zeros(())  # experts x sum(fraction x mean probability), 1 when even
        self.usage = torch.zeros(shape.experts, dtype=torch.long)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        logits = self.router(flat)
        best, chosen = logits.max(-1)
        usage = torch.bincount(chosen, minlength=logits.shape[-1])
        self.balance = len(usage) * (usage / len(flat) * logits.softmax(-1).mean(0)).sum()
        self.usage = usage
        order = torch.argsort(chosen, stable=True)
        routed = (flat * best.sigmoid()[:, None])[order]
        parts = []
        for rows, gate_up, down in zip(
            routed.split(usage.tolist()), self.experts.gate_up_proj, self.experts.down_proj, strict=True
        ):
            gate, up = (rows @ gate_up).chunk(2, -1)
            parts.append((functional.silu(gate) * up) @ down)
        back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
        y: Tensor = self.shared_expert(flat) + torch.cat(parts)[back]
        return y.view_as(x)


class Layer(nn.Module):
    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(shape), RMSNorm(shape)
        self.self_attn = Attention(shape, layer)
        self.feed_forward = MoE(shape) if layer in shape.moe else MLP(shape, shape.dense_ffn)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        y: Tensor = x + self.feed_forward(self.post_attention_layernorm(x))
        return y


class Body(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape, i) for i in range(shape.layers))
        self.norm = RMSNorm(shape)


class Net(nn.Module):
    """Bytes (batch, T) -> logits (batch, T, vocab). State-dict names are those of `Llama4ForCausalLM`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.model = shape, Body(shape)
        self.lm_head = nn.Linear(shape.hidden, shape.vocab, bias=False)
        for name, w in self.named_parameters():
            if w.ndim > 1:
                fan_in = w.shape[-2] if "experts.gate" in name or "experts.down" in name else w.shape[-1]
                into_residual = any(key in name for key in ("o_proj", "down_proj"))
                nn.init.normal_(w, std=fan_in**-0.5 * ((2 * shape.layers) ** -0.5 if into_residual else 1.0))
        nn.init.normal_(self.lm_head.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        s = self.shape
        freq = s.rope_theta ** (-torch.arange(0, s.head_dim, 2).float() / s.head_dim)
        angle = torch.arange(ids.shape[1]).float()[:, None] * freq
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, angle.cos(), angle.sin())
        logits: Tensor = self.lm_head(self.model.norm(x))
        return logits

    def moes(self) -> Iterator[tuple[int, MoE]]:
        for i in self.shape.moe:
            yield i, self.model.layers[i].feed_forward  # type: ignore[misc]


# ---------------------------------------------------------------- training


class Muon(torch.optim.Optimizer):
    """Momentum, then the nearest orthogonal matrix (Newton-Schulz quintic; Jordan et al. 2024, coefficients theirs)."""

    def __init__(self, params: list[Tensor], lr: float, decay: float) -> None:
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_size: dict[tuple[int, int], list[Tensor]] = {}
            for p in group["params"]:
                by_size.setdefault((min(p.shape[-2:]), max(p.shape[-2:])), []).append(p)
            for members in by_size.values():
                ups = []
                for p in members:
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    grad = torch.zeros_like(p) if p.grad is None else p.grad
                    m.lerp_(grad, 0.05)
                    u = grad.lerp(m, 0.95)
                    ups.append((u if u.shape[-2] <= u.shape[-1] else u.mT).reshape(-1, *sorted(u.shape[-2:])))
                x = torch.cat(ups).bfloat16()  # rounding does no harm here: only the direction counts, roughly
                x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
                for _ in range(5):
                    a = x @ x.mT
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                for p, o in zip(members, x.split([len(u) for u in ups]), strict=True):
                    o = o if p.shape[-2] <= p.shape[-1] else o.mT
                    gain = max(1.0, p.shape[-2] / p.shape[-1]) ** 0.5
                    p.mul_(1 - group["lr"] * group["decay"]).add_(o.reshape(p.shape).float(), alpha=-group["lr"] * gain)
