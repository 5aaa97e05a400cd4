"""What a Hugging Face folder may not hold: every refusal names the field or the tensor; nothing is read silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph

transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture
def llama(saved, small) -> Path:
    folder: Path = saved(transformers.LlamaForCausalLM, transformers.LlamaConfig(**small))[0]
    return folder


def refused(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_graph(folder)
    return caught.value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_act", "relu"),
        ("hidden_act", "gelu"),
        ("hidden_act", 3),
        ("quantization_config", {"quant_method": "gptq"}),
        ("rope_parameters", {"rope_type": "proportional", "factor": 4.0, "rope_theta": 1e4}),
        ("rope_parameters", {"rope_type": "yarn", "rope_theta": 1e4}),
        ("rope_parameters", {"rope_type": "yarn", "rope_theta": 1.0, "factor": 4.0}),
        ("rope_parameters", {"rope_type": "longrope", "short_factor": [1.0] * 7, "long_factor": [1.0] * 8}),
        ("rope_parameters", {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [1.0] * 7 + [0.0]}),
        ("rope_parameters", {"rope_type": ["default"]}),
        ("rope_parameters", {"rope_type": "default", "partial_rotary_factor": 0.5}),
        ("rope_parameters", {"rope_type": "linear", "rope_theta": 1e4}),
        ("rope_parameters", {"rope_type": "linear", "factor": -1.0}),
        ("rope_parameters", {"rope_type": "linear", "factor": 1e-320, "rope_theta": 1e4}),
        ("rope_parameters", {"rope_type": "default", "attention_factor": 0.7}),
        ("rope_parameters", [1]),
        ("num_hidden_layers", 0),
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", 2.0),
        ("num_hidden_layers", True),
        ("num_key_value_heads", 3),
        ("head_dim", 15),
        ("hidden_size", "64"),
        ("rms_norm_eps", 0.0),
        ("rms_norm_eps", "1e-6"),
        ("tie_word_embeddings", "no"),
        ("attention_bias", {}),
        ("residual_multiplier", 0.22),
        ("rope_interleaved", True),
        ("sliding_window", 127),
    ],
)
def test_settings(llama, edited, field, value):
    error = refused(edited(llama, **{field: value}))
    assert error.code == "ND1012"
    nested = {"rope_type", "partial_rotary_factor", "factor", "attention_factor", "rope_theta"}
    assert field in str(error) or any(name in str(error) for name in nested)
    assert "config.json" in error.subject


@pytest.mark.parametrize(
    "settings",
    [
        {"attn_logit_softcapping": 50.0},
        {"final_logit_softcapping": 30.0},
        {"use_bidirectional_attention": True},
        {"hidden_activation": "gelu"},
        {"layer_types": ["sliding_attention", "chunked_attention"]},
        {"layer_types": ["sliding_attention"]},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
        {"sliding_window": 0},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_gemma3_settings(saved, small, edited, settings):
    config = transformers.Gemma3TextConfig(**small, head_dim=16)
    folder, _ = saved(transformers.Gemma3ForCausalLM, config)
    error = refused(edited(folder, **settings))
    assert error.code == "ND1012"
    assert next(iter(settings)) in str(error)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_experts_per_tok": 5},
        {"no_rope_layers": [1]},
        {"no_rope_layers": "all"},
        {"attention_chunk_size": 0},
        {"moe_layers": [0.5]},
        {"num_local_experts": 10**6},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_llama4_settings(saved, small, edited, settings):
    config = transformers.Llama4TextConfig(**small, head_dim=16, num_local_experts=4)
    folder, _ = saved(transformers.Llama4ForCausalLM, config)
    error = refused(edited(folder, **settings))
    assert error.code == "ND1012"
    assert next(iter(settings)) in str(error)


def test_a_setting_that_is_off_changes_nothing(llama, edited):
    edited(llama, residual_multiplier=None, use_sliding_window=False, extra_layers=[])
    assert read_graph(llama).info.layers == 2


@pytest.mark.parametrize("kind", ["falcon", None, 7])
def test_other_architectures(llama, edited, kind):
    error = refused(edited(llama, model_type=kind, architectures=["FalconForCausalLM"]))
    assert error.code == "ND1011"
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


def test_a_missing_tensor(tensors):
    error = refused(tensors(**{"model.layers.1.mlp.up_proj.weight": None}))
    assert (error.code, error.subject) == ("ND1006", "model.layers.1.mlp.up_proj.weight")


def test_a_missing_head_of_an_untied_model(tensors):
    error = refused(tensors(**{"lm_head.weight": None}))
    assert (error.code, error.subject) == ("ND1006", "lm_head.weight")


def test_no_model_at_all(tensors):
    error = refused(tensors(**{"model.embed_tokens.weight": None}))
    assert (error.code, error.subject) == ("ND1006", "model.embed_tokens.weight")


def test_a_tensor_left_over(tensors):
    error = refused(tensors(**{"model.layers.0.self_attn.q_norm.weight": torch.ones(16)}))
    assert (error.code, error.subject) == ("ND1006", "model.layers.0.self_attn.q_norm.weight")


def test_a_wrong_shape(tensors):
    error = refused(tensors(**{"model.layers.0.mlp.up_proj.weight": torch.ones(95, 64)}))
    assert (error.code, error.subject) == ("ND1006", "model.layers.0.mlp.up_proj.weight")
    assert "(95, 64)" in error.problem
    assert "(96, 64)" in error.problem


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
    error = refused(tensors(**{"lm_head.weight": other}))
    assert error.code == "ND1012"
    assert "tie_word_embeddings" in error.problem
