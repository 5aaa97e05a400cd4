"""Settings beside those that a family reads: neutral ones leave transformers' logits as they are, the others are refused.

What a setting does is asked of transformers, which reads the same edited folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends import HUGGINGFACE, OpenedStore
from neurodeploy.frontends.families import changing, neutral, read_graph
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.families.reading import from_huggingface
from tests.frontends.arrays import Arrays
from tests.frontends.families.conftest import eager
from tests.refusals import refused

transformers = pytest.importorskip("transformers")

#: What a folder may say beside the settings of its family: the kinds of settings, not the fields of one model.
NEUTRAL: dict[str, dict[str, Any]] = {
    "how it was run": {"pretraining_tp": 2, "_flash_attn_2_enabled": True, "use_flash_attention": True,
                       "use_bfloat16": False, "torchscript": True, "attn_impl_kernel": "triton", "seed": 42,
                       "my_trainer_version": "3.1"},
    "lengths and tokens": {"max_sequence_length": 2048, "model_max_length": 4096, "tokenizer_class": "LlamaTokenizer",
                           "sep_token_id": 5, "pad_to": 64, "n_ctx": 4096},
    "generation": {"max_length": 20, "temperature": 0.7, "top_k": 50, "length_penalty": 1.3, "num_beams": 4,
                   "repetition_penalty": 1.1, "do_sample": True, "early_stopping": True, "suppress_tokens": [3]},
    "training": {"hidden_dropout": 0.1, "resid_pdrop": 0.1, "init_std": 0.02, "aux_loss_coef": 0.01, "layerdrop": 0.5,
                 "norm_init": 3.0, "use_mtp": True},
    "what is off": {"attn_logit_softcapping": None, "final_logit_softcapping": None, "alibi": False, "num_experts": 0,
                    "quantization_config": None, "kv_lora_rank": None, "use_parallel_residual": False, "unknown_norm": 0,
                    "no_rope_layers": []},
    "factors of 1": {"residual_multiplier": 1.0, "embedding_multiplier": 1, "logits_scaling": 1.0, "unknown_scale": 1.0,
                     "partial_rotary_factor": 1.0, "mlp_multipliers": [1.0, 1.0]},
    "bounds that nothing reaches": {"final_logit_softcapping": float("inf"), "sliding_window": 128, "clip_qkv": 0},
    "a window that is switched off": {"sliding_window": 8, "use_sliding_window": False, "max_window_layers": 1},
    "the same under another name": {"d_model": 64, "n_layer": 2, "n_head": 4, "layer_norm_eps": 1e-6, "rotary_dim": 16,
                                    "attention_head_size": 16, "hidden_activation": "silu", "activation": "swiglu",
                                    "attention_multiplier": 0.25, "query_pre_attn_scalar": 16},
    "experts of a model that has none": {"norm_topk_prob": True, "routed_scaling_factor": 2.5, "num_experts_per_tok": 2},
    "layers that are alike": {"layer_types": ["full_attention", "full_attention"], "mlp_layer_types": ["dense", "dense"],
                              "no_rope_layers": [1, 1]},
}  # fmt: skip


@pytest.mark.parametrize("kind", NEUTRAL)
def test_neutral_settings(kind, llama, edited, agrees):
    folder, model = llama
    ids = torch.arange(40)[None]
    with torch.no_grad():
        before = model(ids).logits
        edited(folder, **NEUTRAL[kind])
        again = eager(folder)
        assert torch.equal(again(ids).logits, before)  # they are neutral for transformers as well
    agrees(folder, again)


CHANGING = {
    "residual_multiplier": 0.22, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 0.5, "sliding_window": 127,
    "quantization_config": {"bits": 4}, "num_local_experts": 8, "layer_types": ["full_attention", "sliding_attention"],
    "no_rope_layers": [1, 0], "use_parallel_residual": True, "attention_multiplier": 1.0, "partial_rotary_factor": 0.5,
    "qk_layernorm": True, "scale_attn_weights": False, "v_head_dim": 8, "d_model": 32, "hidden_activation": "gelu",
    "norm_type": "layer_norm", "position_embedding_type": "alibi", "original_max_position_embeddings": 8,
    "rope_local_base_freq": 5.0, "unheard_of_softcap": 3.0, "attention_sinks": 4, "logit_multipliers": [1.0, 0.5],
    "mlp_multipliers": [1.0, 0.5], "num_experts": 1, "swiglu_limit": 7.0,
}  # fmt: skip


#: family -> settings that are refused by their names
REFUSED: dict[str, list[tuple[str, Any]]] = {
    "llama": [
        ("hidden_act", "relu"),
        ("hidden_act", "gelu"),
        ("hidden_act", 3),
        ("quantization_config", {"quant_method": "gptq"}),
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
    "gemma3": [
        ("attn_logit_softcapping", 50.0),
        ("final_logit_softcapping", 30.0),
        ("use_bidirectional_attention", True),
        ("hidden_activation", "gelu"),
        ("layer_types", ["sliding_attention", "chunked_attention"]),
        ("layer_types", ["sliding_attention"]),
        ("sliding_window", 0),
        ("rope_parameters", {"rope_type": "default", "rope_theta": 1e4}),
    ],
    "llama4": [
        ("num_experts_per_tok", 5),
        ("no_rope_layers", [1]),
        ("no_rope_layers", "all"),
        ("attention_chunk_size", 0),
        ("moe_layers", [0.5]),
        ("num_local_experts", 10**6),
    ],
    "qwen2": [("layer_types", ["sliding_attention", "full_attention"]), ("hidden_act", "relu")],
    "mistral": [("sliding_window", -1)],
    "smollm3": [("no_rope_layers", [1]), ("layer_types", ["sliding_attention"] * 5)],
    "gpt2": [
        ("activation_function", "gelu"),
        ("add_cross_attention", True),
        ("n_head", 5),
        ("num_hidden_layers", 3),
    ],
}
#: What a table of frequencies of Llama may not say, and what is named.
FREQUENCIES: list[tuple[dict[str, Any], str]] = [
    ({"rope_type": "proportional", "factor": 4.0, "rope_theta": 1e4}, "rope_type"),
    ({"rope_type": "yarn", "rope_theta": 1e4}, "factor"),
    ({"rope_type": "yarn", "rope_theta": 1.0, "factor": 4.0}, "rope_theta"),
    ({"rope_type": "longrope", "short_factor": [1.0] * 7, "long_factor": [1.0] * 8}, "short_factor"),
    ({"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [1.0] * 7 + [0.0]}, "long_factor"),
    ({"rope_type": ["default"]}, "rope_type"),
    ({"rope_type": "default", "partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    ({"rope_type": "linear", "rope_theta": 1e4}, "factor"),
    ({"rope_type": "linear", "factor": -1.0}, "factor"),
    ({"rope_type": "linear", "factor": 1e-320, "rope_theta": 1e4}, "factor"),
    ({"rope_type": "default", "attention_factor": 0.7}, "attention_factor"),
]
BY_NAME = [
    *((family, {name: value}, name) for family, rows in REFUSED.items() for name, value in rows),
    *(("llama", {"rope_parameters": table}, name) for table, name in FREQUENCIES),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 0}, "sliding_window"),
    ("qwen3", {"rope_scaling": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
    ("phi3", {"partial_rotary_factor": 1.5, "rope_parameters": {}}, "partial_rotary_factor"),
    ("phi3", {"rope_scaling": {"type": "su", "short_factor": [1.0], "long_factor": [1.0]}}, "short_factor"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "settings", "field"), BY_NAME, ids=str)
def test_refused_by_name(family, settings, field, made, edited):
    plain = {"num_hidden_layers": 2, "layer_types": None, "head_dim": 16} if family == "gemma3" else {}
    error = refused(ModelError, "ND1012", read_graph, edited(made(family, **plain)[0], **settings))
    assert field in error.problem and "config.json" in error.subject


def test_a_setting_that_is_off_changes_nothing(llama, edited):
    edited(llama[0], residual_multiplier=None, use_sliding_window=False, extra_layers=[])
    assert read_graph(llama[0]).info.layers == 2


@pytest.mark.parametrize("kind", ["falcon", None, 7])
def test_other_architectures(llama, edited, kind):
    """`architectures` stands in for a missing `model_type`."""
    assert read_graph(edited(llama[0], model_type=None)).info.family == "llama"
    folder = edited(llama[0], model_type=kind, architectures=["FalconForCausalLM"])
    error = refused(ModelError, "ND1011", read_graph, folder)
    assert all(name in error.problem for name in ("llama", "qwen2", "qwen3", "mistral", "phi3", "smollm3", "gpt2"))


def test_all_that_change_are_named_at_once(llama, edited):
    scaled = {"rope_type": "llama3", "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64, "attention_factor": 0.5}  # fmt: skip
    folder = edited(llama[0], **CHANGING, rope_parameters=scaled)
    error = refused(ModelError, "ND1012", read_graph, folder)
    assert error.problem.startswith(f"{len(CHANGING) + 1} settings: ")
    assert all(f"{name} = " in error.problem for name in [*CHANGING, "rotary attention_factor"])


@pytest.mark.parametrize("name", CHANGING)
def test_each_that_changes_is_refused(name):
    """The rules alone, as a page reads a Llama: no model is made for each."""
    fields = Fields(
        {"original": 1, name: CHANGING[name], "rope_parameters": {"rope_type": "llama3"}}, "config.json", LLAMA
    )
    for read in [*LLAMA, "rope_parameters"]:
        fields.get(read)
    (found,) = fields.unsupported()
    assert found.startswith(f"{name} = ")


def test_what_no_list_knows_is_reported(llama, edited):
    """It is taken to change nothing, and whoever converts is told so; a setting that a list has is no news."""
    unknown = {f"remark_{index}": index for index in range(1, 12)}
    (note,) = read_graph(edited(llama[0], trick="x", seed=3, max_length=5, empty=[], **unknown)).notes
    assert "remark_1, remark_10, remark_11, remark_2, " in note
    assert note.endswith(" and 4 more")
    assert "seed" not in note
    assert read_graph(edited(llama[0], trick=None, **dict.fromkeys(unknown))).notes == ()


LLAMA = {
    "hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "num_hidden_layers": 2, "intermediate_size": 96,
    "max_position_embeddings": 128, "rms_norm_eps": 1e-6, "hidden_act": "silu", "rope_theta": 10000.0,
}  # fmt: skip


def test_a_family_with_experts_has_its_expert_settings_judged(made, edited):
    folder, _ = made("llama4")
    assert read_graph(edited(folder, routed_scaling_factor=1.0, num_experts=4, norm_topk_prob=False)).info.layers == 4
    says = r"ND1012 .*2 settings: norm_topk_prob = True .*routed_scaling_factor = 2.5"
    refused(ModelError, says, read_graph, edited(folder, routed_scaling_factor=2.5, norm_topk_prob=True))


#: Settings of published files, with what their tools left in them: none of it may be in the way.
SEVEN_B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 32000, "hidden_size": 4096,
    "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
    "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
    "torch_dtype": "float16", "transformers_version": "4.31.0", "use_cache": True, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
PUBLISHED: dict[str, dict[str, Any]] = {
    "Llama 2 13B": {**SEVEN_B, "pretraining_tp": 2, "rope_scaling": None, "_name_or_path": "x"},
    "Vicuna": {**SEVEN_B, "max_sequence_length": 2048, "do_sample": True, "temperature": 0.9, "top_p": 0.6},
    "Falcon 3": {**SEVEN_B, "activation": "swiglu", "head_dim": 256, "attention_bias": False, "mlp_bias": False},
    "SmolLM2": {**SEVEN_B, "is_llama_config": True, "rope_interleaved": False, "pretraining_tp": 1,
                "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}},
    "DeepSeek Coder": {**SEVEN_B, "rope_scaling": {"factor": 4.0, "type": "linear"}},
    "Gemma 3 4B": {
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": 255999,
        "eoi_token_index": 256000, "eos_token_id": [1, 106], "image_token_index": 262144, "mm_tokens_per_image": 256,
        "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "sliding_window": 1024,
                        "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}},
        "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model", "vision_use_head": False},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings_are_read(name):
    """Up to the tensors, which an empty folder does not have."""
    opened = OpenedStore(Arrays({}), PUBLISHED[name], HUGGINGFACE)
    refused(ModelError, r"ND1006 .*embed_tokens.weight", from_huggingface, Path(name), opened)


GENERATION = {
    "add_cross_attention": False, "diversity_penalty": 0.0, "do_sample": False, "early_stopping": False,
    "length_penalty": 1.0, "max_length": 20, "min_length": 0, "num_beams": 1, "num_return_sequences": 1,
    "repetition_penalty": 1.0, "temperature": 1.0, "top_k": 50, "top_p": 1.0, "typical_p": 1.0, "torchscript": False,
}  # fmt: skip


def test_the_text_model_of_a_larger_one(made, edited, agrees):
    """Its settings as transformers 4 wrote them: with all of generation's; and settings of other towers around them."""
    folder, model = made("gemma3", head_dim=16, query_pre_attn_scalar=16)
    text = {**json.loads((folder / "config.json").read_text()), **GENERATION}
    around = {
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": text, "hidden_size": 64,
        "vision_config": {"hidden_size": 16}, "mm_tokens_per_image": 4, "projector_hidden_act": "gelu", "top_p": 0.9,
        "caption": "a cat",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(around))
    agrees(folder, model)
    assert [note.rsplit(": ", 1)[1] for note in read_graph(folder).notes] == ["caption"]
    capped = {**text, "final_logit_softcapping": 30.0}
    edited(folder, text_config=capped, quantization_config={"bits": 4}, hidden_size=65)
    error = refused(ModelError, r"ND1012 .*\(neutral: off\) beside text_config", read_graph, folder)
    assert error.problem.startswith("3 settings: ")


