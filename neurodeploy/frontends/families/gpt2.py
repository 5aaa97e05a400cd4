"""GPT-2: layer norms, a table of learnt positions, biases everywhere, and a feed-forward part without a gate.

Authority: transformers' ``GPT2LMHeadModel``. Its ``Conv1D`` keeps matrices as (in, out); ``c_attn`` holds the columns of
q, then k, then v. llama.cpp turns the matrices round and keeps ``c_attn`` in one piece (``attn_qkv``).
"""

from __future__ import annotations

from typing import Any

from neurodeploy.frontends.families import common
from neurodeploy.frontends.families.decoder import Decoder, Layer
from neurodeploy.frontends.families.fields import MOST_LAYERS, Fields
from neurodeploy.frontends.file_store import Range, Source
from neurodeploy.ir.graph import WeightStore

BIASES = frozenset({*"qkvo", "up", "down"})
#: config.json: `activation_function` -> the `act` of an "activation".
ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", **common.ACTIVATIONS}

DEFAULTS: dict[str, Any] = {
    "vocab_size": 50_257, "max_position_embeddings": 1024, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False, "tie_word_embeddings": True,
}  # fmt: skip
#: The family's own names -> the common ones, which transformers takes too.
ALIASES = {"n_embd": "hidden_size", "n_positions": "max_position_embeddings", "n_head": "num_attention_heads",
           "n_layer": "num_hidden_layers", "n_inner": "intermediate_size"}  # fmt: skip
#: Settings of training, of a classifier, or of the precision of a product that is float32 here.
NO_EFFECT = (
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "n_ctx", "summary_activation", "summary_first_dropout",
    "summary_proj_to_labels", "summary_type", "summary_use_proj", "reorder_and_upcast_attn",
)  # fmt: skip

#: canonical part of a layer -> part of a layer in a Hugging Face file, and in a .gguf file.
PARTS = {
    "input_layernorm": ("ln_1", "attn_norm"),
    "self_attn.q_proj": ("attn.c_attn", "attn_qkv"),
    "self_attn.k_proj": ("attn.c_attn", "attn_qkv"),
    "self_attn.v_proj": ("attn.c_attn", "attn_qkv"),
    "self_attn.o_proj": ("attn.c_proj", "attn_output"),
    "post_attention_layernorm": ("ln_2", "ffn_norm"),
    "mlp.up_proj": ("mlp.c_fc", "ffn_up"),
    "mlp.down_proj": ("mlp.c_proj", "ffn_down"),
}
TOP = {"embed_tokens": "wte", "embed_positions": "wpe", "norm": "ln_f", "lm_head": "lm_head"}
QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
GGUF_LAYER = {part: gguf for part, (_, gguf) in PARTS.items()}


def huggingface(fields: Fields) -> Decoder:
    fields.ignore(NO_EFFECT)
    fields.only("add_cross_attention", False)
    falling, plain = fields.flag("scale_attn_by_inverse_layer_idx"), fields.flag("scale_attn_weights")
    return _decoder(fields, fields.natural_or_null("intermediate_size"), falling, plain)


def _decoder(fields: Fields, ffn: int | None, falling: bool = False, scaled: bool = True) -> Decoder:
    """`ffn` : None for four times the hidden size. `falling` : scores are divided by the number of the layer."""
    hidden, heads = fields.natural("hidden_size"), fields.natural("num_attention_heads")
    if hidden % heads:
        raise fields.refuse("num_attention_heads", f"{hidden} neurons cannot be shared out over it")
    count, width = fields.natural("num_hidden_layers", most=MOST_LAYERS), ffn or 4 * hidden
    return Decoder(
        vocab=fields.natural("vocab_size"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        eps=fields.positive("layer_norm_epsilon"),
        act=fields.choice("activation_function", ACTIVATIONS),
        attention_scale=(hidden // heads) ** -0.5 if scaled else 1.0,
        layers=tuple(Layer(ffn=width, score_factor=1.0 / (i + 1) if falling else 1.0) for i in range(count)),
        tied=fields.flag("tie_word_embeddings"),
        biases=BIASES,
        norm="layernorm",
        gated=False,
        positions=fields.natural("max_position_embeddings"),
        learnt_positions=True,
    )


def _columns(part: str, net: Decoder) -> Range | None:
    """The outputs of c_attn that a projection is; None for one with a matrix of its own."""
    at = QKV.index(part) if part in QKV else None
    return None if at is None else (at * net.hidden, (at + 1) * net.hidden)


def huggingface_source(name: str, net: Decoder) -> Source:
    stem, suffix = name.rsplit(".", 1)
    if stem in TOP:
        return Source(f"{TOP[stem]}.{suffix}")
    _, index, part = stem.split(".", 2)
    stored, outputs = f"h.{index}.{PARTS[part][0]}.{suffix}", _columns(part, net)
    if suffix == "weight" and part.endswith("_proj"):
        return Source(stored, columns=outputs, transpose=True)
    return Source(stored, rows=outputs)


def gguf(fields: Fields, store: WeightStore) -> Decoder:
    heads = fields.natural("num_attention_heads")
    if fields.natural("num_key_value_heads", heads) != heads:
        raise fields.refuse("num_key_value_heads", f"q, k and v are shared out over the same {heads} heads")
    # The converter writes four times the hidden size, whatever the matrix has.
    said, matrix = fields.natural("intermediate_size"), "blk.0.ffn_up.weight"
    return _decoder(fields, store.shape(matrix)[0] if matrix in store.names() else said)


def _own_rows(name: str, net: Decoder) -> Source:
    return Source(name, rows=_columns(name.rsplit(".", 1)[0].split(".", 2)[-1], net))


FAMILY = common.Family(
    "gpt2", huggingface, DEFAULTS, huggingface_source, gguf, common.gguf_source(GGUF_LAYER, _own_rows), ALIASES,
    table="wte.weight", prefixes=("transformer.", ""), derived=(".attn.bias", ".attn.masked_bias"),
)  # fmt: skip
