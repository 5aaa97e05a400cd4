"""Configurations of the authors' own Mamba checkpoints (state-spaces/mamba, class MambaConfig) by transformers' names.

They have no model_type: ``ssm_cfg.layer`` names the layer, Mamba1 where it is not there. Defaults are those of
``mamba_ssm.modules.mamba_simple`` and ``mamba2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.families.neutral import words

LAYERS = {"Mamba1": "mamba", "Mamba2": "mamba2"}
#: Setting of ssm_cfg -> transformers' name.
NAMES = {
    "d_state": "state_size", "d_conv": "conv_kernel", "expand": "expand", "bias": "use_bias", "conv_bias": "use_conv_bias",
    "dt_rank": "time_step_rank", "ngroups": "n_groups", "headdim": "head_dim",
}  # fmt: skip
#: Settings of ssm_cfg that change no shape.
NEUTRAL = words("""
    layer chunk_size dt_min dt_max dt_init_floor dt_init dt_scale dt_limit use_mem_eff_path use_fast_path A_init_range
    """)  # fmt: skip
#: Layers beside Mamba's.
BESIDE = ("attn_layer_idx", "d_intermediate")


def translated(settings: Mapping[str, Any], subject: object) -> dict[str, Any] | None:
    """The settings by transformers' names, the vocabulary rounded up as that model does; None for other configurations.

    Raises ND1013 for layers and settings that are not read, ND1012 for sizes that are no whole numbers.
    """
    ssm = settings.get("ssm_cfg")
    if settings.get("model_type") or not isinstance(ssm, dict) or "d_model" not in settings:
        return None
    kind = ssm.get("layer", "Mamba1")
    unread = [f"{name} = {settings[name]!r:.40}" for name in BESIDE if settings.get(name)]
    unread += [f"ssm_cfg.{name} = {ssm[name]!r:.40}" for name in sorted(set(ssm) - set(NAMES) - NEUTRAL)]
    if kind not in LAYERS:
        unread.append(f"ssm_cfg.layer = {kind!r:.40}")
    if unread:
        problem = f"sets what may change a size and is not read for Mamba: {', '.join(unread)}"
        raise ModelError("ND1013", subject, problem, f"give a checkpoint of {' or '.join(LAYERS)} layers alone")
    fields = Fields({**ssm, **settings}, subject)
    multiple = fields.natural("pad_vocab_size_multiple", 8)
    found: dict[str, Any] = {NAMES[name]: value for name, value in ssm.items() if name in NAMES}
    found |= {"hidden_size": fields.natural("d_model"), "num_hidden_layers": settings.get("n_layer")}
    found |= {"model_type": LAYERS[kind], "tie_word_embeddings": settings.get("tie_embeddings", True)}
    found["vocab_size"] = -(-fields.natural("vocab_size") // multiple) * multiple
    if LAYERS[kind] == "mamba2":
        inner = fields.natural("expand", 2) * found["hidden_size"]
        found = {
            "n_groups": 1,
            "head_dim": 64,
            "expand": 2,
            "num_heads": inner // fields.natural("headdim", 64),
            **found,
        }
    return found