def test_dynamic_scaling_is_none_within_the_positions(llama, edited, agrees):
    folder = edited(llama[0], rope_parameters={"rope_type": "dynamic", "factor": 4.0, "rope_theta": 1e4})
    agrees(folder, eager(folder))


@pytest.fixture
def nothing_is_made(monkeypatch):
    """No operation and no array of a hostile size: what is made of a size comes after it was compared with the file."""
    from neurodeploy.frontends.families import reading, rope

    def forbidden(*arguments: Any, **named: Any) -> Any:
        raise AssertionError("made before its size was checked")

    monkeypatch.setattr(reading, "build", forbidden)
    arange = np.arange
    monkeypatch.setattr(rope.np, "arange", lambda start, stop, *more, **named: (
        forbidden() if stop > 1 << 16 else arange(start, stop, *more, **named)))  # fmt: skip


@pytest.mark.parametrize(
    "settings", [{"num_hidden_layers": 4096}, {"head_dim": 1 << 33}, {"head_dim": 1 << 17}, {"hidden_size": 1 << 39}]
)
def test_sizes_beyond_the_file(settings, llama, edited, nothing_is_made):
    with pytest.raises(ModelError) as caught:
        read_graph(edited(llama[0], **settings, **({"head_dim": None} if "hidden_size" in settings else {})))
    assert caught.value.code in ("ND1006", "ND1012")


