"""Qwen2, Qwen3, Mistral, Phi-3, SmolLM3 and GPT-2 against transformers, from folders and from GGUF files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurodeploy.frontends.families import read_graph
from tests import gguf_files

transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")

WINDOW = {"use_sliding_window": True, "sliding_window": 7}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 32}
#: LongRoPE whose short table is used: 50 tokens of a test are fewer than 64.
LONGROPE = {
    "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0 + 0.1 * i for i in range(8)],
    "long_factor": [2.0 + i for i in range(8)],
}  # fmt: skip
PARTIAL = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.75}

#: family -> name of its classes, what differs from `small` by default, and cases
FAMILIES: dict[str, tuple[str, dict[str, Any], dict[str, dict[str, Any]]]] = {
    "qwen2": ("Qwen2", {}, {
        "two heads share a key": {},
        "all heads have keys, tied": {"num_key_value_heads": 4, "tie_word_embeddings": True},
        "seven heads": {"num_attention_heads": 7, "num_key_value_heads": 1, "hidden_size": 56},
        "windows in the last layers": {**WINDOW, "max_window_layers": 1},
        "windows where they are listed": {**WINDOW, "layer_types": ["sliding_attention", "full_attention"]},
        "yarn": {"rope_parameters": YARN},
    }),
    "qwen3": ("Qwen3", {"head_dim": 16}, {
        "two heads share a key": {},
        "wide heads, tied": {"head_dim": 32, "tie_word_embeddings": True, "num_key_value_heads": 1},
        "biases": {"attention_bias": True, "num_key_value_heads": 4},
        "windows in all layers": {**WINDOW, "max_window_layers": 0},
        "yarn": {"rope_parameters": {**YARN, "beta_fast": 8.0, "beta_slow": 2.0}},
    }),
    "mistral": ("Mistral", {}, {
        "window of 8": {"sliding_window": 8},
        "no window, tied": {"sliding_window": None, "tie_word_embeddings": True},
        "window longer than the text": {"num_key_value_heads": 4},
        "wide heads": {"head_dim": 24, "num_key_value_heads": 1, "sliding_window": 1},
        "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
    }),
    "phi3": ("Phi3", {"original_max_position_embeddings": 64}, {
        "all heads have keys": {"num_key_value_heads": 4},
        "shared keys, window of 9, tied": {"sliding_window": 9, "tie_word_embeddings": True},
        "longrope": {"rope_parameters": LONGROPE},
        "three quarters rotated": {"rope_parameters": PARTIAL},
        "three quarters rotated, longrope": {"rope_parameters": {
            **LONGROPE, "partial_rotary_factor": 0.75, "short_factor": [1.5] * 6, "long_factor": [3.0] * 6,
        }},
    }),
    "smollm3": ("SmolLM3", {"num_hidden_layers": 5}, {
        "every fourth layer without rope": {},
        "untied, biases": {"tie_word_embeddings": False, "attention_bias": True, "mlp_bias": True},
        "where they are listed": {"no_rope_layers": [0, 1, 1, 0, 1], "num_key_value_heads": 4},
        "every second": {"no_rope_layer_interval": 2, "num_key_value_heads": 1},
        "windows": {**WINDOW},
    }),
    "gpt2": ("GPT2", {}, {
        "four heads": {},
        "untied, one head": {"tie_word_embeddings": False, "n_head": 1},
        "narrow": {"n_inner": 72, "n_embd": 48, "n_layer": 3},
        "silu, plain scores": {"activation_function": "silu", "scale_attn_weights": False},
        "falling scores": {"scale_attn_by_inverse_layer_idx": True, "layer_norm_epsilon": 1e-3},
    }),
}  # fmt: skip
#: What a .gguf file does not say: a window of some layers only, layers without RoPE other than every fourth, GPT-2's
#: variants. The converter writes them without a word, so nothing can be noticed.
UNSAID = {
    "qwen2": ("windows in the last layers", "windows where they are listed"),
    "qwen3": ("windows in all layers",),
    "smollm3": ("where they are listed", "every second", "windows"),
    "gpt2": ("silu, plain scores", "falling scores"),
}
CASES = [(family, case) for family, (_, _, cases) in FAMILIES.items() for case in cases]


@pytest.fixture
def made(saved: Callable[..., Any], small: dict[str, Any]) -> Callable[[str, str], tuple[Path, Any]]:
    """``made(family, case) -> (folder, model)``."""

    def make(family: str, case: str) -> tuple[Path, Any]:
        name, own, cases = FAMILIES[family]
        if family == "gpt2":
            usual: dict[str, Any] = {
                "vocab_size": 97, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "bos_token_id": 2,
                "eos_token_id": 1,
            }  # fmt: skip
        else:
            usual = {**small, "tie_word_embeddings": family == "smollm3"}
        config = getattr(transformers, f"{name}Config")(**{**usual, **own, **cases[case]})
        kind = "GPT2LMHeadModel" if family == "gpt2" else f"{name}ForCausalLM"
        return saved(getattr(transformers, kind), config)

    return make


@pytest.mark.parametrize(("family", "case"), CASES)
def test_folder_equals_transformers(family, case, made, agrees):
    folder, model = made(family, case)
    agrees(folder, model)
    assert read_graph(folder).info.family == family


@pytest.mark.parametrize(("family", "case"), [pair for pair in CASES if pair[1] not in UNSAID.get(pair[0], ())])
def test_gguf_equals_transformers(family, case, made, agrees, tmp_path):
    model = made(family, case)[1]
    # Beside what the converter writes: it leaves Mistral's window out.
    window = model.config.sliding_window if family == "mistral" else None
    own = {"attention.sliding_window": window} if window else {}
    path = gguf_files.save(tmp_path / "model.gguf", model, settings=own)
    agrees(path, model)
    info = read_graph(path).info
    assert (info.family, info.vocab_size) == ("llama" if family == "mistral" else family, 97)
    assert (info.bos_token, info.eos_tokens) == (2, (1,))
