"""Every parameter counted as transformers' own model has it, on the meta device: families, shapes, one field at a time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.outlines import FAMILIES
from tests.fit.configs import CONFIGS, config, total

#: Families that transformers has no class of.
OWN = {"hgrn_bit", "gla_swa", "openelm"}
KINDS = sorted(set(CONFIGS) - OWN)
#: Settings whose change is no change of size, or that name tokens.
NAMES = {
    "model_type", "architectures", "pad_token_id", "bos_token_id", "eos_token_id", "id2label", "label2id", "dtype",
    "transformers_version", "attn_config", "hidden_act", "hidden_activation", "activation_function", "activation",
    "output_attentions", "output_hidden_states", "return_dict", "is_encoder_decoder", "chunk_size_feed_forward",
    "problem_type", "use_cache", "_name_or_path",
}  # fmt: skip


def truth(kind: str, settings: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The complete configuration and the number of parameters, by transformers."""
    import torch
    import transformers

    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
    made = transformers.AutoConfig.for_model(kind, **tokens, **settings)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(made)
    return made.to_dict(), sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_as_transformers_counts(kind: str) -> None:
    """From what transformers saves, and from what was set alone: transformers' defaults are ours."""
    saved, count = truth(kind, CONFIGS[kind])
    assert total(saved) == count
    assert total(config(kind)) == count


def changed(rng: random.Random, settings: dict[str, Any]) -> dict[str, Any]:
    """Other sizes: multiples of what is there, so that heads still divide."""
    found = dict(settings)
    for name, value in settings.items():
        if name in ("num_hidden_layers", "n_layer", "intermediate_size") and isinstance(value, int):
            found[name] = value + rng.randint(0, 3)
        elif (
            name in ("hidden_size", "n_embd", "vocab_size", "moe_intermediate_size", "head_dim") and rng.random() < 0.5
        ):
            found[name] = 2 * value
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "kind", ["gpt_oss", "deepseek_v2", "deepseek_v3", "olmoe", "granitemoe", "qwen2_moe", "qwen2", "gpt2"]
)
def test_random_shapes(kind: str, seed: int) -> None:
    saved, count = truth(kind, changed(random.Random(seed), CONFIGS[kind]))
    assert total(saved) == count


def other(value: Any) -> Any:
    """Another value of the same type, None where there is none that makes sense."""
    if isinstance(value, bool):
        return not value
    return 2 * value or 2 if isinstance(value, int) else None


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_is_read_past(kind: str) -> None:
    """Each whole number and flag of the family's configuration changed alone: the same new count, or the field's name."""
    saved, count = truth(kind, CONFIGS[kind])
    for name, value in saved.items():
        new = None if name in NAMES else other(value)
        if new is None:
            continue
        try:
            whole, expected = truth(kind, {**CONFIGS[kind], name: new})
        except Exception:  # transformers itself takes no such model
            continue
        try:
            found = total(whole)
        except ModelError as error:
            assert error.code in ("ND1012", "ND1013")
            assert name in str(error) or "heads" in str(error), (name, str(error))
            continue
        assert found == expected, (name, value, new, count)


def test_every_family_that_transformers_has_is_counted() -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    assert set(FAMILIES) - set(CONFIG_MAPPING_NAMES) == OWN
