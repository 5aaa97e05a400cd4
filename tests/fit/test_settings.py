"""Settings under other names, in lists, in unknown families: counted, or refused by name, all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import neurodeploy as nd
from neurodeploy.errors import ModelError
from neurodeploy.synapses.hollow import facts_of, weights_of
from partitioner.fit.plan import plan
from targets.systems import get_system
from tests.fit.configs import CONFIGS, LLAMA, config, hollow_of, total
from tests.fit.test_counts import truth
from tests.refusals import refused

NEW = {**LLAMA, "model_type": "brand_new"}


@pytest.mark.parametrize(
    "kind", ["gpt2", "gptj", "gpt_bigcode", "bloom", "gpt_neo", "falcon", "mixtral", "olmoe", "deepseek_v3"]
)
def test_transformers_own_aliases(kind: str) -> None:
    """Every name of transformers' attribute_map instead of the family's own: the same model."""
    import transformers

    names = {own: alias for alias, own in transformers.AutoConfig.for_model(kind).attribute_map.items()}
    renamed = {names.get(key, key): value for key, value in CONFIGS[kind].items()}
    assert total({"model_type": kind, **renamed}) == truth(kind, CONFIGS[kind])[1]


def test_a_gpt2_of_four_layers_by_other_names() -> None:
    """55.0 M parameters by hand: tables, four layers of attention, feed-forward part of 1000, norms and biases."""
    given = {
        "model_type": "gpt2",
        "hidden_size": 768,
        "num_attention_heads": 12,
        "num_hidden_layers": 4,
        "n_inner": 1000,
    }
    layer = 768 * 2304 + 2304 + 768 * 768 + 768 + 768 * 1000 + 1000 + 1000 * 768 + 768 + 4 * 768
    assert total({**given, "vocab_size": 50257}) == 50257 * 768 + 1024 * 768 + 4 * layer + 2 * 768 == 54_998_176


def test_two_names_that_disagree() -> None:
    says = "ND1012 .*n_embd = 64 and hidden_size = 768 are the same setting"
    refused(ModelError, says, total, {**config("gpt2"), "hidden_size": 768})
    assert total({**config("gpt2"), "hidden_size": 64}) == total(config("gpt2"))


def test_lists_of_layers() -> None:
    """Equal values are one; widths and heads that differ are read; a size that has to be one is refused by name."""
    plain = total(config("llama"))
    assert total(config("llama") | {"intermediate_size": [96] * 3, "num_key_value_heads": [2, 2, 2]}) == plain
    assert total(config("qwen2") | {"intermediate_size": [96, 96, 128]}) == total(config("qwen2")) + 3 * 32 * 64
    assert total(config("qwen2") | {"num_key_value_heads": [2, 1, 2]}) == total(config("qwen2")) - 2 * (16 * 64 + 16)
    for wrong in ({"hidden_size": [64, 32, 64]}, {"intermediate_size": [96, 128]}):
        refused(ModelError, f"ND1012 .*{next(iter(wrong))}", total, config("qwen2") | wrong)


def test_per_layer_widths_as_transformers_has_them() -> None:
    saved, count = truth("gemma3n_text", CONFIGS["gemma3n_text"])
    assert saved["intermediate_size"] == [96, 96, 128, 128]
    assert total(saved) == total({"model_type": "gemma3n", "text_config": saved}) == count


def test_heads_and_widths_of_every_layer() -> None:
    """OpenELM 270M: the 271 527 168 parameters that its authors publish; a list of another length is refused by name."""
    given = {
        "model_type": "openelm", "model_dim": 1280, "num_transformer_layers": 16, "head_dim": 64, "vocab_size": 32000,
        "num_query_heads": [12] * 5 + [16] * 7 + [20] * 4, "num_kv_heads": [3] * 5 + [4] * 7 + [5] * 4,
        "ffn_multipliers": [0.5, 0.73, 0.97, 1.2, 1.43, 1.67, 1.9, 2.13, 2.37, 2.6, 2.83, 3.07, 3.3, 3.53, 3.77, 4.0],
        "ffn_dim_divisor": 256, "ffn_with_glu": True, "normalize_qk_projections": True, "num_gqa_groups": 4,
        "share_input_output_layers": True, "qkv_multipliers": [0.5, 1.0], "max_context_length": 2048,
    }  # fmt: skip
    assert total(given) == 271_527_168
    for name, wrong in (("num_query_heads", [12, 16]), ("ffn_multipliers", [1.0] * 15), ("ffn_multipliers", "wide")):
        refused(ModelError, f"ND1012 .*{name}", total, {**given, name: wrong})


EXPERTS = {"n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "n_shared_experts": 1}


def test_an_unknown_family_with_experts_is_counted() -> None:
    """By other names, as DeepSeek's: shared experts, dense layers first, latent attention."""
    dense, experts = 3 * 96 * 64, 8 * 64 + 9 * 3 * 32 * 64
    for fields, layers in ((EXPERTS, 3), ({**EXPERTS, "first_k_dense_replace": 2}, 1)):
        assert total({**NEW, **fields}, generic=True) == total(NEW, generic=True) + layers * (experts - dense)
    latent = {**CONFIGS["deepseek_v2"], "model_type": "brand_new"}
    assert total(latent, generic=True) == truth("deepseek_v2", CONFIGS["deepseek_v2"])[1]


