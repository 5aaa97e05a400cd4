"""Tiny random models of each family in the Hugging Face format, made with transformers, for tests of every stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COMMON: dict[str, Any] = {
    "vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1,
}  # fmt: skip


def save(family: str, folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Save a random model of `family` ("llama", "gemma3", "llama4") in bfloat16 and return its folder."""
    import torch
    from transformers import (
        Gemma3ForCausalLM,
        Gemma3TextConfig,
        Llama4ForCausalLM,
        Llama4TextConfig,
        LlamaConfig,
        LlamaForCausalLM,
    )

    torch.manual_seed(seed)
    if family == "llama":
        model: Any = LlamaForCausalLM(LlamaConfig(**{**COMMON, "tie_word_embeddings": True, **changes}))
    elif family == "gemma3":
        own = {
            "head_dim": 16, "sliding_window": 24, "query_pre_attn_scalar": 16,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        }  # fmt: skip
        model = Gemma3ForCausalLM(Gemma3TextConfig(**{**COMMON, **own, **changes}))
    else:
        own = {
            "head_dim": 16, "intermediate_size_mlp": 96, "num_local_experts": 4, "num_experts_per_tok": 1,
            "interleave_moe_layer_step": 2, "no_rope_layers": [1, 0], "attention_chunk_size": 32,
            "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
        }  # fmt: skip
        model = Llama4ForCausalLM(Llama4TextConfig(**{**COMMON, **own, **changes}))
    with torch.no_grad():  # random norms and larger weights: activations then spread like a trained model's
        for name, tensor in model.named_parameters():
            if "norm" in name:
                tensor.add_(torch.randn_like(tensor) * 0.2)
            elif tensor.dim() > 1:
                tensor.mul_(3)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder
