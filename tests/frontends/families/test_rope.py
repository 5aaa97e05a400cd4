"""Frequencies against transformers' own functions."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.frontends.families.rope import rotary

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
    found = np.asarray(rotary(parameters, head_dim, 1e4, 2048, "test").inv_freq)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=5e-7)
