"""Values that change nothing: one `Rule` for each kind of setting. The names that each is for are in `changing`.

A rule is asked about a setting that no page of a family has read. It says whether the model computes the same without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Settings:
    """What the rules look at: settings that are set, and those that a page has read, with the values that it took."""

    given: Mapping[str, Any]
    read: Mapping[str, Any] = field(default_factory=dict)

    def first(self, names: tuple[str, ...]) -> Any:
        """The value of the first of these names that was read and is not off; None where there is none."""
        return next((self.read[name] for name in names if not off(self.read.get(name))), None)


@dataclass(frozen=True, slots=True)
class Rule:
    """`holds(value, settings)`: whether the value changes nothing; `need` says which values do not, for error texts."""

    need: str
    holds: Callable[[Any, Settings], bool]


#: Names of one size each in the families' configurations; the first that is read is the model's.
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "zero_expert_num", "expert_count")
WINDOWS = ("sliding_window", "sliding_window_size", "attention_window_size", "window_size", "attention.sliding_window")
POSITIONS = ("max_position_embeddings", "n_positions", "context_length")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads", "decoder_attention_heads",
         "attention.head_count")  # fmt: skip
HIDDEN = ("hidden_size", "n_embd", "d_model", "emb_dim", "embedding_dim", "embedding_size", "word_embed_proj_dim",
          "input_embedding_size", "output_embedding_size", "dim_model_base", "embedding_length",
          "embedding_length_out")  # fmt: skip
HEAD_DIM = (
    "head_dim", "attention_head_size", "attention_head_dim", "kv_channels", "d_head", "dim_head", "v_head_dim",
    "swa_head_dim", "rotary_dim", "query_pre_attn_scalar", "attention.key_length", "attention.value_length",
    "attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count", "rope.dimension_count_swa",
)  # fmt: skip
SAME: tuple[tuple[str, ...], ...] = (
    HIDDEN,
    ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks", "decoder_layers", "block_count"),
    HEADS,
    ("num_key_value_heads", "num_kv_heads", "n_kv_heads", "num_query_groups", "attention.head_count_kv"),
    HEAD_DIM,
    ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_inner", "dim_ff", "dff", "feed_forward_size",
     "decoder_ffn_dim", "feed_forward_length"),
    ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon", "eps",
     "attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"),
    ("hidden_act", "hidden_activation", "activation_function", "activation", "mlp_hidden_act", "ff_activation", "afn"),
    ("vocab_size", "n_token", "n_words", "decoder_vocab_size", "unpadded_vocab_size"),
    ("tie_word_embeddings", "tie_embeddings"),
    ("rope_theta", "rotary_emb_base", "rope_local_base_freq", "layer_rope_theta", "compress_rope_theta",
     "rope.freq_base", "rope.freq_base_swa"),
    EXPERTS,
)  # fmt: skip
#: Other names of an activation; a gate is what these layers have.
SYNONYMS = {"swish": "silu", "swiglu": "silu", "gelu_new": "gelu_pytorch_tanh"}
#: A name of a size -> all its names.
GROUP: Mapping[str, tuple[str, ...]] = {name: group for group in SAME for name in group}


def off(value: Any) -> bool:
    """Nothing is asked for: null, false, 0, "", "none", an empty list or object, a list of these."""
    if isinstance(value, list):
        return all(off(item) for item in value)
    return value in (None, False, 0, "", "none", {})


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _canonical(value: Any) -> tuple[bool, Any]:
    return number(value), SYNONYMS.get(value, value) if isinstance(value, str) else value


def _one(value: Any, settings: Settings) -> bool:
    if isinstance(value, list):
        return all(_one(item, settings) for item in value)
    return value is None or (number(value) and value == 1)


def _window(value: Any, settings: Settings) -> bool:
    longest = settings.first(POSITIONS)
    held = longest is not None and number(value) and value >= longest
    return off(value) or held or settings.given.get("use_sliding_window") is False


def _windowed(value: Any, settings: Settings) -> bool:
    """Where windows are: a period says nothing without a width; a list of layers says that there are windows."""
    return off(value) or (number(value) and settings.first(WINDOWS) is None)


def _use_window(value: Any, settings: Settings) -> bool:
    """Whether there are windows: where their width is set it is the width that is judged."""
    return off(value) or any(settings.given.get(name) is not None for name in WINDOWS)


def _expert(value: Any, settings: Settings) -> bool:
    return off(value) or settings.first(EXPERTS) is None


def head_dim(settings: Settings) -> float | None:
    """Neurons of a head, as the page has read them or as they follow from what it read."""
    size = settings.first(HEAD_DIM)
    hidden, heads = settings.first(HIDDEN), settings.first(HEADS)
    if size is None and type(hidden) is int and type(heads) is int:
        size = hidden // heads
    return float(size) if number(size) else None


def _score_scale(value: Any, settings: Settings) -> bool:
    size = head_dim(settings)
    return off(value) or (size is not None and number(value) and abs(value * size**0.5 - 1) < 1e-6)


def _unscaled(value: Any, settings: Settings) -> bool:
    """What only some kinds of rotary scaling read."""
    tables = [settings.given.get(name) for name in ("rope_scaling", "rope_parameters")]
    found = [table for table in tables if isinstance(table, dict)]
    kinds = {str(table.get("rope_type") or table.get("type") or "default") for table in found}
    kinds |= {str(settings.given.get("rope.scaling.type", "none"))}
    agreed = any(table.get("original_max_position_embeddings") == value for table in found)
    plain = settings.given.get("rope.scaling.factor") == 1 or kinds <= {"default", "linear", "dynamic", "none"}
    return off(value) or agreed or plain


def among(*kinds: Any) -> Rule:
    """One of some values, or a list of them."""

    def holds(value: Any, settings: Settings) -> bool:
        items = value if isinstance(value, list) else [value]
        return off(value) or all(any(type(item) is type(kind) and item == kind for kind in kinds) for item in items)

    return Rule("off or " + " or ".join(map(repr, kinds)), holds)


def same(name: str) -> Rule:
    """Another name of a size: off, or what the model has under a name that was read."""

    def holds(value: Any, settings: Settings) -> bool:
        known = [settings.read[other] for other in GROUP[name] if other in settings.read]
        if name in HEAD_DIM and (size := head_dim(settings)) is not None:
            known.append(size)
        return off(value) or any(_canonical(value) == _canonical(own) for own in known)

    return Rule("off, or the model's own", holds)


OFF = Rule("off", lambda value, settings: off(value))
ONE = Rule("1", _one)
CAP = Rule("off or infinity", lambda value, settings: off(value) or value == float("inf"))
TRUE = Rule("true", lambda value, settings: value is None or value is True)
WINDOW = Rule("off, or the model's positions or more", _window)
WINDOWED = Rule("off, or a number where there are no windows", _windowed)
USE_WINDOW = Rule("off", _use_window)
EXPERT = Rule("off where there are experts", _expert)
EXPERT_FACTOR = Rule(
    "1 where there are experts", lambda value, settings: _expert(value, settings) or _one(value, settings)
)
SCORE_SCALE = Rule("1 / sqrt(head_dim)", _score_scale)
UNSCALED = Rule("off with this rope_type", _unscaled)
#: What a name has to be that is on no list and looks as if it mattered.
OFF_OR_ONE = Rule("off or 1", lambda value, settings: off(value) or _one(value, settings))


#: Settings that change neither a size nor a logit, whatever their value.
INDIFFERENT = words("""
    _attn_implementation _attn_implementation_autoset _name_or_path architectures attn_implementation auto_map dtype
    id2label is_decoder is_encoder_decoder is_llama_config label2id model_name model_type problem_type return_dict
    return_dict_in_generate torch_dtype transformers.js_config transformers_version unsloth_fixed unsloth_version
    use_cache finetuning_task task_specific_params tokenizer_class gradient_checkpointing begin_suppress_tokens
    bos_token_id decoder_start_token_id eos_token_id forced_bos_token_id forced_eos_token_id pad_token_id sep_token_id
    suppress_tokens unk_token_id context_length max_position_embeddings max_seq_len model_max_length n_ctx chunk_size
    chunk_size_feed_forward attention_dropout attention_probs_dropout_prob embedding_dropout hidden_dropout
    hidden_dropout_prob initializer_range layerdrop mlp_dropout output_router_logits resid_dropout router_aux_loss_coef
    router_jitter_noise time_step_floor time_step_init_scheme time_step_max time_step_min time_step_scale
    num_logits_to_keep output_attentions output_hidden_states pretraining_tp reorder_and_upcast_attn residual_in_fp32
    summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj bad_words_ids
    cache_implementation encoder_no_repeat_ngram_size exponential_decay_length_penalty no_repeat_ngram_size
    num_beam_groups num_beams num_return_sequences top_k
    """)  # fmt: skip
