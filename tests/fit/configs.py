"""Small configurations of every family that `fit` reads, by transformers' names."""

from __future__ import annotations

from typing import Any

from neurodeploy.frontends.outlines import config_hollow
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import weights_of

SIZES: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 256,
}  # fmt: skip
LLAMA: dict[str, Any] = {**SIZES, "num_key_value_heads": 2}
GPT: dict[str, Any] = {"n_embd": 64, "n_layer": 3, "n_head": 4, "vocab_size": 256, "n_positions": 128}
LATENT: dict[str, Any] = {
    **SIZES, "num_key_value_heads": 4, "q_lora_rank": 24, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4,
    "v_head_dim": 8, "n_routed_experts": 8, "n_shared_experts": 2, "first_k_dense_replace": 1, "moe_intermediate_size": 32,
    "num_experts_per_tok": 2,
}  # fmt: skip
MAMBA: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 256, "state_size": 8}
WINDOW, FULL = "sliding_attention", "full_attention"

#: ``model_type`` -> what is set beside (or instead of) `LLAMA`.
BESIDE: dict[str, dict[str, Any]] = {
    "llama": {}, "mistral": {"sliding_window": 8, "head_dim": 16}, "ministral": {"head_dim": 16}, "qwen2": {},
    "qwen3": {"head_dim": 24}, "phi3": {}, "smollm3": {}, "granite": {}, "olmo": {}, "olmo2": {}, "olmo3": {},
    "gemma": {"head_dim": 16}, "gemma2": {"head_dim": 16, "attn_logit_softcapping": 50.0}, "gemma3_text": {"head_dim": 16},
    "cohere": {}, "cohere2": {}, "glm": {"head_dim": 16}, "glm4": {"head_dim": 16}, "ernie4_5": {"head_dim": 16},
    "exaone4": {}, "seed_oss": {"head_dim": 16}, "stablelm": {}, "starcoder2": {}, "nemotron": {"head_dim": 16}, "phi": {},
    "mixtral": {"num_local_experts": 4}, "phimoe": {"num_local_experts": 4},
    "qwen2_moe": {
        "num_experts": 6, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 48, "mlp_only_layers": [1]
    },
    "qwen3_moe": {
        "head_dim": 16, "num_experts": 8, "moe_intermediate_size": 32, "mlp_only_layers": [0], "num_experts_per_tok": 2
    },
    "gpt_oss": {"head_dim": 24, "num_local_experts": 8, "num_experts_per_tok": 2},
    "olmoe": {"num_experts": 8, "num_experts_per_tok": 2},
    "granitemoe": {"num_local_experts": 6}, "granitemoeshared": {"num_local_experts": 6, "shared_intermediate_size": 40},
    "glm4_moe": {
        "head_dim": 16, "n_routed_experts": 8, "n_shared_experts": 2, "first_k_dense_replace": 1,
        "moe_intermediate_size": 32, "num_experts_per_tok": 2,
    },
    "llama4_text": {
        "head_dim": 16, "num_local_experts": 4, "interleave_moe_layer_step": 2, "intermediate_size_mlp": 128
    },
    "gemma3n_text": {
        "num_hidden_layers": 4, "intermediate_size": [96, 96, 128, 128], "head_dim": 16, "laurel_rank": 8,
        "vocab_size_per_layer_input": 128, "hidden_size_per_layer_input": 24, "num_kv_shared_layers": 2,
        "activation_sparsity_pattern": [0.0] * 4, "layer_types": [WINDOW, FULL, WINDOW, FULL],
    },
    "gla_swa": {},
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    **{kind: {**LLAMA, **beside} for kind, beside in BESIDE.items()},
    "deepseek_v2": LATENT,
    "deepseek_v3": {**LATENT, "n_group": 2, "topk_group": 1},
    "gpt2": GPT, "gptj": GPT, "gpt_bigcode": GPT,
    "gpt_neo": {
        "hidden_size": 64, "num_layers": 4, "num_heads": 4, "vocab_size": 256, "attention_types": [[["global", "local"], 2]]
    },
    "opt": {key: value for key, value in SIZES.items() if key != "intermediate_size"} | {
        "ffn_dim": 96, "word_embed_proj_dim": 32},
    "bloom": {"hidden_size": 64, "n_layer": 3, "n_head": 4, "vocab_size": 256},
    "gpt_neox": SIZES, "falcon": {key: value for key, value in SIZES.items() if key != "intermediate_size"},
    "hgrn_bit": {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 256},
    "mamba": MAMBA, "falcon_mamba": MAMBA, "mamba2": {**MAMBA, "num_heads": 8, "head_dim": 16, "n_groups": 2},
    "openelm": {
        "model_dim": 64, "num_transformer_layers": 3, "head_dim": 16, "num_query_heads": [2, 4, 4],
        "num_kv_heads": [1, 2, 2], "ffn_multipliers": [0.5, 1.0, 2.0], "ffn_dim_divisor": 16, "vocab_size": 256,
    },
    "rwkv": {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 256, "intermediate_size": 96},
}  # fmt: skip
#: Multimodal families -> the family of their text model.
WRAPPED = {"gemma3": "gemma3_text", "llama4": "llama4_text", "gemma3n": "gemma3n_text"}


def config(kind: str) -> dict[str, Any]:
    """A small configuration of a family, inside a multimodal one where the family is that."""
    if kind in WRAPPED:
        return {"model_type": kind, "vision_config": {"depth": 1}, "text_config": config(WRAPPED[kind])}
    return {"model_type": kind, **CONFIGS[kind]}


def hollow_of(settings: dict[str, Any], generic: bool = False) -> Program:
    return config_hollow(settings, "config.json", "small", "test", generic=generic)


def total(settings: dict[str, Any], generic: bool = False) -> int:
    """Every parameter of the model."""
    return weights_of(hollow_of(settings, generic)).total
