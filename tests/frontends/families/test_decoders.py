"""What is special in Llama, Gemma 3 (windows, two rotary bases) and Llama 4 (chunks, layers without RoPE, experts)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import HostOp, Projection
from tests.frontends.families.conftest import settings_of
from tests.frontends.families.test_relatives import LINEAR, LLAMA3

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("family", ["llama", "gemma3", "llama4"])
def test_bfloat16_file(family, made, agrees):
    agrees(*made(family, torch.bfloat16))


def test_many_shards(made, agrees):
    folder, model = made("llama")
    for file in folder.glob("*.safetensors"):
        file.unlink()
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    agrees(folder, model)


def test_old_names_of_the_frequencies_of_llama(made, edited, agrees):
    """Files from before transformers 5 have rope_theta and rope_scaling beside one another."""
    folder, model = made("llama", rope_parameters=LLAMA3)
    old = {key: value for key, value in LLAMA3.items() if key != "rope_theta"}
    edited(folder, rope_parameters=None, rope_theta=10000.0, rope_scaling=old)
    agrees(folder, model)
    edited(folder, rope_scaling=None)
    with pytest.raises(AssertionError):
        agrees(folder, model)


def test_graph_of_llama(made):
    folder, _ = made("llama", tie_word_embeddings=True)
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\nlicense: mit\n")
    graph = read_graph(folder)
    info = graph.info
    sizes = (info.vocab_size, info.hidden_size, info.layers, info.max_positions)
    assert (info.family, *sizes) == ("llama", 97, 64, 2, 128)
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
    heads = {"q": 4, "k": 2, "v": 2, "o": 0}
    assert [roles[f"layers.1.self_attn.{role}_proj"] for role in heads] == list(heads.items())
    assert roles["lm_head"] == ("lm_head", 0)
    head = graph.projections()[-1]
    assert (head.weight, head.output) == ("embed_tokens.weight", "logits")


def test_end_tokens_of_the_generation_settings_go_first(made):
    folder, _ = made("llama")
    (folder / "generation_config.json").write_text('{"bos_token_id": 5, "eos_token_id": [7, 9]}')
    info = read_graph(folder).info
    assert (info.bos_token, info.eos_tokens, info.licence) == (5, (7, 9), "unknown")


def test_the_pattern_of_layers_where_it_is_not_listed(made, edited, agrees):
    folder, model = made("gemma3", num_hidden_layers=7, layer_types=None)
    edited(folder, layer_types=None)
    agrees(folder, model)
    windows = [op.attrs["window"] for op in read_graph(folder).ops if isinstance(op, HostOp) and op.op == "attention"]
    assert windows == [8, 8, 8, 8, 8, None, 8]


def test_old_names_of_the_frequencies_of_gemma3(made, edited, agrees):
    folder, model = made("gemma3", rope_parameters=LINEAR)
    old = {"rope_type": "linear", "factor": 8.0}
    edited(folder, rope_parameters=None, rope_theta=1e6, rope_local_base_freq=1e4, rope_scaling=old)
    agrees(folder, model)


def test_graph_of_gemma3(made):
    folder, _ = made("gemma3")
    graph = read_graph(folder)
    ops = {op.path: op for op in graph.ops}
    assert ops["embed_tokens"].attrs["scale"] == 8.0
    assert ops["layers.1.self_attn.attention"].attrs["scale"] == 24**-0.5
    assert ops["layers.0.self_attn.attention"].attrs["window"] == 8
    assert ops["layers.1.self_attn.attention"].attrs["window"] is None
    assert ops["layers.0.self_attn.q_rope"].attrs["inv_freq"] != ops["layers.1.self_attn.q_rope"].attrs["inv_freq"]
    assert ops["layers.0.self_attn.q_rope"].inputs == ("layers.0.self_attn.q_norm",)
    assert graph.info.tied_embeddings


def test_settings_that_transformers_would_fill_in(made, edited, agrees):
    """A file may leave out the lists and say how often a layer has no RoPE or has experts."""
    folder, model = made("llama4")
    edited(folder, no_rope_layers=[], layer_types=None, moe_layers=None)
    agrees(folder, model)


def test_paths(made):
    folder, _ = made("llama4")
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


def test_an_expert_without_tokens_reads_no_weights(made, run):
    folder, _ = made("llama4")
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


VISION = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 8}
#: family -> settings of its vision tower, and of the whole
MULTIMODAL = {
    "Gemma3": ({"intermediate_size": 16}, {
        "mm_tokens_per_image": 4, "image_token_index": 96, "boi_token_index": 95, "eoi_token_index": 94,
    }),
    "Llama4": ({
        "intermediate_size": 64, "vision_output_dim": 16, "projector_input_dim": 16, "projector_output_dim": 16
    }, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", MULTIMODAL)
def test_inside_a_multimodal_model(name, tmp_path, agrees):
    """The text model of a ...ForConditionalGeneration: vision tensors are left alone."""
    vision, own = MULTIMODAL[name]
    text = settings_of(name.lower()).to_dict()
    whole = getattr(transformers, f"{name}Config")(text_config=text, vision_config={**VISION, **vision}, **own)
    whole._attn_implementation = "eager"
    model = getattr(transformers, f"{name}ForConditionalGeneration")(whole).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(tmp_path)
    agrees(tmp_path, model)
    assert read_graph(tmp_path).info.family == name.lower()
