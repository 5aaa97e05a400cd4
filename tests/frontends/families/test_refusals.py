"""What a Hugging Face folder may not hold: every refusal names the field or the tensor; nothing is read silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph
from tests.refusals import refused

transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture
def llama(made) -> Path:
    return made("llama")[0]


PARTS = ("rope_type", "partial_rotary_factor", "factor", "attention_factor", "rope_theta")


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"hidden_act": "relu"}),
        ("llama", {"hidden_act": "gelu"}),
        ("llama", {"hidden_act": 3}),
        ("llama", {"quantization_config": {"quant_method": "gptq"}}),
        ("llama", {"rope_parameters": {"rope_type": "proportional", "factor": 4.0, "rope_theta": 1e4}}),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0, "factor": 4.0}}),
        ("llama", {"rope_parameters": {"rope_type": "longrope", "short_factor": [1.0] * 7, "long_factor": [1.0] * 8}}),
        (
            "llama",
            {"rope_parameters": {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [1.0] * 7 + [0.0]}},
        ),
        ("llama", {"rope_parameters": {"rope_type": ["default"]}}),
        ("llama", {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4}}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": -1.0}}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 1e-320, "rope_theta": 1e4}}),
        ("llama", {"rope_parameters": {"rope_type": "default", "attention_factor": 0.7}}),
        ("llama", {"rope_parameters": [1]}),
        ("llama", {"num_hidden_layers": 0}),
        ("llama", {"num_hidden_layers": 10**9}),
        ("llama", {"num_hidden_layers": 2.0}),
        ("llama", {"num_hidden_layers": True}),
        ("llama", {"num_key_value_heads": 3}),
        ("llama", {"head_dim": 15}),
        ("llama", {"hidden_size": "64"}),
        ("llama", {"rms_norm_eps": 0.0}),
        ("llama", {"rms_norm_eps": "1e-6"}),
        ("llama", {"tie_word_embeddings": "no"}),
        ("llama", {"attention_bias": {}}),
        ("llama", {"residual_multiplier": 0.22}),
        ("llama", {"rope_interleaved": True}),
        ("llama", {"sliding_window": 127}),
        ("gemma3", {"attn_logit_softcapping": 50.0}),
        ("gemma3", {"final_logit_softcapping": 30.0}),
        ("gemma3", {"use_bidirectional_attention": True}),
        ("gemma3", {"hidden_activation": "gelu"}),
        ("gemma3", {"layer_types": ["sliding_attention", "chunked_attention"]}),
        ("gemma3", {"layer_types": ["sliding_attention"]}),
        ("gemma3", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}),
        ("gemma3", {"sliding_window": 0}),
        ("llama4", {"num_experts_per_tok": 5}),
        ("llama4", {"no_rope_layers": [1]}),
        ("llama4", {"no_rope_layers": "all"}),
        ("llama4", {"attention_chunk_size": 0}),
        ("llama4", {"moe_layers": [0.5]}),
        ("llama4", {"num_local_experts": 10**6}),
    ],
    ids=str,
)
def test_settings(made, edited, family, settings):
    plain = {"num_hidden_layers": 2, "layer_types": None, "head_dim": 16} if family == "gemma3" else {}
    error = refused(ModelError, "ND1012", read_graph, edited(made(family, **plain)[0], **settings))
    named = (*settings, *(PARTS if family == "llama" else ()))
    assert any(name in str(error) for name in named) and "config.json" in error.subject


def test_a_setting_that_is_off_changes_nothing(llama, edited):
    edited(llama, residual_multiplier=None, use_sliding_window=False, extra_layers=[])
    assert read_graph(llama).info.layers == 2


@pytest.mark.parametrize("kind", ["falcon", None, 7])
def test_other_architectures(llama, edited, kind):
    folder = edited(llama, model_type=kind, architectures=["FalconForCausalLM"])
    error = refused(ModelError, "ND1011", read_graph, folder)
    assert all(name in error.problem for name in ("llama", "qwen2", "qwen3", "mistral", "phi3", "smollm3", "gpt2"))


def test_architectures_stand_in_for_a_missing_model_type(llama, edited):
    assert read_graph(edited(llama, model_type=None)).info.family == "llama"


@pytest.fixture
def tensors(llama) -> Any:
    """Change the tensors of the file: ``tensors(name=None)`` drops one, ``tensors(name=array)`` sets one."""

    def change(**changes: Any) -> Path:
        path = llama / "model.safetensors"
        found = safetensors.load_file(path)
        for name, value in changes.items():
            if value is None:
                del found[name]
            else:
                found[name] = value
        safetensors.save_file(found, path)
        return llama

    return change


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.layers.1.mlp.up_proj.weight", None),
        ("lm_head.weight", None),  # of a model that is not tied
        ("model.embed_tokens.weight", None),
        ("model.layers.0.self_attn.q_norm.weight", torch.ones(16)),  # left over
        ("model.layers.0.mlp.up_proj.weight", torch.ones(95, 64)),
    ],
    ids=str,
)
def test_tensors(tensors, name, value):
    error = refused(ModelError, "ND1006", read_graph, tensors(**{name: value}))
    assert error.subject == name
    if value is not None and value.ndim == 2:
        assert "(95, 64)" in error.problem and "(96, 64)" in error.problem


def test_saved_rotary_tables_are_left_alone(tensors):
    assert read_graph(tensors(**{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)})).info.layers == 2


def test_a_tied_head_that_is_stored_twice(tensors, edited, agrees):
    table = torch.randn(97, 64)
    folder = edited(
        tensors(**{"model.embed_tokens.weight": table, "lm_head.weight": table.clone()}), tie_word_embeddings=True
    )
    model = transformers.LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager")
    agrees(folder, model)
    other = table.clone()
    other[96, 63] += 1.0
    error = refused(ModelError, "ND1012", read_graph, tensors(**{"lm_head.weight": other}))
    assert "tie_word_embeddings" in error.problem
