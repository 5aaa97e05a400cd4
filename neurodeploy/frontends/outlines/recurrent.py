"""Models with a recurrence in place of some or all attention: MatMul-free (HGRN), SpikingBrain (GLA), Mamba 1 and 2.

Their elementwise recurrences have no kernel here yet and are counted as host work by an estimate. A chip could hold them
as neurons with state (MLGRU: one, gated linear attention: d_k x d_v a head); the plan does not promise that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from neurodeploy.frontends.families.fields import MOST_LAYERS
from neurodeploy.frontends.outlines.draw import Drawing, Sketch
from neurodeploy.frontends.outlines.layers import Attention, Feed, LayerShape, decoder
from neurodeploy.frontends.outlines.settings import Settings
from neurodeploy.ops.host.kernels import EXP

_ON_HOST = "its recurrence is counted as work of the host (an estimate): the converter does not know this family yet"


@dataclass(frozen=True, slots=True)
class Hgrn:
    """``h = f h + (1 - f) c`` for each of `inner` channels, i, f and g of one input, then o."""

    inner: int
    seen: ClassVar[str] = "linear"

    def draw(self, g: Drawing, x: str, style: str) -> str:
        inner = self.inner
        wires = [g.linear(f"attn.{name}_proj", x, inner, name) for name in ("i", "f", "g")]
        # two exponentials, a product with the state, a norm and a gate; the state is read and written in float32
        mixed = g.extra("attn.recurrence", "recurrence", wires, inner, inner * (3 * EXP + 16), 24 * inner)
        return g.linear("attn.o_proj", mixed, g.hidden, "o")


def hgrn_bit(fields: Settings) -> Sketch:
    """MatMul-free LM (ridgerchu/matmulfreellm, HGRNBit), with gated feed-forward parts.

    The feed-forward width is ``256 ceil(2/3 hidden_ratio hidden / 256)`` where it is not given.
    """
    hidden = fields.natural("hidden_size")
    inner = hidden * fields.natural("expand_ratio", 1)
    ratio = fields.natural("hidden_ratio", 4)
    ffn = fields.natural("intermediate_size", -(-(hidden * ratio * 2 // 3) // 256) * 256)
    count = fields.natural("num_hidden_layers", 24, most=MOST_LAYERS)
    fields.only("use_short_conv", False)
    fields.ignore(("num_heads", "conv_size", "share_conv_kernel"))  # heads share one recurrence out; no convolution
    return decoder(
        hidden, fields.natural("vocab_size", 32000), fields.flag("tie_word_embeddings", False),
        fields.natural("max_position_embeddings", 2048), [LayerShape(Hgrn(inner), Feed(ffn))] * count, outside=hidden,
        notes=(f"HGRN: {_ON_HOST}", "ternary weights fit 2 bits, so 8 bits is more than this model needs"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gated:
    """Gated linear attention: ``S = diag(gate) S + k v``, ``o = q S``, the gate through a low rank."""

    heads: int
    kv_heads: int
    dim: int
    rank: int
    seen: ClassVar[str] = "linear"

    def draw(self, g: Drawing, x: str, style: str) -> str:
        rows = {"q": self.heads, "k": self.kv_heads, "v": self.kv_heads}
        wires = [g.linear(f"attn.{role}_proj", x, n * self.dim, role, heads=n) for role, n in rows.items()]
        low = g.linear("attn.gk_low_proj", x, self.rank, "gate")
        wires.append(g.linear("attn.gk_proj", low, self.kv_heads * self.dim, "gate"))
        # five flops an entry of the dim x dim state of each head, which is read and written
        state = self.heads * self.dim * self.dim
        mixed = g.extra("attn.recurrence", "recurrence", wires, g.hidden, 5 * state + EXP * g.hidden, 8 * state)
        return g.linear("attn.o_proj", mixed, g.hidden, "o")


def gla_swa(fields: Settings) -> Sketch:
    """SpikingBrain (BICLab/SpikingBrain-7B, GLAswa): gated linear attention in even layers, a window in odd ones."""
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    kv_heads, ffn = fields.natural("num_key_value_heads", heads), fields.natural("intermediate_size")
    if hidden % heads or heads % kv_heads:
        raise fields.refuse("num_attention_heads", "it must divide hidden_size, and num_key_value_heads must divide it")
    dim, low_rank = hidden // heads, fields.natural("gate_low_rank_dim", 16)
    window, count = fields.natural("sliding_window", 4096), fields.natural("num_hidden_layers", most=MOST_LAYERS)
    mixers = Gated(heads, kv_heads, dim, low_rank), Attention(heads, kv_heads, dim, window, path="attn")
    silent = "arXiv 2509.05276: 18.4 % of channels silent with its adaptive threshold (its 69 % counts bit slots)"
    return decoder(
        hidden, fields.natural("vocab_size", 152_064), fields.flag("tie_word_embeddings", False),
        fields.natural("max_position_embeddings", 131_072),
        [LayerShape(mixers[index % 2], Feed(ffn)) for index in range(count)], outside=hidden, activity=(0.816, silent),
        notes=(
            f"gated linear attention: {_ON_HOST}",
            "an output gate (hidden x hidden in each linear layer, in the released vision-language code) is not in the "
            "text model's configuration and is left out",
        ),
    )  # fmt: skip


def mamba(fields: Settings) -> Sketch:
    """Mamba 1: in (2 x inner), a depthwise convolution, x (dt, B, C), dt, a selective scan, out."""
    hidden, state = fields.natural("hidden_size"), fields.natural("state_size", 16)
    inner = fields.natural("intermediate_size", hidden * fields.natural("expand", 2))
    fields.ignore(("expand", "time_step_rank"))
    rank = fields.values.get("time_step_rank", "auto")
    rank = -(-hidden // 16) if rank == "auto" else fields.natural("time_step_rank")

    def scan(g: Drawing, y: str) -> str:
        parts = g.linear("mixer.x_proj", y, rank + 2 * state, "x")
        low = g.extra("mixer.dt_low", "slice", (parts,), rank, 0, 8 * rank)
        dt = g.linear("mixer.dt_proj", low, inner, "dt", bias=True)
        flops, moved = inner * state * (EXP + 6) + inner * (2 * EXP + 8), 8 * inner * state + 16 * inner
        # A of every state, D of every channel
        return g.extra("mixer.scan", "recurrence", (dt, parts), inner, flops, moved, parameters=inner * (state + 1))

    return _ssm(fields, 2 * inner, inner, scan, tied=True)


def mamba2(fields: Settings) -> Sketch:
    """Mamba 2: in (gate, x, B, C, dt), a depthwise convolution, a scan with one decay a head, out."""
    state, heads = fields.natural("state_size", 128), fields.natural("num_heads", 128)
    inner = fields.natural("hidden_size") * fields.natural("expand", 2)
    fields.only("head_dim", inner // heads)
    fields.ignore(("intermediate_size", "time_step_rank"))
    mixed = inner + 2 * fields.natural("n_groups", 8) * state

    def scan(g: Drawing, y: str) -> str:
        flops, moved = inner * state * 6 + inner * (2 * EXP + 8), 8 * inner * state + 16 * inner
        # of every head its decay, its skip and the bias of its step
        y = g.extra("mixer.scan", "recurrence", (y,), inner, flops, moved, parameters=3 * heads)
        return g.norm("mixer.norm", y)

    return _ssm(fields, inner + mixed + heads, mixed, scan, tied=False)


def _ssm(fields: Settings, rows: int, mixed: int, scan: Callable[[Drawing, str], str], tied: bool) -> Sketch:
    """In (`rows`), a depthwise convolution of `mixed` channels over the last tokens with SiLU, a scan, out."""
    hidden, kernel = fields.natural("hidden_size"), fields.natural("conv_kernel", 4)
    bias, conv_bias = fields.flag("use_bias", False), fields.flag("use_conv_bias", True)
    flops, moved, parameters = mixed * (2 * kernel + EXP + 4), 8 * mixed * kernel, mixed * (kernel + conv_bias)

    def draw(g: Drawing, kind: str, x: str) -> str:
        y = g.linear("mixer.in_proj", g.norm("norm", x), rows, "in", bias=bias)
        y = scan(g, g.extra("mixer.conv", "convolution", (y,), mixed, flops, moved, parameters))
        return g.add("residual", x, g.linear("mixer.out_proj", y, hidden, "out", bias=bias))

    return Sketch(
        hidden, fields.natural("vocab_size"), fields.flag("tie_word_embeddings", tied), 1 << 20,
        ("layer",) * fields.natural("num_hidden_layers", most=MOST_LAYERS), draw, outside=hidden,
        notes=(f"selective state space: {_ON_HOST}",),
    )  # fmt: skip


def rwkv(fields: Settings) -> Sketch:
    """RWKV 4: time mixing (receptance, key, value, a decaying sum, output) and channel mixing (key, receptance, value)."""
    hidden = fields.natural("hidden_size")
    inner = fields.natural("attention_hidden_size", hidden)
    ffn, count = fields.natural("intermediate_size", 4 * hidden), fields.natural("num_hidden_layers", most=MOST_LAYERS)

    def shifted(g: Drawing, path: str, x: str, parts: int) -> list[str]:
        """Each part reads its own mixture of this token's values and the last one's: populations of their own."""
        return [
            g.extra(f"{path}.mix_{index}", "token shift", (x,), hidden, 3 * hidden, 12 * hidden, parameters=hidden)
            for index in range(parts)
        ]

    def draw(g: Drawing, kind: str, x: str) -> str:
        path = "attention"
        y = g.norm("ln1", x, "layer")
        wires = [
            g.linear(f"{path}.{name}_proj", wire, inner, role)
            for (name, role), wire in zip(
                (("key", "k"), ("value", "v"), ("receptance", "q")), shifted(g, path, y, 3), strict=True
            )
        ]
        flops, moved = inner * (4 * EXP + 16), 24 * inner
        mixed = g.extra(f"{path}.recurrence", "recurrence", wires, inner, flops, moved, parameters=2 * inner)
        h = g.add("attention_residual", x, g.linear(f"{path}.output_proj", mixed, hidden, "o"))
        path = "feed_forward"
        y = g.norm("ln2", h, "layer")
        keys, gates = shifted(g, path, y, 2)
        up = g.activation(f"{path}.act", g.linear(f"{path}.key_proj", keys, ffn, "up"))
        gate = g.linear(f"{path}.receptance_proj", gates, hidden, "gate")
        down = g.linear(f"{path}.value_proj", up, hidden, "down")
        product = g.extra(f"{path}.gate", "gate", (gate, down), hidden, (EXP + 4) * hidden, 12 * hidden)
        return g.add("ffn_residual", h, product)

    return Sketch(
        hidden, fields.natural("vocab_size", 50277), fields.flag("tie_word_embeddings", False), 1 << 20,
        ("layer",) * count, draw, outside=4 * hidden, notes=(f"RWKV: {_ON_HOST}",),
    )  # fmt: skip
