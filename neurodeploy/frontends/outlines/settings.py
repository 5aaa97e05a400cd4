"""Settings of a foreign configuration for an outline: bounded sizes, aliases, and no size that is set and left unread.

What does not change a shape (rotary scaling, soft caps, activations) is dropped and, where it is set, said in a note: a
plan needs shapes only, and the converter is the one to refuse arithmetic that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.common import ACTIVATIONS
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.families.neutral import INDIFFERENT, words

#: Largest value of a size by what its name ends in or is: ten times what any published model has.
WIDEST, MOST_WORDS, MOST = 1 << 20, 1 << 24, 1 << 31
BOUNDS: Mapping[str, int] = {
    "hidden_size": WIDEST, "head_dim": 1 << 16, "num_attention_heads": 1 << 16, "num_key_value_heads": 1 << 16,
    "intermediate_size": 1 << 22, "intermediate_size_mlp": 1 << 22, "moe_intermediate_size": 1 << 22,
    "vocab_size": MOST_WORDS, "state_size": 1 << 16, "time_step_rank": 1 << 16, "expand": 64, "conv_kernel": 1 << 10,
    "num_heads": 1 << 16, "n_groups": 1 << 16, "hidden_ratio": 64, "expand_ratio": 64, "gate_low_rank_dim": 1 << 16,
    "word_embed_proj_dim": WIDEST, "max_position_embeddings": MOST, "shared_expert_intermediate_size": 1 << 22,
    "shared_intermediate_size": 1 << 22, "q_lora_rank": WIDEST, "kv_lora_rank": WIDEST, "qk_nope_head_dim": 1 << 16,
    "qk_rope_head_dim": 1 << 16, "v_head_dim": 1 << 16, "attention_hidden_size": WIDEST, "n_shared_experts": 1 << 12,
    "vocab_size_per_layer_input": MOST_WORDS, "hidden_size_per_layer_input": WIDEST, "laurel_rank": WIDEST,
    "altup_num_inputs": 64,
}  # fmt: skip
#: Settings that change arithmetic and no shape: dropped before a family reads.
SHAPELESS = words("""
    rope_scaling rope_parameters rope_theta rope_local_base_freq attn_logit_softcapping final_logit_softcapping
    pretraining_tp partial_rotary_factor use_bidirectional_attention rope_interleaved
    """)  # fmt: skip
#: Settings with a size-like name, or a list or object, that change neither a shape nor the work of a plan: of every
#: configuration of transformers, of generation and training; rotary positions, and what multiplies; windows beyond what is
#: asked of the layers, limits, choice of experts; state space models; old families; GPT-2's other heads.
NEUTRAL = SHAPELESS | INDIFFERENT | words("""
    num_labels pruned_heads keys_to_ignore_at_inference generation_config quantization_config quantization
    compression_config hidden_act hidden_activation activation_function activation router_z_loss_coef layer_norm_eps
    layer_norm_epsilon rms_norm_eps norm_eps norm_epsilon eps neuron ep_size use_sliding_window prefix tokenizer_type
    pad_vocab_size_multiple fused_add_norm

    rotary_dim rotary_emb_base rotary_pct rope_dim original_max_position_embeddings rope_interleave use_mrope
    mrope_section no_rope_layers no_rope_layer_interval no_rope_layer_indices attention_multiplier embedding_multiplier
    residual_multiplier logits_multiplier logits_scaling query_pre_attn_scalar routed_scaling_factor
    num_experts_per_tok_scale attn_scale floor_scale activation_sparsity_pattern altup_active_idx altup_coef_clip
    altup_correct_scale attn_temperature_tuning scale_attn_weights scale_attn_by_inverse_layer_idx rescale_every
    use_attention_scale swiglu_alpha swiglu_limit

    max_window_layers sliding_window sliding_window_pattern _sliding_window_pattern layer_types attention_chunk_size
    initial_context_length seq_length window_size n_group topk_group topk_method scoring_func norm_topk_prob seq_aux
    aux_loss_alpha moe_layers experts_per_token num_kv_shared_layers

    time_step_limit mixer_rms_eps ssm_cfg fuse_norm fuse_cross_entropy attn_mode

    attention_types apply_residual_connection_post_layernorm
    """)  # fmt: skip
#: Words in the name of a setting that is a size, or counts parts of a model: a closed list.
SIZE_WORDS = words("""
    adapter block blocks channels conv depth dim dims embd embed expand expansion expert experts feedforward ffn
    head heads hidden inner intermediate kernel latent layer layers lora mamba mlp moe mtp multipliers rank ratio
    recurrent router shared size sizes ssm state width
    """)  # fmt: skip
#: Further words that may say so in a family that nobody knows, where a flag may add weights, too.
MORE_WORDS = words("""
    attn bias cross dense divisor every factor freq group groups interval layernorm linear multiplier n norm num
    offset period step vocab
    """)  # fmt: skip
#: Ends of names of settings that matter in training, or that are no sizes.
NO_SIZES = ("pdrop", "dropout", "dropout_prob", "_eps", "_epsilon", "_token_id", "_std", "_coef", "_scale")
#: Objects of a multimodal configuration that are left out, and what they are.
OTHER_PARTS: Mapping[str, str] = {
    "vision_config": "the vision tower", "audio_config": "the audio tower", "speech_config": "the speech tower",
    "video_config": "the video tower",
}  # fmt: skip
#: Values of a part that a model has not.
OFF: tuple[Any, ...] = (False, 0, "", [], {})


def text_part(config: Mapping[str, Any], subject: object) -> tuple[dict[str, Any], list[str]]:
    """The settings of the text model, and what of a larger model was left out."""
    left = [what for key, what in OTHER_PARTS.items() if config.get(key)]
    inner = config.get("text_config")
    if inner is None:
        return {key: value for key, value in config.items() if key not in OTHER_PARTS}, left
    if not isinstance(inner, dict):
        problem = f"text_config is a {type(inner).__name__}, an object is needed"
        raise ModelError("ND1012", subject, problem, "use the model's complete configuration")
    shared = {key: config[key] for key in ("tie_word_embeddings",) if config.get(key) is not None}
    return {**shared, **inner}, left


class Settings(Fields):
    """`Fields` by the names of transformers' configurations, with lists for layers; and what is unread."""

    def __init__(
        self, values: Mapping[str, Any], subject: object, defaults: Mapping[str, Any], aliases: Mapping[str, str]
    ) -> None:
        super().__init__(values, subject, defaults, aliases=aliases)
        # transformers takes null for "none of that", not for its default
        for name in self.nulls:
            if type(defaults.get(name)) is int and name != "max_position_embeddings":
                del self.values[name]

    def only(self, name: str, *allowed: Any) -> None:
        """Not set, or one of the values that change nothing: refused at once."""
        value = self.get(name, None)
        if value is not None and not any(type(value) is type(good) and value == good for good in allowed):
            raise self.refuse(name, "only " + (" or ".join(map(repr, allowed)) or "null") + " is")

    def natural(self, name: str, *default: Any, **bounds: Any) -> int:
        """A whole number; a list of equal ones is one. Layers that differ are refused here, see `for_layers`."""
        value = self.values.get(name)
        if isinstance(value, list) and value and all(type(item) is int for item in value):
            if len(set(value)) > 1:
                raise self.refuse(name, "one value for all layers is needed here")
            self.values[name] = value[0]
        return super().natural(name, *default, **bounds)

    def for_layers(self, name: str, count: int, *default: int) -> tuple[int, ...]:
        """A whole number for each layer: from a list of `count`, or one for all."""
        value = self.values.get(name)
        if not isinstance(value, list) or len(set(map(repr, value))) < 2:
            return (self.natural(name, *default),) * count
        found = self.naturals(name, count, least=1) or []
        if len(found) != count:
            raise self.refuse(name, f"{count} entries are needed, it has {len(found)}")
        return tuple(found)

    def unread(self, known: bool) -> tuple[dict[str, Any], list[str]]:
        """Settings that nobody has read, by the file's names: those that may change a size, and the others.

        known : the family is known, and what transformers has for it is read; only what counts or measures is left to fear.
        """
        left = {
            self.called(name): self.values[name] for name in self._given.keys() - self._read.keys() - self._ignored
            if not ({name, self.called(name)} & NEUTRAL or name.endswith(NO_SIZES)) and self.values[name] not in OFF
        }  # fmt: skip
        sized = {called: left[called] for called in sorted(left) if _sized(called, left[called], known)}
        return sized, sorted(left.keys() - sized.keys())