@pytest.mark.parametrize(
    "field",
    [
        {"num_experts_of_mine": 8}, {"moe": {"experts": 4}}, {"ffn_multipliers": [0.5, 1.0, 2.0]}, {"laurel_rank": 64},
        {"ssm_state_size": 16}, {"attn_layer_period": 8}, {"hidden_size_per_layer_input": 256},
    ],
)  # fmt: skip
def test_a_size_that_is_not_read_is_refused_by_name(field: dict[str, Any]) -> None:
    """Of an unknown family and of a known one, which may be a descendant with code of its own."""
    for kind in ("brand_new", "qwen2"):
        settings = {**LLAMA, "model_type": kind, **field}
        refused(ModelError, f"ND1013 .*{next(iter(field))}", total, settings, generic=True)


@pytest.mark.parametrize("field", [{"use_qk_norm": True}, {"num_streams": 2}, {"cross_bias": True}])
def test_an_unknown_family_is_trusted_with_less(field: dict[str, Any]) -> None:
    """A flag may add weights in a family that nobody knows; where the family is known transformers has no such flag."""
    refused(ModelError, f"ND1013 .*{next(iter(field))}", total, {**NEW, **field}, generic=True)
    assert total({**LLAMA, "model_type": "qwen2", **field}) == total(config("qwen2"))


#: What files of the hub set beside sizes, by family.
BESIDE: dict[str, dict[str, Any]] = {
    "llama": {
        "is_llama_config": True, "pretraining_tp": 1, "rope_interleaved": False, "rope_scaling": {"factor": 32.0},
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}, "eos_token_id": [1, 2],
        "torch_dtype": "bfloat16", "languages": ["de", "en"],
    },
    "qwen2": {"max_window_layers": 24, "sliding_window": 32768, "use_sliding_window": False, "use_mrope": False},
    "deepseek_v3": {
        "auto_map": {"AutoConfig": "configuration.Config"}, "aux_loss_alpha": 0.001, "ep_size": 1, "moe_layer_freq": 1,
        "norm_topk_prob": True, "quantization_config": {"weight_block_size": [128, 128]}, "scoring_func": "sigmoid",
        "num_nextn_predict_layers": 1, "routed_scaling_factor": 2.5, "seq_aux": True, "topk_method": "noaux_tc",
    },
    "gpt_oss": {
        "experts_per_token": 4, "initial_context_length": 4096, "router_aux_loss_coef": 0.9, "swiglu_limit": 7.0,
        "quantization_config": {"modules_to_not_convert": ["lm_head"]},
    },
    "phi3": {"full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": False, "original_max_position_embeddings": 4096},
    "phi": {"embd_pdrop": 0.1, "resid_pdrop": 0.1, "qk_layernorm": False, "partial_rotary_factor": 0.4},
    "gemma2": {"cache_implementation": "hybrid", "query_pre_attn_scalar": 256, "final_logit_softcapping": 30.0},
    "mamba": {
        "d_inner": 128, "d_model": 64, "n_layer": 3, "fused_add_norm": True, "rms_norm": True, "ssm_cfg": {},
        "pad_vocab_size_multiple": 8, "residual_in_fp32": True, "time_step_floor": 1e-4, "time_step_scale": 1.0,
    },
    "granitemoe": {"attention_multiplier": 0.0156, "embedding_multiplier": 12.0, "logits_scaling": 6.0},
    "gpt2": {"n_ctx": 128, "task_specific_params": {"text-generation": {"max_length": 50}}, "attn_pdrop": 0.1},
    "bloom": {"offset_alibi": 100, "skip_bias_add": True, "bias_dropout_fusion": True, "seq_length": 2048, "n_inner": None},
    "gptj": {"rotary": True, "rotary_dim": 64, "summary_type": "cls_index", "tokenizer_class": "GPT2Tokenizer"},
    "falcon": {"alibi": False, "apply_residual_connection_post_layernorm": False, "parallel_attn": True},
    "opt": {"_remove_final_layer_norm": False, "init_std": 0.02, "layerdrop": 0.1, "prefix": "</s>"},
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(BESIDE))
def test_what_files_of_the_hub_have_beside_sizes(kind: str) -> None:
    assert total({**config(kind), **BESIDE[kind]}) == total(config(kind))