def test_experts_beyond_the_file(made, edited, nothing_is_made):
    folder, _ = made("llama4")
    many = {"num_hidden_layers": 4000, "num_local_experts": 4000, "no_rope_layers": None, "layer_types": None}
    refused(ModelError, r"ND1006 .*layers and experts", read_graph, edited(folder, **many, moe_layers=None))


# ------------------------------------------------------------------------------------------------ the lists themselves
@pytest.mark.skipif(not transformers.__version__.startswith("5.23."), reason="the lists are those of transformers 5.23")
def test_every_field_of_transformers_is_listed_once():
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as MODELS

    classes = [CONFIG_MAPPING[kind] for kind in MODELS]
    own = {
        "attribute_map",
        "base_config_key",
        "extra_config_files",
        "extra_files",
        "sub_configs_defaults",
        "_auto_class",
    }
    fields = {name for each in classes for name in {*each.__dataclass_fields__, *each.attribute_map}} - own
    fields = {name for name in fields if not name.startswith("base_model_")}
    fields |= transformers.GenerationConfig().to_dict().keys() | transformers.LlamaConfig().to_dict().keys()
    assert len(fields) > 650
    listed, unlisted = set(changing.CONFIG_RULES), changing.NEUTRAL
    assert not listed & unlisted
    assert fields - listed - unlisted == set()


