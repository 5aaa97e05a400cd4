"""Bundles of GPT-2 and Phi-3 that lie about what only these families have; see `test_hostile`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from tests import models
from tests.bundle.changes import refused, rewrite
from tests.bundle.test_hostile import Change, step


@pytest.fixture(scope="module")
def relatives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A GPT-2 with layer norms, learnt positions and no gate, a Phi-3 of which a part of each head is rotated: bundles."""
    found = {}
    for name, family, layers in (("learnt", "gpt2", "n_layer"), ("partial", "phi3", "num_hidden_layers")):
        folder = tmp_path_factory.mktemp(name)
        model = models.save(family, folder / family, eos_token_id=None, bos_token_id=None, **{layers: 1})
        found[name] = folder / f"{family}.nd"
        pipeline.convert(model, found[name], preset="quick", calibration_tokens=64)
    return found


RELATIVES: dict[str, tuple[str, Change]] = {
    "fewer positions than the table": ("learnt", lambda p: p["info"].update(max_positions=255)),
    "more positions than the table": ("learnt", lambda p: p["info"].update(max_positions=257)),
    "no table of positions": ("learnt", lambda p: step(p, "position_embedding").update(weights={})),
    "positions of the token ids": ("learnt", lambda p: step(p, "position_embedding").update(inputs=["tokens"])),
    "a norm without a bias": ("learnt", lambda p: step(p, "layernorm")["weights"].pop("bias")),
    "a bias of another shape": ("learnt", lambda p: step(p, "layernorm")["weights"].update(bias="embed_tokens.weight")),
    "a third tensor": ("learnt", lambda p: step(p, "layernorm")["weights"].update(mean="norm.weight")),
    "an unknown function": ("learnt", lambda p: step(p, "activation")["attrs"].update(act="gelu")),
    "another group": ("learnt", lambda p: step(p, "layernorm")["attrs"].update(group=32)),
    "more rotated than there is": (
        "partial",
        lambda p: step(p, "rope")["attrs"].update(rotated=32, inv_freq=[1.0] * 16),
    ),
    "fewer frequencies than rotated": ("partial", lambda p: step(p, "rope")["attrs"].update(inv_freq=[1.0] * 5)),
    "rotated is all": ("partial", lambda p: step(p, "rope")["attrs"].pop("rotated")),
    "a factor of no number": ("partial", lambda p: step(p, "rope")["attrs"].update(factor="1")),
    "a negative factor": ("partial", lambda p: step(p, "rope")["attrs"].update(factor=-1.0)),
}


@pytest.mark.parametrize("name", RELATIVES)
def test_programs_of_other_families(name: str, tmp_path: Path, relatives: dict[str, Path]) -> None:
    kind, change = RELATIVES[name]
    copy = tmp_path / "x.nd"
    shutil.copytree(relatives[kind], copy)
    open_bundle(copy)
    rewrite(copy, change)
    refused(copy, "ND5006")
