"""Models whose numbers leave float32: while converting, evaluating and generating, never a wrong result in silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.linear_files import row_scales
from neurodeploy.errors import UserError
from neurodeploy.evaluation import evaluate
from neurodeploy.generation import generate
from neurodeploy.ops.host.kvcache import State
from neurodeploy.synapses.linear import linear_layers
from tests import models
from tests.islands import islands_of
from tests.refusals import refused


class Overflowing:
    """A model of 8 tokens that gives `value` as a logit of its fourth token."""

    def __init__(self, value: float) -> None:
        self.value, self.position = value, 0

    def forward(self, tokens: ArrayLike, state: State | None = None, last_only: bool = False) -> torch.Tensor:
        rows = torch.zeros(np.size(tokens), 8)
        rows[:, 2] = 1.0
        self.position += rows.shape[0]
        if self.position >= 4:
            rows[-1, 3] = self.value
        return rows[-1:] if last_only else rows

    def logits_chunks(self, tokens: ArrayLike, chunk: int = 128) -> Iterator[tuple[int, torch.Tensor]]:
        yield 0, self.forward(tokens)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits(value: float) -> None:
    refused(UserError, "ND3002", evaluate, {"float": Overflowing(value)}, [1, 2, 3, 4, 5], len)
    for temperature in (0.0, 1.0):
        refused(UserError, "ND3002", generate, Overflowing(value), [1, 2], 5, temperature=temperature)


#: tensor, factor -> what is too large, or None where the model still converts.
FACTORS: dict[str, tuple[str, float, str | None]] = {
    "silent attention": ("model.layers.0.self_attn.v_proj.weight", 0.0, None),
    "denormal activations": ("model.layers.1.mlp.gate_proj.weight", 1e-20, None),
    "vanishing weights": ("model.layers.0.self_attn.q_proj.weight", 1e-38, None),
    "no embedding": ("model.embed_tokens.weight", 0.0, None),
    "large weights": ("lm_head.weight", 1e20, None),
    "huge outputs": ("lm_head.weight", 1e36, "ND1103 lm_head: its output reaches"),
    "huge norm": ("model.norm.weight", 1e20, "ND1103 lm_head: its input reaches"),
}


@pytest.mark.parametrize("preset", ["default", "quick"])
@pytest.mark.parametrize("name", FACTORS)
def test_scaled_models(name: str, preset: str, tmp_path: Path) -> None:
    """A model far from ordinary either becomes a bundle that runs, or is refused with a code."""
    tensor, factor, says = FACTORS[name]
    model, out = tmp_path / "model", tmp_path / "x.nd"
    models.save("llama", model, tie_word_embeddings=False, eos_token_id=None)
    with models.tensors(model) as tensors:
        tensors[tensor] = tensors[tensor].float() * factor
    options: dict[str, Any] = {"preset": preset, "calibration_tokens": 48}
    if says:
        refused(UserError, says, pipeline.convert, model, out, **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
        return
    pipeline.convert(model, out, **options)
    assert islands_of(open_bundle(out).program)
    assert pipeline.verify(out)["violations"] == []
    found = pipeline.generate(out, "abc", 3)
    assert len(found["tokens"]) == 3
    assert np.isfinite(found["margins"]).all()


@pytest.mark.parametrize(("bias", "converts"), [(3.0, True), (1e6, True), (1e20, False), (1e29, False)])
def test_biases(bias: float, converts: bool, tmp_path: Path) -> None:
    """A bias that dwarfs what its weights can say would need more bits than a sum has."""
    model, out, name = tmp_path / "model", tmp_path / "x.nd", "model.layers.0.self_attn.q_proj.bias"
    models.save("llama", model, tie_word_embeddings=False, eos_token_id=None, attention_bias=True)
    with models.tensors(model) as tensors:
        tensors[name] = tensors[name].float()
        tensors[name][5] = bias
    options: dict[str, Any] = {"preset": "quick", "calibration_tokens": 48}
    if not converts:
        refused(UserError, r"ND1103 layers\.0\.self_attn\.q_proj", pipeline.convert, model, out, **options)
        return
    pipeline.convert(model, out, **options)
    layer = linear_layers(open_bundle(out).program)[0]
    unit = layer.encode.scale.value * float(row_scales(layer)[5])
    assert np.asarray(layer.neurons.params["bias"])[5] * unit == pytest.approx(bias, rel=1e-3)
