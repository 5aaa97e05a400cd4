"""GGUF files written here the way llama.cpp's converter writes them, against transformers' model of the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import HostOp
from tests import gguf_files
from tests.refusals import refused

transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write(model, architecture, settings, tensors beside the model's)``."""

    def make(model: Any, architecture: str, settings: dict[str, Any], extra: dict[str, Any] | None = None) -> Path:
        tensors = {**gguf_files.tensors_of(model), **(extra or {})}
        return gguf_files.write(tmp_path / "model.gguf", architecture, settings, tensors, gguf_files.ENDS)

    return make


@pytest.fixture
def llama(made) -> Callable[..., Any]:
    return lambda **changes: made("llama", **changes)[1]


@pytest.mark.parametrize(
    "changes",
    [{}, {"num_key_value_heads": 1, "tie_word_embeddings": True}, {"attention_bias": True, "mlp_bias": True}],
    ids=["untied", "tied, one key head", "biases"],
)
def test_llama(llama, write, agrees, changes):
    model = llama(**changes)
    path = write(model, "llama", gguf_files.settings_of(model.config))
    agrees(path, model)
    info = read_graph(path).info
    assert (info.name, info.source, info.licence) == ("A tiny model", "model.gguf", "mit")
    assert (info.bos_token, info.eos_tokens, info.vocab_size) == (2, (1,), 97)


def test_llama3_frequencies_are_stored_as_divisors(llama, write, agrees):
    rope = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 32}  # fmt: skip
    model = llama(rope_parameters=rope)
    plain = 10000.0 ** -(np.arange(0, 16, 2) / 16)
    divisors = (plain / model.model.rotary_emb.inv_freq.numpy()).astype(np.float32)
    assert divisors.min() == 1.0
    assert divisors.max() > 7.9
    agrees(write(model, "llama", gguf_files.settings_of(model.config), {"rope_freqs.weight": divisors}), model)


def test_llama_linear_scaling(llama, write, agrees):
    model = llama(rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0})
    agrees(write(model, "llama", gguf_files.settings_of(model.config)), model)


def test_gemma3(made, write, agrees):
    full = {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}
    local = {"rope_type": "default", "rope_theta": 1e4}
    rope = {"full_attention": full, "sliding_attention": local}
    own = {"num_hidden_layers": 7, "layer_types": None, "query_pre_attn_scalar": 32}
    _, model = made("gemma3", **own, rope_parameters=rope)
    path = write(model, "gemma3", gguf_files.settings_of(model.config))
    agrees(path, model)
    windows = [op.attrs["window"] for op in read_graph(path).ops if isinstance(op, HostOp) and op.op == "attention"]
    assert windows == [8, 8, 8, 8, 8, None, 8]


NEUTRAL = {
    "one value for each layer": {
        "attention.head_count_kv": [2, 2], "feed_forward_length": [96, 96], "attention.head_count": [4, 4],
        "attention.sliding_window_pattern": [False, False],
    },
    "files of 2023": {"tensor_data_layout": "Meta AI original pth", "rope.scale_linear": 1.0},
    "neutral factors": {
        "rope.scaling.type": "linear", "rope.scaling.factor": 1.0, "rope.scaling.attn_factor": 1.0, "residual_scale": 1.0,
        "logit_scale": 1.0, "attention.scale": 0.25, "final_logit_softcapping": 0.0,
    },
    "yarn by 1": {"rope.scaling.type": "yarn", "rope.scaling.factor": 1.0, "rope.scaling.original_context_length": 64},
    "what is off": {
        "use_parallel_residual": False, "attention.causal": True, "expert_count": 0, "expert_used_count": 0,
        "rope.scaling.finetuned": False, "attention.sliding_window": 128, "attention.max_alibi_bias": 0.0,
    },
    "nothing known": {"quantized_by_label": "someone", "comment": "x", "list.of.things": [1, 2, 3]},
}  # fmt: skip


@pytest.mark.parametrize("kind", NEUTRAL)
def test_neutral_keys(kind, llama, write, agrees):
    model = llama()
    agrees(write(model, "llama", {**gguf_files.settings_of(model.config), **NEUTRAL[kind]}), model)


