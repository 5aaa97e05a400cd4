"""Frequencies against transformers' own functions."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.families.rope import rotary
from tests.refusals import refused

transformers = pytest.importorskip("transformers")

LLAMA3 = {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "head_dim"),
    [
        ({"rope_type": "default", "rope_theta": 1e6}, 256),
        ({"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}, 128),
        ({**LLAMA3, "factor": 32.0, "rope_theta": 5e5}, 64),
        ({**LLAMA3, "factor": 8.0, "rope_theta": 5e5}, 128),
        ({**LLAMA3, "factor": 16.0, "high_freq_factor": 1.0, "rope_theta": 5e5}, 128),
    ],
    ids=["default", "linear", "Llama 3.2 1B", "Llama 3.1 8B", "Llama 4 Scout"],
)
def test_equals_transformers(parameters, head_dim):
    config = transformers.LlamaConfig(
        hidden_size=2 * head_dim, num_attention_heads=2, head_dim=head_dim, rope_parameters=dict(parameters)
    )
    expected = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config).inv_freq.numpy()
    found = np.asarray(rotary(parameters, head_dim, 1e4, 2048, Fields({}, "test")).inv_freq)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=5e-7)


LENGTH = "original_max_position_embeddings"
YARN = {"rope_type": "yarn", "factor": 4.0, LENGTH: 32768, "rope_theta": 1e6}
LONGROPE = {
    "rope_type": "longrope", "short_factor": [1.0 + i / 48 for i in range(48)], "long_factor": [30.0] * 48,
    "rope_theta": 1e4, LENGTH: 4096,
}  # fmt: skip


@pytest.mark.parametrize(
    "parameters",
    [
        YARN,
        {**YARN, "factor": 1.0},
        {**YARN, "attention_factor": 1.0},
        {**YARN, "beta_fast": 16.0, "beta_slow": 2.0, "truncate": False},
        {**YARN, "mscale": 0.7, "mscale_all_dim": 1.2},
        {**YARN, LENGTH: 64},
        {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4},
        {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4, "partial_rotary_factor": 0.5},
        LONGROPE,
        {**LONGROPE, "attention_factor": 1.5},
        {**LONGROPE, LENGTH: 131_072},
    ],
    ids=["Qwen2.5 1M", "no stretch", "plain", "turns", "mscale", "short", "dynamic", "half of a head", "longrope",
         "longrope with a factor", "longrope that is not stretched"],
)  # fmt: skip
def test_rules_with_a_factor_equal_transformers(parameters):
    """Frequencies and the factor of cosine and sine, from the functions that transformers' models call.

    LongRoPE is read for texts that its short table is for.
    """
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    kind, size = parameters["rope_type"], {"hidden_size": 256, "num_attention_heads": 2}
    made, head_dim = transformers.LlamaConfig, 128
    if kind == "longrope":
        made, head_dim, size = transformers.Phi3Config, 96, {"original_max_position_embeddings": parameters[LENGTH]}
    config = made(max_position_embeddings=131_072, rope_parameters=dict(parameters), **size)
    expected, factor = ROPE_INIT_FUNCTIONS[kind](config, None)
    found = rotary(parameters, head_dim, 1e4, 131_072, Fields({}, "test"), partial=kind != "longrope")
    np.testing.assert_allclose(found.inv_freq, expected.numpy(), rtol=2e-6)
    assert found.factor == pytest.approx(factor, rel=1e-6)
    bounds = {"dynamic": 131_072, "longrope": 4096}
    assert found.positions == (None if parameters.get(LENGTH) == 131_072 else bounds.get(kind))


def test_a_part_of_a_head_is_rotated_only_where_the_family_says_so():
    parameters = {"rope_type": "default", "partial_rotary_factor": 0.75}
    assert len(rotary(parameters, 96, 1e4, 2048, Fields({}, "test"), partial=True).inv_freq) == 36
    for share, head_dim, partial, says in [
        (0.75, 96, False, "partial_rotary_factor"), (1.5, 96, True, "partial_rotary_factor"),
        (0.0, 96, True, "partial_rotary_factor"), (1.0, 1 << 40, False, "head_dim = 1099511627776 .*at most 65536"),
        (0.5, 6, True, "rotated part of head_dim = 3 .*even"),
    ]:  # fmt: skip
        given = {**parameters, "partial_rotary_factor": share}
        refused(ModelError, f"ND1012 .*{says}", rotary, given, head_dim, 1e4, 2048, Fields({}, "t"), partial=partial)