def test_every_key_of_gguf_is_listed_once():
    keys = pytest.importorskip("gguf.constants").Keys
    groups = [group for group in vars(keys).values() if isinstance(group, type)]
    names = {name for group in groups for name in vars(group).values() if isinstance(name, str)}
    found = {name.removeprefix("{arch}.") for name in names if name.startswith("{arch}.") and "{dense}" not in name}
    assert len(found) > 100
    assert found - set(changing.GGUF.rules) - changing.GGUF.neutral == set()


def test_groups_of_one_size_share_no_name():
    names = [name for group in neutral.SAME for name in group]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("final_softcap", True), ("my_RopeScale", True), ("use_weird_attention", True), ("head_gate", True),
        ("rms_norm_offset", True), ("quantized_with", True), ("qk_norm_fused", False), ("use_flash_attn_3", False),
        ("attention_dropout_p", False), ("router_z_loss", False), ("neftune_noise_alpha", False), ("comment", False),
        ("image_token_ids", False), ("kv_cache_dtype", False), ("norm_init_std", False), ("released", False),
    ],
)  # fmt: skip
def test_unknown_names_are_judged_by_their_words(name, expected):
    assert changing.matters(name) is expected
    found = Fields({name: "something"}, "config.json").unsupported()
    assert [text.split()[0] for text in found] == [name] * expected


def test_arrays_do_not_break_the_comparison():
    """numpy arrays have no truth value: a list is made of them before they are judged."""
    from neurodeploy.frontends.families.common import gguf_settings

    arrays = {"x.a": np.array([2, 2]), "x.b": np.array([True, False]), "x.c": np.array([3.0])}
    metadata = {"x.block_count": 2, **arrays, "y.d": 1}
    assert gguf_settings(metadata, "x") == {"block_count": 2, "a": 2, "b": [True, False], "c": [3.0]}