def test_a_factor_without_a_type_is_linear(llama, write, agrees):
    """As llama.cpp takes files of 2023."""
    model = llama(rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0})
    for key in ("rope.scaling.factor", "rope.scale_linear"):
        agrees(write(model, "llama", {**gguf_files.settings_of(model.config), key: 4.0}), model)
    both = {
        "rope.scaling.factor": 4.0,
        "rope.scale_linear": 8.0,
    }  # llama.cpp reads the older key where the newer is not set
    agrees(write(model, "llama", {**gguf_files.settings_of(model.config), **both}), model)


def test_gemma3_says_which_layers_have_windows(made, write, agrees):
    kinds = ["full_attention", "sliding_attention", "sliding_attention"]
    _, model = made("gemma3", head_dim=16, query_pre_attn_scalar=16, layer_types=kinds)
    own = {"attention.head_count_kv": [2, 2, 2], "attention.sliding_window_pattern": [False, True, True]}
    agrees(write(model, "gemma3", {**gguf_files.settings_of(model.config), **own}), model)


def test_all_keys_that_change_are_named_at_once(llama, write):
    model = llama()
    unknown = {
        "attention.sliding_window_pattern": [True, False], "rope.dimension_sections": [8, 8, 0, 0], "expert_count": 8,
        "attention.clamp_kqv": 8.0, "some.norm_types": ["a", "b"], "ssm.state_size": 16,
        "mixture.gate_scale": 0.5, "attention.causal": False,
    }  # fmt: skip
    with pytest.raises(ModelError) as caught:
        read_graph(write(model, "llama", {**gguf_files.settings_of(model.config), **unknown}))
    assert (caught.value.code, caught.value.problem.split(": ")[0]) == ("ND1012", "8 settings")
    assert all(f"{key} = " in caught.value.problem for key in unknown)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"attention.head_count_kv": [2, 1]}, "the same for every layer"),
        ({"feed_forward_length": [96]}, "feed_forward_length"),
        ({"attention.head_count_kv": [2, 2, 2]}, "attention.head_count_kv"),
        ({"expert_count": 8}, "expert_count"),
        ({"rope.scaling.type": "yarn"}, "rope.scaling.factor"),
        (
            {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.yarn_attn_factor": 2.0},
            "yarn_attn_factor",
        ),
        (
            {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.yarn_ext_factor": 0.5},
            "yarn_ext_factor",
        ),
        ({"rope.scaling.type": "dynamo"}, "rope_type"),
        ({"rope.dimension_count": 8}, "rope.dimension_count"),
        ({"attention.scale": 0.5}, "attention.scale"),
        ({"attention.head_count_kv": 3}, "attention.head_count_kv"),
    ],
)
def test_refuses_settings(llama, write, settings, field):
    model = llama()
    path = write(model, "llama", {**gguf_files.settings_of(model.config), **settings})
    error = refused(ModelError, "ND1012", read_graph, path)
    assert field in error.problem


def test_refuses_other_architectures(llama, write):
    model = llama()
    path = write(model, "falcon", {})
    error = refused(ModelError, "ND1011", read_graph, path)
    assert "'falcon'" in error.problem
    assert "llama, qwen2, qwen3, phi3, smollm3, gpt2, gemma3 are" in error.problem


def test_refuses_a_tensor_left_over(llama, write):
    model = llama()
    extra = {"blk.0.attn_sinks.weight": np.ones(4, np.float32)}
    with pytest.raises(ModelError) as caught:
        read_graph(write(model, "llama", gguf_files.settings_of(model.config), extra))
    assert (caught.value.code, caught.value.subject) == ("ND1006", "blk.0.attn_sinks.weight")


def test_the_rows_are_interleaved_as_the_format_says():
    """Row (s, i) of a head of 4 goes to (i, s)."""
    assert gguf_files.interleave(np.arange(8), 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert torch.arange(8).view(2, 2, 2).transpose(1, 2).reshape(8).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
