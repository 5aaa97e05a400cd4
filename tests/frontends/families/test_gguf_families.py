"""GGUF files written here the way llama.cpp's converter writes them, against transformers' model of the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph
from tests import gguf_files
from tests.refusals import refused

transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write(model, keys beside the converter's)``."""
    return lambda model, settings: gguf_files.save(tmp_path / "model.gguf", model, settings=settings)


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
    agrees(write(llama[1], NEUTRAL[kind]), llama[1])


@pytest.mark.parametrize(("newer", "older"), [(4.0, None), (None, 4.0), (4.0, 8.0)])
def test_a_factor_without_a_type_is_linear(newer, older, made, write, agrees):
    """As llama.cpp takes files of 2023; it reads the older key where the newer is not set."""
    model = made("llama", rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0})[1]
    factor = {"rope.scaling.factor": newer, "rope.scale_linear": older}
    agrees(write(model, {"rope.scaling.type": None, **factor}), model)


def test_gemma3_says_which_layers_have_windows(made, write, agrees):
    kinds = ["full_attention", "sliding_attention", "sliding_attention"]
    _, model = made("gemma3", head_dim=16, query_pre_attn_scalar=16, layer_types=kinds)
    own = {"attention.head_count_kv": [2, 2, 2], "attention.sliding_window_pattern": [False, True, True]}
    agrees(write(model, own), model)


def test_all_keys_that_change_are_named_at_once(llama, write):
    unknown = {
        "attention.sliding_window_pattern": [True, False], "rope.dimension_sections": [8, 8, 0, 0], "expert_count": 8,
        "attention.clamp_kqv": 8.0, "some.norm_types": ["a", "b"], "ssm.state_size": 16,
        "mixture.gate_scale": 0.5, "attention.causal": False,
    }  # fmt: skip
    error = refused(ModelError, "ND1012", read_graph, write(llama[1], unknown))
    assert error.problem.split(": ")[0] == "8 settings"
    assert all(f"{key} = " in error.problem for key in unknown)


YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"attention.head_count_kv": [2, 1]}, "the same for every layer"),
        ({"feed_forward_length": [96]}, "feed_forward_length"),
        ({"attention.head_count_kv": [2, 2, 2]}, "attention.head_count_kv"),
        ({"expert_count": 8}, "expert_count"),
        ({"rope.scaling.type": "yarn"}, "rope.scaling.factor"),
        ({**YARN, "rope.scaling.yarn_attn_factor": 2.0}, "yarn_attn_factor"),
        ({**YARN, "rope.scaling.yarn_ext_factor": 0.5}, "yarn_ext_factor"),
        ({"rope.scaling.type": "dynamo"}, "rope_type"),
        ({"rope.dimension_count": 8}, "rope.dimension_count"),
        ({"attention.scale": 0.5}, "attention.scale"),
        ({"attention.head_count_kv": 3}, "attention.head_count_kv"),
    ],
)
def test_refuses_settings(llama, write, settings, field):
    assert field in refused(ModelError, "ND1012", read_graph, write(llama[1], settings)).problem


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "smollm3", "gpt2"])
def test_a_window_of_a_family_that_has_none(family, made, write):
    """A window of one of these would be of some layers only, and the file does not say which."""
    path = write(made(family)[1], {"attention.sliding_window": 8})
    refused(ModelError, r"ND1012 .*attention\.sliding_window", read_graph, path)


def test_refuses_other_architectures(tmp_path):
    error = refused(ModelError, "ND1011", read_graph, gguf_files.write(tmp_path / "model.gguf", "falcon", {}, {}))
    assert "'falcon'" in error.problem
    assert "llama, qwen2, qwen3, phi3, smollm3, gpt2, gemma3 are" in error.problem


def test_refuses_a_tensor_left_over(llama, tmp_path):
    tensors = {**gguf_files.tensors_of(llama[1]), "blk.0.attn_sinks.weight": np.ones(4, np.float32)}
    path = gguf_files.write(tmp_path / "model.gguf", "llama", gguf_files.settings_of(llama[1].config), tensors)
    assert refused(ModelError, "ND1006", read_graph, path).subject == "blk.0.attn_sinks.weight"


def test_the_rows_are_interleaved_as_the_format_says():
    """Row (s, i) of a head of 4 goes to (i, s)."""
    assert gguf_files.interleave(np.arange(8), 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert torch.arange(8).view(2, 2, 2).transpose(1, 2).reshape(8).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
