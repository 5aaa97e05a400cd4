"""Families of decoders as a table: what each one's layers have, and what its settings are called.

Names are those of transformers' configuration classes (5.23); its own model of each family is counted against ours in the
tests, field by field. A row says only what differs from Llama's layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from neurodeploy.frontends.outlines.settings import Settings

LLAMA: dict[str, Any] = {"max_position_embeddings": 2048, "tie_word_embeddings": False}
TIED: dict[str, Any] = {**LLAMA, "tie_word_embeddings": True}
QKV, QKVO = frozenset("qkv"), frozenset("qkvo")
UP_DOWN, GATED = frozenset({"up", "down"}), frozenset({"gate", "up", "down"})
LINEAR = QKVO | UP_DOWN
#: Key of `Row.biases` for what is always there.
ALWAYS = ""
LATENT_BIASES = frozenset({"q_a", "kv_a", "o"})


@dataclass(frozen=True, slots=True)
class Experts:
    """Names of the settings of a family's experts; "" where it has none of that kind.

    shared : width of the shared expert. shared_count : shared experts of the routed ones' width, drawn as one.
    every : so many layers have experts in the last of them, dense : list of the layers that have none, first : how many
    layers at the start have none. gate : the shared expert has a gate of its own. biases : roles with one, router too.
    """

    count: str = "num_local_experts"
    chosen: str = "num_experts_per_tok"
    width: str = "intermediate_size"
    shared: str = ""
    shared_count: str = ""
    every: str = ""
    dense: str = ""
    first: str = ""
    gate: bool = False
    biases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """How a family differs from Llama.

    defaults : settings that its config.json may leave out. aliases : other names that its files have.
    head_dim : heads may have a size of their own. kv : how many heads keys and values have, where that is not a number.
    norm, norms : as in `layers.Stack`. qk_norm : as in `layers.Attention`, "name?kind" where the flag `name` decides.
    biases : flag (or `ALWAYS`) -> roles with a bias. pattern : every so many layers one without a window, 0 for none.
    offset : rows of the learnt table of positions beyond the number of positions, None without such a table.
    latent : DeepSeek's attention; None where the settings decide.
    head_bias : "" none, `ALWAYS_BIAS`, or the flag that decides.
    embedding_norm : a norm before the first layer. table_width : setting of the embedding table's own width.
    affine : flag of norms with weights. final : flags that must have these values for a norm after the last layer.
    only : settings that are read with this value alone.
    left_out : settings of layers that no text passes through in ordinary use -> what they are.
    """

    defaults: Mapping[str, Any] = field(default_factory=lambda: LLAMA)
    aliases: Mapping[str, str] = field(default_factory=dict)
    head_dim: bool = True
    kv: Callable[[Settings, int], int] | None = None
    gated: bool = True
    norm: str = "rms"
    norms: str | Callable[[Settings], str] = "pre"
    qk_norm: str = ""
    biases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    experts: Experts | None = None
    pattern: int = 0
    rotary: bool = True
    offset: int | None = None
    latent: bool | None = False
    sinks: bool = False
    head_bias: str = ""
    embedding_norm: bool = False
    table_width: str = ""
    affine: str = ""
    final: Mapping[str, bool] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)


ALWAYS_BIAS = "always"
GPT = {
    "n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads",
    "n_inner": "intermediate_size", "n_positions": "max_position_embeddings",
}  # fmt: skip
MTP = {"num_nextn_predict_layers": "layers that predict further tokens (multi-token prediction)"}
ATTENTION_BIAS = {"attention_bias": QKVO}
BOTH_BIASES = {"attention_bias": QKVO, "mlp_bias": GATED}
QWEN_EXPERTS = Experts(
    "num_experts", width="moe_intermediate_size", every="decoder_sparse_step", dense="mlp_only_layers"
)
GLM = {**LLAMA, "head_dim": 128, "num_key_value_heads": 2, "attention_bias": True}
GPT2 = {
    **TIED, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "vocab_size": 50257,
    "max_position_embeddings": 1024,
}  # fmt: skip
DEEPSEEK = Experts(
    "n_routed_experts", width="moe_intermediate_size", shared_count="n_shared_experts", first="first_k_dense_replace"
)
LOCAL = {"num_local_experts": "num_experts"}


def _falcon_norms(fields: Settings) -> str:
    fields.ignore(("num_ln_in_parallel_attn", "parallel_attn"))
    if fields.flag("new_decoder_architecture", False):
        return "parallel" if fields.natural("num_ln_in_parallel_attn", 2) == 1 else "pre"
    return "parallel" if fields.flag("parallel_attn", True) else "pre"


def _falcon_kv(fields: Settings, heads: int) -> int:
    if fields.flag("new_decoder_architecture", False):
        return fields.natural("num_kv_heads", heads)
    fields.ignore(("num_kv_heads",))
    return 1 if fields.flag("multi_query", True) else heads


def _one_kv(fields: Settings, heads: int) -> int:
    fields.ignore(("num_key_value_heads",))
    return 1 if fields.flag("multi_query", True) else heads


def _no_kv(fields: Settings, heads: int) -> int:
    return heads


#: GPT-2's layer: heads that share out the stream, a key and a value each, no gate, layer norms, a bias everywhere.
OLD = Row(head_dim=False, kv=_no_kv, gated=False, norm="layer", biases={ALWAYS: LINEAR})


def _stablelm_norms(fields: Settings) -> str:
    return "parallel" if fields.flag("use_parallel_residual", False) else "pre"


ROWS: Mapping[str, Row] = {
    "mistral": Row({**LLAMA, "num_key_value_heads": 8}),
    "ministral": Row({**LLAMA, "num_key_value_heads": 8}),
    "qwen2": Row(biases={ALWAYS: QKV}),
    "qwen3": Row({**LLAMA, "head_dim": 128}, qk_norm="head", biases=ATTENTION_BIAS),
    "phi3": Row(),
    "smollm3": Row({**TIED, "num_key_value_heads": 4}, biases=BOTH_BIASES),
    "granite": Row(biases=BOTH_BIASES),
    "olmo": Row(norm="bare", biases=ATTENTION_BIAS),
    "olmo2": Row(qk_norm="full", norms="post", biases=ATTENTION_BIAS),
    "olmo3": Row(qk_norm="full", norms="post", biases=ATTENTION_BIAS, pattern=4),
    "gemma": Row({**TIED, "head_dim": 256}, biases=ATTENTION_BIAS),
    "gemma2": Row({**TIED, "head_dim": 256}, norms="sandwich", biases=ATTENTION_BIAS, pattern=2),
    "cohere": Row(TIED, norm="scale", norms="parallel", qk_norm="use_qk_norm?each", biases=ATTENTION_BIAS),
    "cohere2": Row(TIED, norm="scale", norms="parallel", biases=ATTENTION_BIAS, pattern=4),
    "glm": Row(GLM, biases={"attention_bias": QKV}),
    "glm4": Row(GLM, norms="sandwich", biases={"attention_bias": QKV}),
    "ernie4_5": Row({**TIED, "head_dim": 128}, biases={"use_bias": QKVO | GATED}),
    "exaone4": Row(norms="post", qk_norm="head", pattern=4),
    "seed_oss": Row(
        {**LLAMA, "head_dim": 128, "num_key_value_heads": 8, "attention_bias": True},
        biases={"attention_bias": QKV, "attention_out_bias": frozenset("o"), "mlp_bias": GATED},
    ),
    "stablelm": Row(
        norm="layer", norms=_stablelm_norms, qk_norm="qk_layernorm?each", biases={"use_qkv_bias": QKV}, head_dim=False
    ),
    "mixtral": Row(
        {**LLAMA, "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2},
        {"num_experts": "num_local_experts"}, experts=Experts(),
    ),
    "qwen2_moe": Row(
        {**LLAMA, "num_experts": 60, "num_experts_per_tok": 4, "decoder_sparse_step": 1, "qkv_bias": True,
         "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632},
        LOCAL, biases={"qkv_bias": QKV},
        experts=replace(QWEN_EXPERTS, shared="shared_expert_intermediate_size", gate=True),
    ),
    "qwen3_moe": Row(
        {**LLAMA, "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "moe_intermediate_size": 768},
        LOCAL, qk_norm="head", biases=ATTENTION_BIAS, experts=QWEN_EXPERTS,
    ),
    "gpt_oss": Row(
        {**LLAMA, "max_position_embeddings": 131_072, "num_local_experts": 128, "num_experts_per_tok": 4, "head_dim": 64,
         "num_key_value_heads": 8, "sliding_window": 128, "attention_bias": True},
        {"num_experts": "num_local_experts"}, biases=ATTENTION_BIAS, pattern=2, sinks=True,
        experts=Experts(biases=GATED | {"router"}),
    ),
    "olmoe": Row(
        {**LLAMA, "num_experts": 64, "num_experts_per_tok": 8}, LOCAL, qk_norm="full", biases=ATTENTION_BIAS,
        experts=Experts("num_experts"),
    ),
    "granitemoe": Row(
        {**LLAMA, "num_local_experts": 8, "num_experts_per_tok": 2}, biases=ATTENTION_BIAS, experts=Experts()
    ),
    "granitemoeshared": Row(
        {**LLAMA, "num_local_experts": 8, "num_experts_per_tok": 2, "shared_intermediate_size": 0},
        biases=ATTENTION_BIAS, experts=Experts(shared="shared_intermediate_size"),
    ),
    "phimoe": Row(
        {**LLAMA, "num_key_value_heads": 8, "num_local_experts": 16, "num_experts_per_tok": 2}, norm="layer",
        biases=ATTENTION_BIAS, experts=Experts(), head_bias="lm_head_bias",
    ),
    "deepseek_v2": Row(
        {**LLAMA, "n_routed_experts": 64, "n_shared_experts": 2, "first_k_dense_replace": 0, "kv_lora_rank": 512,
         "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "moe_intermediate_size": 1407},
        {"num_experts": "n_routed_experts"}, biases={"attention_bias": LATENT_BIASES, "mlp_bias": GATED},
        experts=DEEPSEEK, latent=True, left_out=MTP, only={"moe_layer_freq": 1},
    ),
    "deepseek_v3": Row(
        {**LLAMA, "n_routed_experts": 256, "n_shared_experts": 1, "first_k_dense_replace": 3, "num_experts_per_tok": 8,
         "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "moe_intermediate_size": 2048},
        {"num_local_experts": "n_routed_experts", "num_mtp_layers": "num_nextn_predict_layers"},
        biases={"attention_bias": LATENT_BIASES}, experts=DEEPSEEK, latent=True, left_out=MTP, only={"moe_layer_freq": 1},
    ),
    "glm4_moe": Row(
        {**LLAMA, "n_routed_experts": 128, "n_shared_experts": 1, "first_k_dense_replace": 1, "num_experts_per_tok": 8,
         "moe_intermediate_size": 1408, "num_key_value_heads": 8},
        {"num_local_experts": "n_routed_experts", "num_mtp_layers": "num_nextn_predict_layers"},
        qk_norm="use_qk_norm?head", biases={"attention_bias": QKV}, experts=DEEPSEEK, left_out=MTP,
    ),
    "gpt2": replace(OLD, defaults=GPT2, aliases=GPT, rotary=False, offset=0, only={"add_cross_attention": False}),
    "gpt_bigcode": replace(
        OLD, defaults=GPT2, aliases=GPT, kv=_one_kv, rotary=False, offset=0, only={"add_cross_attention": False}
    ),
    "gptj": replace(OLD, aliases=GPT, norms="parallel", biases={ALWAYS: UP_DOWN}, head_bias=ALWAYS_BIAS),
    "gpt_neo": replace(
        OLD, defaults=TIED, biases={ALWAYS: UP_DOWN | {"o"}}, rotary=False, offset=0,
        aliases={"num_layers": "num_hidden_layers", "num_heads": "num_attention_heads", "window_size": "sliding_window",
                 "attention_layers": "layer_types"},
    ),
    "opt": replace(
        OLD, defaults={**TIED, "vocab_size": 50272, "enable_bias": True}, aliases={"ffn_dim": "intermediate_size"},
        biases={"enable_bias": LINEAR}, rotary=False, offset=2, table_width="word_embed_proj_dim",
        affine="layer_norm_elementwise_affine", final={"do_layer_norm_before": True, "_remove_final_layer_norm": False},
    ),
    "bloom": replace(
        OLD, defaults=TIED, rotary=False, embedding_norm=True,
        aliases={"n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "n_embed": "hidden_size",
                 "num_heads": "num_attention_heads"},
    ),
    "gpt_neox": replace(
        OLD, defaults={**LLAMA, "attention_bias": True}, biases={"attention_bias": QKVO, ALWAYS: UP_DOWN}
    ),
    "falcon": replace(
        OLD, defaults=TIED, kv=_falcon_kv, norms=_falcon_norms, biases={"bias": LINEAR},
        aliases={"ffn_hidden_size": "intermediate_size", "n_head_kv": "num_kv_heads", "n_layer": "num_hidden_layers",
                 "n_head": "num_attention_heads"},
    ),
    "phi": replace(OLD, kv=None, norms="parallel", qk_norm="qk_layernorm?head", head_bias=ALWAYS_BIAS),
    "starcoder2": Row(
        {**TIED, "num_key_value_heads": 2, "use_bias": True}, gated=False, norm="layer", biases={"use_bias": LINEAR}
    ),
    "nemotron": Row(gated=False, norm="layer", biases={"attention_bias": QKVO, "mlp_bias": UP_DOWN}),
}  # fmt: skip

#: What an unknown family's settings may be called: read for ``--generic``.
ALIASES: Mapping[str, str] = {
    **GPT, "d_model": "hidden_size", "model_dim": "hidden_size", "n_embed": "hidden_size", "n_layers": "num_hidden_layers",
    "num_layers": "num_hidden_layers", "n_heads": "num_attention_heads", "num_heads": "num_attention_heads",
    "num_query_heads": "num_attention_heads", "n_kv_heads": "num_key_value_heads", "num_kv_heads": "num_key_value_heads",
    "n_head_kv": "num_key_value_heads", "ffn_dim": "intermediate_size", "d_ff": "intermediate_size",
    "ffn_hidden_size": "intermediate_size", "max_seq_len": "max_position_embeddings",
    "num_experts": "num_local_experts", "n_routed_experts": "num_local_experts", "moe_num_experts": "num_local_experts",
    "moe_topk": "num_experts_per_tok", "moe_top_k": "num_experts_per_tok", "num_experts_per_token": "num_experts_per_tok",
    "moe_k": "num_experts_per_tok", "num_shared_experts": "n_shared_experts", "moe_num_shared_experts": "n_shared_experts",
    "tie_embeddings": "tie_word_embeddings",
}  # fmt: skip
#: A decoder like Llama's, with experts or latent attention like DeepSeek's where the settings have them.
GENERIC = Row(
    LLAMA, ALIASES, biases={"attention_bias": QKVO, "qkv_bias": QKV, "mlp_bias": GATED}, latent=None, left_out=MTP,
    experts=Experts(
        width="moe_intermediate_size", shared="shared_expert_intermediate_size", shared_count="n_shared_experts",
        first="first_k_dense_replace", every="decoder_sparse_step", dense="mlp_only_layers",
    ),
)  # fmt: skip
#: Settings that an unknown family must have to be read like that.
NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
