"""Models with a recurrence in place of some or all attention: MatMul-free (HGRN), SpikingBrain (GLA), Mamba 1 and 2.

Their elementwise recurrences have no kernel here yet and are counted as host work by an estimate. A chip could hold them
as neurons with state (MLGRU: one, gated linear attention: d_k x d_v a head); the plan does not promise that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from neurodeploy.frontends.families.decoder import Built
from neurodeploy.frontends.families.fields import MOST_LAYERS
from neurodeploy.frontends.outlines.draw import DENSE, Sketch, activation, extra
from neurodeploy.frontends.outlines.layers import Attention, Feed, add, attend, centred, gated
from neurodeploy.frontends.outlines.settings import Settings
from neurodeploy.ops.host.kernels import EXP

_ON_HOST = "its recurrence is counted as work of the host (an estimate): the converter does not know this family yet"


def hgrn_bit(fields: Settings) -> Sketch:
    """MatMul-free LM (ridgerchu/matmulfreellm, HGRNBit): i, f, g of one input, ``h = f h + (1 - f) c``, then o; GLU.

    The feed-forward width is ``256 ceil(2/3 hidden_ratio hidden / 256)`` where it is not given.
    """
    hidden = fields.natural("hidden_size")
    inner = hidden * fields.natural("expand_ratio", 1)
    ratio = fields.natural("hidden_ratio", 4)
    ffn = fields.natural("intermediate_size", -(-(hidden * ratio * 2 // 3) // 256) * 256)
    count = fields.natural("num_hidden_layers", 24, most=MOST_LAYERS)
    fields.only("use_short_conv", False)
    fields.spare(("num_heads", "conv_size", "share_conv_kernel"))  # heads share one recurrence out; no convolution

    def draw(g: Built, kind: Hashable, x: str) -> str:
        x = g.norm("layers.0.attn_norm", x, 1e-6, hidden, 0)
        wires = [g.projection(f"layers.0.attn.{name}_proj", x, inner, name, 0) for name in ("i", "f", "g")]
        # two exponentials, a product with the state, a norm and a gate; the state is read and written in float32
        mixed = extra(g, "layers.0.attn.recurrence", "recurrence", wires, inner, inner * (3 * EXP + 16), 24 * inner)
        y = g.projection("layers.0.attn.o_proj", mixed, hidden, "o", 0)
        h = add(g, "layers.0.attention_residual", "h", y)
        y = g.norm("layers.0.mlp_norm", h, 1e-6, hidden, 0)
        return add(g, "layers.0.ffn_residual", h, gated(g, "layers.0.mlp", y, Feed(ffn)))

    return Sketch(
        hidden, fields.natural("vocab_size", 32000), fields.flag("tie_word_embeddings", False),
        fields.natural("max_position_embeddings", 2048), ("layer",) * count, draw, outside=hidden,
        notes=(f"HGRN: {_ON_HOST}", "ternary weights fit 2 bits, so 8 bits is more than this model needs"),
    )  # fmt: skip


def gla_swa(fields: Settings) -> Sketch:
    """SpikingBrain (BICLab/SpikingBrain-7B, GLAswa): gated linear attention in even layers, a window in odd ones."""
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    kv_heads, ffn = fields.natural("num_key_value_heads", heads), fields.natural("intermediate_size")
    if hidden % heads or heads % kv_heads:
        raise fields.refuse("num_attention_heads", "it must divide hidden_size, and num_key_value_heads must divide it")
    dim, low_rank = hidden // heads, fields.natural("gate_low_rank_dim", 16)
    window, count = fields.natural("sliding_window", 4096), fields.natural("num_hidden_layers", most=MOST_LAYERS)
    seen = Attention(heads, kv_heads, dim, window)

    def draw(g: Built, kind: Hashable, x: str) -> str:
        x = g.norm("layers.0.attn_norm", x, 1e-6, hidden, 0)
        y = attend(g, "layers.0.attn", x, seen) if kind == "window" else _gla(g, x)
        h = add(g, "layers.0.attention_residual", "h", y)
        y = g.norm("layers.0.mlp_norm", h, 1e-6, hidden, 0)
        return add(g, "layers.0.ffn_residual", h, gated(g, "layers.0.mlp", y, Feed(ffn)))

    def _gla(g: Built, x: str) -> str:
        path, rows = "layers.0.attn", {"q": heads, "k": kv_heads, "v": kv_heads}
        wires = [g.projection(f"{path}.{role}_proj", x, n * dim, role, 0, heads=n) for role, n in rows.items()]
        low = g.projection(f"{path}.gk_low_proj", x, low_rank, "gate", 0)
        gate = g.projection(f"{path}.gk_proj", low, kv_heads * dim, "gate", 0)
        # S = diag(gate) S + k v, o = q S: five flops an entry of the dim x dim state of each head, read and written
        state = heads * dim * dim
        mixed = extra(
            g, f"{path}.recurrence", "recurrence", [*wires, gate], hidden, 5 * state + EXP * hidden, 8 * state
        )
        return g.projection(f"{path}.o_proj", mixed, hidden, "o", 0)

    kinds = tuple("window" if index % 2 else "linear" for index in range(count))
    silent = "arXiv 2509.05276: 18.4 % of channels silent with its adaptive threshold (its 69 % counts bit slots)"
    return Sketch(
        hidden, fields.natural("vocab_size", 152_064), fields.flag("tie_word_embeddings", False),
        fields.natural("max_position_embeddings", 131_072), kinds, draw, {"window": "window", "linear": "linear"},
        outside=hidden, activity=(0.816, silent),
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
    fields.spare(("expand",))
    rank = fields.values.get("time_step_rank", "auto")
    fields.spare(("time_step_rank",))
    rank = -(-hidden // 16) if rank == "auto" else fields.natural("time_step_rank")
    kernel, count = fields.natural("conv_kernel", 4), fields.natural("num_hidden_layers", most=MOST_LAYERS)
    bias, conv_bias = fields.flag("use_bias", False), fields.flag("use_conv_bias", True)

    def draw(g: Built, kind: Hashable, x: str) -> str:
        y = g.norm("layers.0.norm", x, 1e-5, hidden, 0)
        y = g.projection("layers.0.mixer.in_proj", y, 2 * inner, "in", 0, bias=bias)
        y = _convolution(g, y, inner, kernel, conv_bias)
        parts = g.projection("layers.0.mixer.x_proj", y, rank + 2 * state, "x", 0)
        low = extra(g, "layers.0.mixer.dt_low", "slice", (parts,), rank, 0, 8 * rank)
        dt = g.projection("layers.0.mixer.dt_proj", low, inner, "dt", 0, bias=True)
        flops, moved = inner * state * (EXP + 6) + inner * (2 * EXP + 8), 8 * inner * state + 16 * inner
        # A of every state, D of every channel
        y = extra(
            g, "layers.0.mixer.scan", "recurrence", (dt, parts), inner, flops, moved, parameters=inner * (state + 1)
        )
        return add(g, "layers.0.residual", x, g.projection("layers.0.mixer.out_proj", y, hidden, "out", 0, bias=bias))

    return _ssm(fields, hidden, count, draw, tied=True)


def mamba2(fields: Settings) -> Sketch:
    """Mamba 2: in (gate, x, B, C, dt), a depthwise convolution, a scan with one decay a head, out."""
    hidden, state = fields.natural("hidden_size"), fields.natural("state_size", 128)
    heads, groups = fields.natural("num_heads", 128), fields.natural("n_groups", 8)
    inner, kernel = hidden * fields.natural("expand", 2), fields.natural("conv_kernel", 4)
    fields.only("head_dim", inner // heads)
    fields.spare(("intermediate_size", "time_step_rank"))
    count = fields.natural("num_hidden_layers", most=MOST_LAYERS)
    bias, conv_bias = fields.flag("use_bias", False), fields.flag("use_conv_bias", True)
    mixed = inner + 2 * groups * state

    def draw(g: Built, kind: Hashable, x: str) -> str:
        y = g.norm("layers.0.norm", x, 1e-5, hidden, 0)
        y = g.projection("layers.0.mixer.in_proj", y, inner + mixed + heads, "in", 0, bias=bias)
        y = _convolution(g, y, mixed, kernel, conv_bias)
        flops, moved = inner * state * 6 + inner * (2 * EXP + 8), 8 * inner * state + 16 * inner
        # of every head its decay, its skip and the bias of its step
        y = extra(g, "layers.0.mixer.scan", "recurrence", (y,), inner, flops, moved, parameters=3 * heads)
        y = g.norm("layers.0.mixer.norm", y, 1e-5, inner, 0)
        return add(g, "layers.0.residual", x, g.projection("layers.0.mixer.out_proj", y, hidden, "out", 0, bias=bias))

    return _ssm(fields, hidden, count, draw, tied=False)


def _convolution(g: Built, x: str, size: int, kernel: int, bias: bool) -> str:
    """A depthwise convolution over the last `kernel` tokens, then SiLU."""
    flops, moved = size * (2 * kernel + EXP + 4), 8 * size * kernel
    return extra(g, "layers.0.mixer.conv", "convolution", (x,), size, flops, moved, parameters=size * (kernel + bias))


def _ssm(fields: Settings, hidden: int, count: int, draw: Callable[[Built, Hashable, str], str], tied: bool) -> Sketch:
    return Sketch(
        hidden, fields.natural("vocab_size"), fields.flag("tie_word_embeddings", tied), 1 << 20, ("layer",) * count,
        draw, outside=hidden, activity=DENSE, notes=(f"selective state space: {_ON_HOST}",),
    )  # fmt: skip


def rwkv(fields: Settings) -> Sketch:
    """RWKV 4: time mixing (receptance, key, value, a decaying sum, output) and channel mixing (key, receptance, value)."""
    hidden = fields.natural("hidden_size")
    inner = fields.natural("attention_hidden_size", hidden)
    ffn, count = fields.natural("intermediate_size", 4 * hidden), fields.natural("num_hidden_layers", most=MOST_LAYERS)

    def shifted(g: Built, path: str, x: str, parts: int) -> list[str]:
        """Each part reads its own mixture of this token's values and the last one's: populations of their own."""
        return [
            extra(g, f"{path}.mix_{index}", "token shift", (x,), hidden, 3 * hidden, 12 * hidden, parameters=hidden)
            for index in range(parts)
        ]

    def draw(g: Built, kind: Hashable, x: str) -> str:
        path = "layers.0.attention"
        y = centred(g, "layers.0.ln1", x, 2 * hidden)
        wires = [
            g.projection(f"{path}.{name}_proj", wire, inner, role, 0)
            for (name, role), wire in zip(
                (("key", "k"), ("value", "v"), ("receptance", "q")), shifted(g, path, y, 3), strict=True
            )
        ]
        flops, moved = inner * (4 * EXP + 16), 24 * inner
        mixed = extra(g, f"{path}.recurrence", "recurrence", wires, inner, flops, moved, parameters=2 * inner)
        h = add(g, "layers.0.attention_residual", x, g.projection(f"{path}.output_proj", mixed, hidden, "o", 0))
        path = "layers.0.feed_forward"
        y = centred(g, "layers.0.ln2", h, 2 * hidden)
        keys, gates = shifted(g, path, y, 2)
        up = activation(g, f"{path}.act", g.projection(f"{path}.key_proj", keys, ffn, "up", 0))
        gate = g.projection(f"{path}.receptance_proj", gates, hidden, "gate", 0)
        down = g.projection(f"{path}.value_proj", up, hidden, "down", 0)
        product = extra(g, f"{path}.gate", "gate", (gate, down), hidden, (EXP + 4) * hidden, 12 * hidden)
        return add(g, "layers.0.ffn_residual", h, product)

    return Sketch(
        hidden, fields.natural("vocab_size", 50277), fields.flag("tie_word_embeddings", False), 1 << 20,
        ("layer",) * count, draw, outside=4 * hidden, notes=(f"RWKV: {_ON_HOST}",),
    )  # fmt: skip
