"""Every family against transformers, from folders, and the relatives of Llama from GGUF files."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import HostOp
from tests import gguf_files
from tests.refusals import refused

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

LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}  # fmt: skip
LINEAR = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}
#: family -> cases of its settings
FAMILIES: dict[str, dict[str, dict[str, Any]]] = {
    "llama": {
        "all heads have keys": {"num_key_value_heads": 4},
        "two heads share a key": {},
        "four heads share a key": {"num_key_value_heads": 1},
        "three heads of odd number": {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 72},
        "tied": {"tie_word_embeddings": True},
        "biases": {"attention_bias": True, "mlp_bias": True},
        "head size of its own": {"head_dim": 24},
        "llama3 frequencies": {"rope_parameters": LLAMA3},
        "linear frequencies": {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}},
    },
    "gemma3": {
        "window of 8": {},
        "window of 1": {"sliding_window": 1},
        "window longer than the text": {"sliding_window": 64},
        "all heads have keys": {"num_key_value_heads": 4},
        "one key head": {"num_key_value_heads": 1},
        "linear scaling of the full layers": {"rope_parameters": LINEAR},
        "untied": {"tie_word_embeddings": False},
        "biases": {"attention_bias": True},
    },
    "llama4": {
        "chunk of 8": {},
        "chunk of 7": {"attention_chunk_size": 7},
        "chunk longer than the text": {"attention_chunk_size": 64},
        "no norm of q and k": {"use_qk_norm": False},
        "no temperature": {"attn_temperature_tuning": False},
        "RoPE everywhere": {"no_rope_layers": [1, 1, 1, 1]},
        "full attention with RoPE": {"layer_types": ["full_attention"] * 4},
        "chunks without RoPE": {"layer_types": ["chunked_attention"] * 4},
        "two experts a token": {"num_experts_per_tok": 2},
        "experts in every layer": {"interleave_moe_layer_step": 1},
        "no experts": {"moe_layers": []},
        "experts where they are listed": {"moe_layers": [0, 3]},
        "all heads have keys": {"num_key_value_heads": 4},
        "one key head": {"num_key_value_heads": 1},
        "biases": {"attention_bias": True},
        "tied": {"tie_word_embeddings": True},
        "llama3 frequencies": {
            "rope_parameters": {
                "rope_type": "llama3", "rope_theta": 5e5, "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0,
                "original_max_position_embeddings": 32,
            }
        },
    },
    "qwen2": {
        "two heads share a key": {},
        "all heads have keys, tied": {"num_key_value_heads": 4, "tie_word_embeddings": True},
        "seven heads": {"num_attention_heads": 7, "num_key_value_heads": 1, "hidden_size": 56},
        "windows in the last layers": {**WINDOW, "max_window_layers": 1},
        "windows where they are listed": {**WINDOW, "layer_types": ["sliding_attention", "full_attention"]},
        "yarn": {"rope_parameters": YARN},
    },
    "qwen3": {
        "two heads share a key": {},
        "wide heads, tied": {"head_dim": 32, "tie_word_embeddings": True, "num_key_value_heads": 1},
        "biases": {"attention_bias": True, "num_key_value_heads": 4},
        "windows in all layers": {**WINDOW, "max_window_layers": 0},
        "yarn": {"rope_parameters": {**YARN, "beta_fast": 8.0, "beta_slow": 2.0}},
    },
    "mistral": {
        "window of 8": {"sliding_window": 8},
        "no window, tied": {"sliding_window": None, "tie_word_embeddings": True},
        "window longer than the text": {"num_key_value_heads": 4},
        "wide heads": {"head_dim": 24, "num_key_value_heads": 1, "sliding_window": 1},
        "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
    },
    "phi3": {
        "all heads have keys": {"num_key_value_heads": 4},
        "shared keys, window of 9, tied": {"sliding_window": 9, "tie_word_embeddings": True},
        "longrope": {"rope_parameters": LONGROPE},
        "three quarters rotated": {"rope_parameters": PARTIAL},
        "three quarters rotated, longrope": {"rope_parameters": {
            **LONGROPE, "partial_rotary_factor": 0.75, "short_factor": [1.5] * 6, "long_factor": [3.0] * 6,
        }},
    },
    "smollm3": {
        "every fourth layer without rope": {},
        "untied, biases": {"tie_word_embeddings": False, "attention_bias": True, "mlp_bias": True},
        "where they are listed": {"no_rope_layers": [0, 1, 1, 0, 1], "num_key_value_heads": 4},
        "every second": {"no_rope_layer_interval": 2, "num_key_value_heads": 1},
        "windows": {**WINDOW},
    },
    "gpt2": {
        "four heads": {},
        "untied, one head": {"tie_word_embeddings": False, "n_head": 1},
        "narrow": {"n_inner": 72, "n_embd": 48, "n_layer": 3},
        "silu, plain scores": {"activation_function": "silu", "scale_attn_weights": False},
        "falling scores": {"scale_attn_by_inverse_layer_idx": True, "layer_norm_epsilon": 1e-3},
    },
}  # fmt: skip
#: What a .gguf file does not say: a window of some layers only, layers without RoPE other than every fourth, GPT-2's
#: variants. The converter writes them without a word, so nothing can be noticed.
UNSAID = {
    "qwen2": ("windows in the last layers", "windows where they are listed"),
    "qwen3": ("windows in all layers",),
    "smollm3": ("where they are listed", "every second", "windows"),
    "gpt2": ("silu, plain scores", "falling scores"),
}
#: Settings of published files, from memory of them, that transformers' own classes do not have or do not use.
PUBLISHED = {
    "qwen2": {"max_window_layers": 21, "sliding_window": 32768, "use_mrope": False, "rope_scaling": None},
    "qwen3": {"max_window_layers": 28, "sliding_window": None, "rope_scaling": None},
    "mistral": {"sliding_window": None, "rope_theta": 1e4},
    "phi3": {"full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": False, "mlp_bias": False, "sliding_window": 128},
    "smollm3": {"max_window_layers": 28, "pretraining_tp": 2, "sliding_window": None},
    "gpt2": {"n_ctx": 64, "task_specific_params": {"text": {"do_sample": True}}, "reorder_and_upcast_attn": False},
}  # fmt: skip
CASES = [(family, case) for family, cases in FAMILIES.items() for case in cases]


@pytest.mark.parametrize(("family", "case"), CASES)
def test_folder_equals_transformers(family, case, made, agrees):
    folder, model = made(family, **FAMILIES[family][case])
    agrees(folder, model)
    assert read_graph(folder).info.family == family


#: Gemma 3's files say less: `test_gguf_families` has their own tests. llama.cpp's of Llama 4 are not read.
GGUF_CASES = [p for p in CASES if p[0] not in ("gemma3", "llama4") and p[1] not in UNSAID.get(p[0], ())]


@pytest.mark.parametrize(("family", "case"), GGUF_CASES)
def test_gguf_equals_transformers(family, case, made, agrees, tmp_path):
    model = made(family, **FAMILIES[family][case])[1]
    # Beside what the converter writes: it leaves Mistral's window out.
    window = model.config.sliding_window if family == "mistral" else None
    own = {"attention.sliding_window": window} if window else {}
    path = gguf_files.save(tmp_path / "model.gguf", model, settings=own)
    agrees(path, model)
    info = read_graph(path).info
    assert (info.family, info.vocab_size) == ("llama" if family == "mistral" else family, 97)
    assert (info.bos_token, info.eos_tokens) == (2, (1,))
    assert (info.name, info.source, info.licence) == ("A tiny model", "model.gguf", "mit")


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "mistral", "phi3", "gpt2"])
def test_old_names_of_settings(family, made, edited, agrees):
    """Files from before transformers 5: rope_theta beside rope_scaling, no layer_types; GPT-2 with the common names."""
    case = {"qwen2": "yarn", "qwen3": "yarn", "mistral": "linear", "phi3": "longrope", "gpt2": "four heads"}[family]
    folder, model = made(family, **FAMILIES[family][case])
    if family == "gpt2":
        edited(folder, n_layer=None, num_hidden_layers=2, n_embd=None, hidden_size=64, n_ctx=64)
    else:
        table = model.config.rope_parameters
        scaling = {key: value for key, value in table.items() if key not in ("rope_theta", "rope_type")}
        kind = {"longrope": "su"}.get(table["rope_type"], table["rope_type"])
        if family == "phi3":  # the length stands beside the table, the share is left out
            scaling = {key: scaling[key] for key in ("short_factor", "long_factor")}
        edited(folder, rope_parameters=None, rope_theta=1e4, rope_scaling={"type": kind, **scaling}, layer_types=None)
    agrees(folder, model)


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_gpt2_of_old_files(prefix, made, agrees):
    """Without the prefix, and with the masks that were saved once."""
    safetensors = pytest.importorskip("safetensors.torch")
    folder, model = made("gpt2")
    file = folder / "model.safetensors"
    tensors = {prefix + name.removeprefix("transformer."): value for name, value in safetensors.load_file(file).items()}
    for layer in range(2):
        tensors[f"{prefix}h.{layer}.attn.bias"] = torch.ones(1, 1, 64, 64)
        tensors[f"{prefix}h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    safetensors.save_file(tensors, file)
    agrees(folder, model)


@pytest.mark.parametrize("family", PUBLISHED)
def test_settings_of_published_files(family, made, edited, agrees):
    case = {"mistral": "no window, tied"}.get(family, next(iter(FAMILIES[family])))
    folder, model = made(family, **FAMILIES[family][case])
    agrees(edited(folder, **PUBLISHED[family]), model)


def test_a_null_window_is_none_and_a_missing_one_is_the_default(made, edited):
    folder, _ = made("mistral", sliding_window=None, tie_word_embeddings=True)

    def windows() -> set[object]:
        return {op.attrs["window"] for op in read_graph(folder).ops if isinstance(op, HostOp) and op.op == "attention"}

    assert windows() == {None}
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["sliding_window"]
    path.write_text(json.dumps(config))
    assert windows() == {4096} == {transformers.MistralConfig().sliding_window}


@pytest.mark.parametrize(
    ("family", "settings", "field"),
    [
        ("qwen2", {"layer_types": ["sliding_attention", "full_attention"]}, "layer_types"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 0}, "sliding_window"),
        ("qwen2", {"hidden_act": "relu"}, "hidden_act"),
        ("qwen3", {"rope_scaling": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ("mistral", {"sliding_window": -1}, "sliding_window"),
        ("phi3", {"partial_rotary_factor": 1.5, "rope_parameters": {}}, "partial_rotary_factor"),
        ("phi3", {"rope_scaling": {"type": "su", "short_factor": [1.0], "long_factor": [1.0]}}, "short_factor"),
        ("smollm3", {"no_rope_layers": [1]}, "no_rope_layers"),
        ("smollm3", {"layer_types": ["sliding_attention"] * 5}, "layer_types"),
        ("gpt2", {"activation_function": "gelu"}, "activation_function"),
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention"),
        ("gpt2", {"n_head": 5}, "n_head"),
        ("gpt2", {"num_hidden_layers": 3}, "num_hidden_layers"),
    ],
)
def test_refuses_by_name(family, settings, field, made, edited):
    folder, _ = made(family, **next(iter(FAMILIES[family].values())))
    error = refused(ModelError, "ND1012", read_graph, edited(folder, **settings))
    assert field in error.problem


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "smollm3", "gpt2"])
def test_gguf_keys_that_a_family_does_not_have(family, made, tmp_path):
    """A window of one of these would be of some layers only, and the file does not say which."""
    model = made(family, **next(iter(FAMILIES[family].values())))[1]
    path = gguf_files.save(tmp_path / "model.gguf", model, settings={"attention.sliding_window": 8})
    refused(ModelError, r"ND1012 .*attention\.sliding_window", read_graph, path)


def test_longrope_bounds_the_positions(made):
    """64 positions of 128: beyond them transformers would turn all keys by another table."""
    bounded, whole = (
        read_graph(made("phi3", **FAMILIES["phi3"][case])[0]) for case in ("longrope", "all heads have keys")
    )
    assert (bounded.info.max_positions, whole.info.max_positions) == (64, 128)
    assert "up to 64 tokens here, not 128" in bounded.notes[0]
    assert whole.notes == ()


def test_fused_matrices_are_read_in_slices(made):
    """One head's rows of k touch one part of the fused matrix, not the whole of it."""
    folder, model = made("phi3", num_key_value_heads=4)
    store = read_graph(folder).weights
    asked: list[tuple[object, ...]] = []
    below = store.store
    whole = below.block
    below.block = lambda name, key: asked.append((name, key)) or whole(name, key)
    rows = store.get("layers.1.self_attn.k_proj.weight", 16, 32)
    expected = model.model.layers[1].self_attn.qkv_proj.weight[64 + 16 : 64 + 32].detach().numpy()
    assert (rows == expected).all()
    assert asked == [("model.layers.1.self_attn.qkv_proj.weight", (slice(80, 96),))]