def _sized(called: str, value: Any, known: bool) -> bool:
    """Whether a setting may change a size, by its name; a list of words, such as languages, does not."""
    words = set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", called).lower()))
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return False
    if known:
        return not isinstance(value, bool) and bool(words & SIZE_WORDS)
    return isinstance(value, (dict, list)) or bool(words & (SIZE_WORDS | MORE_WORDS))


def fields_of(
    settings: Mapping[str, Any], subject: object, defaults: Mapping[str, Any], aliases: Mapping[str, str]
) -> tuple[Settings, list[str]]:
    """`Settings` of a text model, bounded, and notes on what was dropped.

    Raises ND2041 where a size is larger than any model's, ND1012 where two names of one setting disagree.
    """
    for given, value in settings.items():
        most = BOUNDS.get(aliases.get(given, given))
        largest = (
            max((v for v in value if isinstance(v, (int, float))), default=0) if isinstance(value, list) else value
        )
        if most is not None and isinstance(largest, (int, float)) and largest > most:
            fix = "check config.json: no published model comes near"
            raise ModelError("ND2041", subject, f"{given} = {value!r:.40} is above {most}, the most that is read", fix)
    kept = {key: value for key, value in settings.items() if key not in SHAPELESS}
    notes = []
    for key in ("hidden_act", "hidden_activation"):
        if isinstance(kept.get(key), str) and kept[key] not in ACTIVATIONS:
            notes.append(f"{key} = {kept[key]!r:.40} is priced as silu on the host; the converter does not know it")
            kept[key] = "silu"
    capped = [key for key in ("attn_logit_softcapping", "final_logit_softcapping") if settings.get(key)]
    if capped:
        notes.append(f"{' and '.join(capped)} changes no shape and is left out of the host's work")
    return Settings(kept, subject, defaults, aliases), notes


def check_unread(fields: Settings, family: str, known: bool) -> list[str]:
    """A note on settings that were not read and change no size that is known.

    Raises ND1013 where a setting that may change a size was not read: the figures would be those of another model.
    """
    sized, others = fields.unread(known)
    if sized:
        shown = ", ".join(f"{name:.40} = {value!r:.40}" for name, value in list(sized.items())[:12])
        more = f" and {len(sized) - 12} more" if len(sized) > 12 else ""
        problem = f"sets what may change a size and is not read for {family}: {shown}{more}"
        fix = "give the model's .gguf, whose tensors tell every shape, or remove what the model has not"
        raise ModelError("ND1013", fields.subject, problem, fix)
    if not others:
        return []
    shown = ", ".join(f"{name:.40}" for name in others[:12]) + (
        f" and {len(others) - 12} more" if len(others) > 12 else ""
    )
    return [f"not read, taken to change no shape: {shown}"]
