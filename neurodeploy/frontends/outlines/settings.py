"""Settings of a foreign configuration for an outline: sizes bounded before anything is made of them.

What does not change a shape (rotary scaling, soft caps, activations) is dropped and, where it is set, said in a note: a
plan needs shapes only, and the converter is the one to refuse arithmetic that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.common import ACTIVATIONS
from neurodeploy.frontends.families.fields import Fields

#: Largest value of a size by what its name ends in or is: ten times what any published model has.
WIDEST, MOST_WORDS, MOST = 1 << 20, 1 << 24, 1 << 31
BOUNDS: Mapping[str, int] = {
    "hidden_size": WIDEST, "n_embd": WIDEST, "d_model": WIDEST, "head_dim": 1 << 16, "num_attention_heads": 1 << 16,
    "num_key_value_heads": 1 << 16, "n_head": 1 << 16, "intermediate_size": 1 << 22, "intermediate_size_mlp": 1 << 22,
    "moe_intermediate_size": 1 << 22, "n_inner": 1 << 22, "ffn_dim": 1 << 22, "vocab_size": MOST_WORDS,
    "state_size": 1 << 16, "time_step_rank": 1 << 16, "expand": 64, "conv_kernel": 1 << 10, "num_heads": 1 << 16,
    "n_groups": 1 << 16, "hidden_ratio": 64, "expand_ratio": 64, "gate_low_rank_dim": 1 << 16,
    "word_embed_proj_dim": WIDEST, "max_position_embeddings": MOST, "n_positions": MOST,
    "shared_expert_intermediate_size": 1 << 22,
}  # fmt: skip
#: Settings that change arithmetic and no shape: dropped.
SHAPELESS = frozenset(
    {
        "rope_scaling", "rope_parameters", "rope_theta", "rope_local_base_freq", "attn_logit_softcapping",
        "final_logit_softcapping", "pretraining_tp", "partial_rotary_factor", "use_bidirectional_attention",
        "rope_interleaved",
    }
)  # fmt: skip
#: Objects of a multimodal configuration that are left out, and what they are.
OTHER_PARTS: Mapping[str, str] = {
    "vision_config": "the vision tower", "audio_config": "the audio tower", "speech_config": "the speech tower",
    "video_config": "the video tower",
}  # fmt: skip


def text_part(config: Mapping[str, Any], subject: object) -> tuple[dict[str, Any], list[str]]:
    """The settings of the text model, and what of a larger model was left out."""
    left = [what for key, what in OTHER_PARTS.items() if config.get(key)]
    inner = config.get("text_config")
    if inner is None:
        return dict(config), left
    if not isinstance(inner, dict):
        problem = f"text_config is a {type(inner).__name__}, an object is needed"
        raise ModelError("ND1012", subject, problem, "use the model's complete configuration")
    shared = {key: config[key] for key in ("tie_word_embeddings",) if config.get(key) is not None}
    return {**shared, **inner}, left


def fields_of(settings: Mapping[str, Any], subject: object, defaults: Mapping[str, Any]) -> tuple[Fields, list[str]]:
    """`Fields` of a text model's settings, bounded, and notes on what was dropped.

    Raises ND2041 where a size is larger than any model's.
    """
    for name, most in BOUNDS.items():
        value = settings.get(name)
        if isinstance(value, (int, float)) and value > most:
            fix = "check config.json: no published model comes near"
            raise ModelError("ND2041", subject, f"{name} = {value!r:.40} is above {most}, the most that is read", fix)
    kept = {key: value for key, value in settings.items() if key not in SHAPELESS}
    notes = []
    for key in ("hidden_act", "hidden_activation"):
        if isinstance(kept.get(key), str) and kept[key] not in ACTIVATIONS:
            notes.append(f"{key} = {kept[key]!r:.40} is priced as silu on the host; the converter does not know it")
            kept[key] = "silu"
    capped = [key for key in ("attn_logit_softcapping", "final_logit_softcapping") if settings.get(key)]
    if capped:
        notes.append(f"{' and '.join(capped)} changes no shape and is left out of the host's work")
    return Fields(kept, subject, defaults), notes
