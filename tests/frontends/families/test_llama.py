"""Llama against transformers."""

from __future__ import annotations

import pytest
import torch

from neurodeploy.frontends.families import read_graph

transformers = pytest.importorskip("transformers")
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}  # fmt: skip

CASES = {
    "all heads have keys": {"num_key_value_heads": 4},
    "two heads share a key": {},
    "four heads share a key": {"num_key_value_heads": 1},
    "three heads of odd number": {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 72},
    "tied": {"tie_word_embeddings": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "head size of its own": {"head_dim": 24},
    "llama3 frequencies": {"rope_parameters": LLAMA3},
    "linear frequencies": {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}},
}


@pytest.mark.parametrize("name", CASES)
def test_equals_transformers(name, saved, agrees, small):
    agrees(*saved(transformers.LlamaForCausalLM, transformers.LlamaConfig(**{**small, **CASES[name]})))


def test_bfloat16_file(saved, agrees, small):
    agrees(*saved(transformers.LlamaForCausalLM, transformers.LlamaConfig(**small), torch.bfloat16))


def test_many_shards(saved, agrees, small):
    folder, model = saved(transformers.LlamaForCausalLM, transformers.LlamaConfig(**small))
    for file in folder.glob("*.safetensors"):
        file.unlink()
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    agrees(folder, model)


def test_old_names_of_the_frequencies(saved, edited, agrees, small):
    """Files from before transformers 5 have rope_theta and rope_scaling beside one another."""
    config = transformers.LlamaConfig(**small, rope_parameters=LLAMA3)
    folder, model = saved(transformers.LlamaForCausalLM, config)
    old = {key: value for key, value in LLAMA3.items() if key != "rope_theta"}
    edited(folder, rope_parameters=None, rope_theta=10000.0, rope_scaling=old)
    agrees(folder, model)
    edited(folder, rope_scaling=None)
    with pytest.raises(AssertionError):
        agrees(folder, model)


def test_graph(saved, small):
    config = transformers.LlamaConfig(**small, tie_word_embeddings=True)
    folder, _ = saved(transformers.LlamaForCausalLM, config)
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\nlicense: mit\n")
    graph = read_graph(folder)
    info = graph.info
    assert (info.family, info.vocab_size, info.hidden_size, info.layers, info.max_positions) == (
        "llama",
        97,
        64,
        2,
        128,
    )
    assert (info.licence, info.bos_token, info.eos_tokens, info.tied_embeddings) == ("apache-2.0", 2, (1,), True)
    assert info.source == info.name == "model"
    paths = [op.path for op in graph.ops if op.path.startswith("layers.1.")]
    assert paths == [
        "layers.1." + part for part in (
            "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.q_rope",
            "self_attn.k_rope", "self_attn.attention", "self_attn.o_proj", "attention_residual",
            "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.glu", "mlp.down_proj", "ffn_residual",
        )
    ]  # fmt: skip
    roles = {op.path: (op.role, op.heads) for op in graph.projections() if op.layer != 0}
    assert roles["layers.1.self_attn.q_proj"] == ("q", 4)
    assert roles["layers.1.self_attn.k_proj"] == ("k", 2)
    assert roles["layers.1.self_attn.v_proj"] == ("v", 2)
    assert roles["layers.1.self_attn.o_proj"] == ("o", 0)
    assert roles["lm_head"] == ("lm_head", 0)
    head = graph.projections()[-1]
    assert (head.weight, head.output) == ("embed_tokens.weight", "logits")


def test_end_tokens_of_the_generation_settings_go_first(saved, small):
    folder, _ = saved(transformers.LlamaForCausalLM, transformers.LlamaConfig(**small))
    (folder / "generation_config.json").write_text('{"bos_token_id": 5, "eos_token_id": [7, 9]}')
    info = read_graph(folder).info
    assert (info.bos_token, info.eos_tokens, info.licence) == (5, (7, 9), "unknown")
