"""Gemma 3 against transformers: windows shorter than the text, two rotary bases, norms with 1 + w."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import HostOp

transformers = pytest.importorskip("transformers")
LINEAR = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}


@pytest.fixture
def config(small) -> Any:
    def make(**changes: Any) -> Any:
        settings = {
            **small, "num_hidden_layers": 3, "head_dim": 32, "sliding_window": 8, "query_pre_attn_scalar": 24,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        }  # fmt: skip
        return transformers.Gemma3TextConfig(**{**settings, **changes})

    return make


CASES = {
    "window of 8": {},
    "window of 1": {"sliding_window": 1},
    "window longer than the text": {"sliding_window": 64},
    "all heads have keys": {"num_key_value_heads": 4},
    "one key head": {"num_key_value_heads": 1},
    "linear scaling of the full layers": {"rope_parameters": LINEAR},
    "untied": {"tie_word_embeddings": False},
    "biases": {"attention_bias": True},
}


@pytest.mark.parametrize("name", CASES)
def test_equals_transformers(name, saved, agrees, config):
    agrees(*saved(transformers.Gemma3ForCausalLM, config(**CASES[name])))


def test_bfloat16_file(saved, agrees, config):
    agrees(*saved(transformers.Gemma3ForCausalLM, config(), torch.bfloat16))


def test_the_pattern_of_layers_where_it_is_not_listed(saved, edited, agrees, config):
    folder, model = saved(transformers.Gemma3ForCausalLM, config(num_hidden_layers=7, layer_types=None))
    edited(folder, layer_types=None)
    agrees(folder, model)
    windows = [op.attrs["window"] for op in read_graph(folder).ops if isinstance(op, HostOp) and op.op == "attention"]
    assert windows == [8, 8, 8, 8, 8, None, 8]


def test_old_names_of_the_frequencies(saved, edited, agrees, config):
    folder, model = saved(transformers.Gemma3ForCausalLM, config(rope_parameters=LINEAR))
    old = {"rope_type": "linear", "factor": 8.0}
    edited(folder, rope_parameters=None, rope_theta=1e6, rope_local_base_freq=1e4, rope_scaling=old)
    agrees(folder, model)


def test_inside_a_multimodal_model(tmp_path, agrees, config):
    """The text model of Gemma3ForConditionalGeneration: vision tensors are left alone."""
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 16, "patch_size": 8}  # fmt: skip
    whole = transformers.Gemma3Config(
        text_config=config().to_dict(), vision_config=vision, mm_tokens_per_image=4, image_token_index=96,
        boi_token_index=95, eoi_token_index=94,
    )  # fmt: skip
    whole._attn_implementation = "eager"
    torch.manual_seed(0)
    model = transformers.Gemma3ForConditionalGeneration(whole).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2)
    model.save_pretrained(tmp_path)
    agrees(tmp_path, model)
    assert read_graph(tmp_path).info.family == "gemma3"


def test_graph(saved, config):
    folder, _ = saved(transformers.Gemma3ForCausalLM, config())
    graph = read_graph(folder)
    ops = {op.path: op for op in graph.ops}
    assert ops["embed_tokens"].attrs["scale"] == 8.0
    assert ops["layers.1.self_attn.attention"].attrs["scale"] == 24**-0.5
    assert ops["layers.0.self_attn.attention"].attrs["window"] == 8
    assert ops["layers.1.self_attn.attention"].attrs["window"] is None
    assert ops["layers.0.self_attn.q_rope"].attrs["inv_freq"] != ops["layers.1.self_attn.q_rope"].attrs["inv_freq"]
    assert ops["layers.0.self_attn.q_rope"].inputs == ("layers.0.self_attn.q_norm",)
    assert graph.info.tied_embeddings