def test_all_at_once_and_what_is_neutral() -> None:
    sizes = {"num_streams": 2, "expert_groups": 4, "mamba_rank": 8, "mood": "good"}
    says = "ND1013 .*expert_groups = 4, mamba_rank = 8, num_streams = 2"
    refused(ModelError, says, total, {**NEW, **sizes}, generic=True)
    found = hollow_of({**NEW, "mood": "good", "temper": 0.5, "num_labels": 2}, generic=True)
    assert "not read, taken to change no shape: mood, temper" in facts_of(found).notes
    assert weights_of(found).total == total(NEW, generic=True)
    neutral = {"num_experts_of_mine": 0, "moe": {}, "ffn_multipliers": None}
    assert total({**config("llama"), **neutral}) == total(config("llama"))


def test_what_was_read_past_its_experts() -> None:
    """gpt-oss-20b and DeepSeek-V2-Lite: 20.9 G and 16.2 G, --generic or not, and more chips than Hala Point has."""
    gpt_oss = {
        "model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 24,
        "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "num_local_experts": 32,
        "num_experts_per_tok": 4, "vocab_size": 201088, "sliding_window": 128,
    }  # fmt: skip
    deepseek = {
        "model_type": "deepseek_v2", "hidden_size": 2048, "intermediate_size": 10944, "moe_intermediate_size": 1408,
        "num_hidden_layers": 27, "num_attention_heads": 16, "num_key_value_heads": 16, "n_routed_experts": 64,
        "n_shared_experts": 2, "num_experts_per_tok": 6, "kv_lora_rank": 512, "q_lora_rank": None,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 102400,
    }  # fmt: skip
    for generic in (False, True):
        assert total(gpt_oss, generic) == 20_914_757_184
        assert total(deepseek, generic) == 16_210_324_992
    assert truth("deepseek_v2", {k: v for k, v in deepseek.items() if k != "model_type"})[1] == 16_210_324_992
    found = plan(hollow_of(gpt_oss), get_system("hala-point"), 8)
    assert (found.body.chips, found.whole.chips) == (1322, 1360)


ORIGINAL: dict[str, Any] = {
    "d_model": 64, "d_intermediate": 0, "n_layer": 3, "vocab_size": 250, "ssm_cfg": {"layer": "Mamba2"},
    "attn_layer_idx": [], "attn_cfg": {}, "rms_norm": True, "residual_in_fp32": True, "fused_add_norm": True,
    "pad_vocab_size_multiple": 16, "tie_embeddings": True,
}  # fmt: skip


def test_original_mamba_checkpoints(tmp_path: Path) -> None:
    """No model_type: ssm_cfg.layer names the layer; as transformers counts the converted model."""
    first = {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 256}
    second = {**first, "num_heads": 2, "n_groups": 1, "head_dim": 64, "tie_word_embeddings": True}
    assert total(ORIGINAL) == truth("mamba2", second)[1]
    assert total({**ORIGINAL, "ssm_cfg": {}}) == truth("mamba", first)[1]
    for name, wrong in (
        ("attn_layer_idx", [1]), ("d_intermediate", 96), ("ssm_cfg", {"layer": "Mamba9"}), ("ssm_cfg", {"lanes": 2})
    ):  # fmt: skip
        refused(ModelError, "ND1013", total, {**ORIGINAL, name: wrong})
    (tmp_path / "config.json").write_text(json.dumps(ORIGINAL))
    assert nd.fit(tmp_path, "kapoho-point", bits=(8,))["fits"]
