"""Every family against transformers, from folders and from GGUF files, and what is special in the graph of one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import Projection
from tests import gguf_files
from tests.frontends.families.conftest import settings_of, windows

transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")

WINDOW = {"use_sliding_window": True, "sliding_window": 7}
STRETCH = {"factor": 4.0, "original_max_position_embeddings": 32}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, **STRETCH}
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
        "llama3 frequencies": {"rope_parameters": {**LLAMA3, "rope_theta": 5e5, "factor": 16.0, "high_freq_factor": 1.0}},
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
    info = read_graph(folder).info
    assert (info.family, info.tied_embeddings) == (family, model.config.tie_word_embeddings)


#: Gemma 3's files say less: `test_files` has their own tests. llama.cpp's of Llama 4 are not read.
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


#: family -> changes of a model, and the same as files from before transformers 5 say it: rope_theta beside rope_scaling,
#: no layer_types; GPT-2 with the common names.
OLD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "llama": ({"rope_parameters": LLAMA3}, {"rope_scaling": {key: LLAMA3[key] for key in LLAMA3 if key != "rope_theta"}}),
    "gemma3": (
        {"rope_parameters": LINEAR},
        {"rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    ),
    "qwen2": (FAMILIES["qwen2"]["yarn"], {"rope_scaling": {**STRETCH, "type": "yarn"}, "layer_types": None}),
    "qwen3": (
        FAMILIES["qwen3"]["yarn"],
        {"rope_scaling": {**STRETCH, "type": "yarn", "beta_fast": 8.0, "beta_slow": 2.0}, "layer_types": None},
    ),
    "mistral": (
        FAMILIES["mistral"]["linear"], {"rope_scaling": {"type": "linear", "factor": 2.0}, "layer_types": None},
    ),
    # The length stands beside the table.
    "phi3": (
        {"rope_parameters": LONGROPE},
        {"rope_scaling": {"type": "su", **{key: LONGROPE[key] for key in LONGROPE if "factor" in key}}, "layer_types": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", OLD)
def test_old_names_of_settings(family, made, edited, agrees):
    changes, old = OLD[family]
    folder, model = made(family, **changes)
    agrees(edited(folder, rope_parameters=None, **{"rope_theta": 1e4, **old}), model)
    with pytest.raises(AssertionError):
        agrees(edited(folder, rope_scaling=None), model)


def test_common_names_in_gpt2(made, edited, agrees):
    folder, model = made("gpt2")
    agrees(edited(folder, n_layer=None, num_hidden_layers=2, n_embd=None, hidden_size=64, n_ctx=64), model)


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
    assert windows(folder) == [None] * 2
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({key: config[key] for key in config if key != "sliding_window"}))
    assert windows(folder) == [4096] * 2 == [transformers.MistralConfig().sliding_window] * 2


def test_longrope_bounds_the_positions(made):
    """64 positions of 128: beyond them transformers would turn all keys by another table."""
    bounded, whole = (
        read_graph(made("phi3", **FAMILIES["phi3"][case])[0]) for case in ("longrope", "all heads have keys")
    )
    assert (bounded.info.max_positions, whole.info.max_positions) == (64, 128)
    assert "up to 64 tokens here, not 128" in bounded.notes[0]
    assert whole.notes == ()


def test_fused_matrices_are_read_in_slices(made):
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


@pytest.mark.parametrize("family", ["llama", "gemma3", "llama4"])
def test_bfloat16_file(family, made, agrees):
    agrees(*made(family, torch.bfloat16))


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


@pytest.mark.parametrize("source", ["folder", "gguf"])
def test_the_pattern_of_layers_where_it_is_not_listed(source, made, edited, agrees, tmp_path):
    own = {"num_hidden_layers": 7, "layer_types": None, "query_pre_attn_scalar": 32, "rope_parameters": LINEAR}
    folder, model = made("gemma3", **own)
    path = gguf_files.save(tmp_path / "model.gguf", model) if source == "gguf" else edited(folder, layer_types=None)
    agrees(path, model)
    assert windows(path) == [8, 8, 8, 8, 8, None, 8]


def test_settings_that_transformers_would_fill_in(made, edited, agrees):
    """A file may leave out the lists and say how often a layer has no RoPE or has experts."""
    folder, model = made("llama4")
    edited(folder, no_rope_layers=[], layer_types=None, moe_layers=None)
    agrees(folder, model)


def test_graph_of_llama4(made):
    folder, _ = made("llama4")
    graph = read_graph(folder)
    found = {op.path: op for op in graph.projections() if op.layer == 1}
    assert {path for path in found if "feed_forward" in path} == {
        f"layers.1.feed_forward.{part}" for part in (
            "router", *(f"{who}.{part}" for who in (*(f"experts.{k}" for k in range(4)), "shared_expert")
                        for part in ("gate_proj", "up_proj", "down_proj")),
        )
    }  # fmt: skip
    router, expert = found["layers.1.feed_forward.router"], found["layers.1.feed_forward.experts.2.down_proj"]
    assert (router.role, router.expert) == ("router", None)
    assert (expert.role, expert.expert, expert.in_features, expert.out_features) == ("down", 2, 48, 64)
    ends = {3: "q_temperature attention o_proj", 0: "q_rope q_l2norm k_rope k_l2norm attention o_proj"}
    for layer, end in ends.items():
        start = f"layers.{layer}.self_attn."
        ops = [op.path.removeprefix(start) for op in graph.ops if op.path.startswith(start)]
        assert ops == ["q_proj", "k_proj", "v_proj", *end.split()]


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
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2)
    model.save_pretrained(tmp_path)
    agrees(tmp_path, model)
    assert read_graph(tmp_path).info.family == name.lower()
