"""Llama 4 against transformers: chunks shorter than the text, layers without RoPE, experts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import Projection

transformers = pytest.importorskip("transformers")


@pytest.fixture
def config(small) -> Any:
    def make(**changes: Any) -> Any:
        settings = {
            **small, "num_hidden_layers": 4, "intermediate_size": 48, "intermediate_size_mlp": 96, "head_dim": 32,
            "num_local_experts": 4, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "use_qk_norm": True,
            "no_rope_layers": [1, 1, 1, 0], "attention_chunk_size": 8, "attn_temperature_tuning": True,
            "floor_scale": 8, "attn_scale": 0.1, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
        }  # fmt: skip
        return transformers.Llama4TextConfig(**{**settings, **changes})

    return make


CASES = {
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
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_equals_transformers(name, saved, agrees, config):
    agrees(*saved(transformers.Llama4ForCausalLM, config(**CASES[name])))


def test_bfloat16_file(saved, agrees, config):
    agrees(*saved(transformers.Llama4ForCausalLM, config(), torch.bfloat16))


def test_settings_that_transformers_would_fill_in(saved, edited, agrees, config):
    """A file may leave out the lists and say how often a layer has no RoPE or has experts."""
    folder, model = saved(transformers.Llama4ForCausalLM, config())
    edited(folder, no_rope_layers=[], layer_types=None, moe_layers=None)
    agrees(folder, model)


def test_paths(saved, config):
    folder, _ = saved(transformers.Llama4ForCausalLM, config())
    graph = read_graph(folder)
    found = {op.path: op for op in graph.projections() if op.layer == 1}
    assert {path for path in found if "feed_forward" in path} == {
        f"layers.1.feed_forward.{part}" for part in (
            "router", *(f"{who}.{part}" for who in ("experts.0", "experts.1", "experts.2", "experts.3", "shared_expert")
                        for part in ("gate_proj", "up_proj", "down_proj")),
        )
    }  # fmt: skip
    router, expert = found["layers.1.feed_forward.router"], found["layers.1.feed_forward.experts.2.down_proj"]
    assert (router.role, router.expert) == ("router", None)
    assert (expert.role, expert.expert, expert.in_features, expert.out_features) == ("down", 2, 48, 64)
    ops = [op.path.removeprefix("layers.3.self_attn.") for op in graph.ops if op.layer == 3 and "self_attn" in op.path]
    assert ops == ["q_proj", "k_proj", "v_proj", "q_temperature", "attention", "o_proj"]
    ops = [op.path.removeprefix("layers.0.self_attn.") for op in graph.ops if op.layer == 0 and "self_attn" in op.path]
    assert ops == ["q_proj", "k_proj", "v_proj", "q_rope", "q_l2norm", "k_rope", "k_l2norm", "attention", "o_proj"]


def test_an_expert_without_tokens_reads_no_weights(saved, run, config):
    folder, _ = saved(transformers.Llama4ForCausalLM, config())
    graph = read_graph(folder)
    rows: dict[str, int] = {}

    def count(op: Any, values: Any) -> None:
        if isinstance(op, Projection) and op.expert is not None and op.role == "gate":
            rows[op.weight] = values[op.input].shape[0]

    executor = run(graph)
    executor.forward(np.array([3, 4]), capture=count)
    assert sum(rows.values()) == 4  # two tokens, two layers with experts, one expert each
    idle = [name for name, tokens in rows.items() if tokens == 0]
    assert len(idle) >= 4
    assert not set(idle) & set(executor.weights._tensors)


def test_inside_a_multimodal_model(tmp_path, agrees, config):
    """The text model of Llama4ForConditionalGeneration: vision tensors are left alone."""
    vision = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 16, "patch_size": 8, "vision_output_dim": 16, "projector_input_dim": 16,
              "projector_output_dim": 16}  # fmt: skip
    whole = transformers.Llama4Config(text_config=config().to_dict(), vision_config=vision)
    whole._attn_implementation = "eager"
    model = transformers.Llama4ForConditionalGeneration(whole).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(tmp_path)
    agrees(tmp_path, model)
    assert read_graph(tmp_path).info.family == "llama4"
