"""Tiny random models of each family in the Hugging Face format, made with transformers, for tests of every stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMON: dict[str, Any] = {
    "vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1,
}  # fmt: skip


#: family -> beginning of the names of its classes in transformers, and what its tiny model has beside `COMMON`
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"tie_word_embeddings": True}),
    "gemma3": ("Gemma3", {
        "head_dim": 16, "sliding_window": 24, "query_pre_attn_scalar": 16,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        },
    }),
    "llama4": ("Llama4", {
        "head_dim": 16, "intermediate_size_mlp": 96, "num_local_experts": 4, "num_experts_per_tok": 1,
        "interleave_moe_layer_step": 2, "no_rope_layers": [1, 0], "attention_chunk_size": 32,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
    }),
    "qwen2": ("Qwen2", {
        "use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64,
        },
    }),
    "qwen3": ("Qwen3", {"head_dim": 24, "tie_word_embeddings": True}),
    "mistral": ("Mistral", {"sliding_window": 24}),
    "phi3": ("Phi3", {
        "original_max_position_embeddings": 128, "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 1e4, "partial_rotary_factor": 0.75,
            "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], "long_factor": [2.0] * 6,
        },
    }),
    "smollm3": ("SmolLM3", {"num_hidden_layers": 4}),
    "gpt2": ("GPT2", {
        "n_embd": 64, "n_inner": 96, "n_layer": 2, "n_head": 4, "n_positions": 256, "tie_word_embeddings": True,
    }),
}  # fmt: skip


def classes(family: str) -> tuple[Any, Any]:
    """transformers' own: of the settings of a family, and of its model."""
    import transformers

    name, text = FAMILIES[family][0], "Text" if family in ("gemma3", "llama4") else ""
    kind = "LMHeadModel" if family == "gpt2" else "ForCausalLM"
    return getattr(transformers, f"{name}{text}Config"), getattr(transformers, f"{name}{kind}")


def make(family: str, seed: int = 0, **changes: Any) -> Any:
    """A random model of `family`, of transformers' own class."""
    import torch

    (settings, kind), own = classes(family), FAMILIES[family][1]
    usual = {key: COMMON[key] for key in ("vocab_size", "bos_token_id", "eos_token_id")} if family == "gpt2" else COMMON
    torch.manual_seed(seed)
    model = kind(settings(**{**usual, **own, **changes}))
    with torch.no_grad():  # random norms and larger weights: activations then spread like a trained model's
        for key, tensor in model.named_parameters():
            if "norm" in key or ".ln_" in key:
                tensor.add_(torch.randn_like(tensor) * 0.2)
            elif tensor.dim() > 1:
                tensor.mul_(3)
            elif key.endswith(".bias"):
                tensor.normal_(0.0, 0.1)
    return model.to(torch.bfloat16)


def save(family: str, folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Save a random model of `family` in bfloat16 and return its folder."""
    make(family, seed, **changes).save_pretrained(folder)
    return folder


@contextmanager
def tensors(folder: Path) -> Iterator[dict[str, Any]]:
    """The weights of a saved model, which are saved again as they are left."""
    from safetensors.torch import load_file, save_file

    found = load_file(folder / "model.safetensors")
    yield found
    save_file(found, folder / "model.safetensors", {"format": "pt"})
