"""A language model wholly on the chip: from a configuration alone the same populations, crossings and cores as converted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.conversion.hollow import lower_hollow
from neurodeploy.errors import UserError
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.neurons.registry import memory_bytes
from neurodeploy.ops.host.lowering import Remembered
from neurodeploy.synapses.hollow import at_width, without_head
from neurodeploy.synapses.written_out import written_out
from partitioner.cut import settle
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.violations import verify
from targets.systems import get_system
from tests import models
from tests.pipeline.test_block import shape
from tests.refusals import refused

CONTEXT = 32
KEPT: dict[str, Any] = {"on_chip": "all", "context": CONTEXT, "kv_bits": 8}


@pytest.fixture(scope="module", params=["llama", "gemma3", "llama4"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Folder of the model, bundle, what `map` said."""
    folder = tmp_path_factory.mktemp("whole")
    models.save(str(request.param), folder / "model")
    nd.convert(folder / "model", folder / "m.nd", preset="quick", **KEPT)
    return folder / "model", folder / "m.nd", nd.map(folder / "m.nd", "oheo-gulch", place=False)


def test_of_a_configuration(made: tuple[Path, Path, dict[str, Any]]) -> None:
    """Its bundle has the same populations, projections, crossings and cores; it is priced."""
    folder, bundle, mapped = made
    hollow = bundle.parent / "hollow.nd"
    nd.convert(folder / "config.json", hollow, **KEPT)
    assert shape(open_bundle(hollow).program) == shape(open_bundle(bundle).program)
    planned = nd.map(hollow, "oheo-gulch", place=False)
    for key in ("crossings_per_token", "steps_per_token", "cores_used"):
        assert planned[key] == mapped[key]
    assert mapped["crossings_per_token"] == 2
    ours, theirs = (
        nd.energy(b, prompt_tokens=4, tokens=1)["generate"]["joules_per_token"]["board"] for b in (hollow, bundle)
    )
    assert ours["nominal"] == pytest.approx(theirs["nominal"], rel=0.05)


def test_fit(made: tuple[Path, Path, dict[str, Any]]) -> None:
    """The plan has two crossings, the memory of what conversion makes, and about its cores; a bundle is planned as it was
    converted."""
    folder, bundle, mapped = made
    asked = nd.fit(folder, "oheo-gulch", bits=(8,), **KEPT)
    (row,) = asked["rows"]
    populations = open_bundle(bundle).program.network.populations.values()
    held = sum(map(memory_bytes, populations))
    assert asked["on_chip"] == {"what": "all", "context": CONTEXT, "bits": 8, "bytes": held}
    assert row["generate"]["crossings_per_token"] == 2
    assert abs(row["cores"] - mapped["cores_used"]) <= 4
    again = nd.fit(bundle, "oheo-gulch", bits=(8,))
    assert again["on_chip"] == asked["on_chip"] and again["rows"][0]["cores"] == row["cores"]


def test_longer_contexts_take_more() -> None:
    found = [nd.fit("smollm2-135m", "alia-point", bits=(8,), on_chip="all", kv_bits=8, context=n) for n in (512, 8192)]
    assert found[0]["on_chip"]["bytes"] * 16 == found[1]["on_chip"]["bytes"]
    assert found[0]["rows"][0]["cores"] < found[1]["rows"][0]["cores"]
    assert found[0]["rows"][0]["generate"]["crossings_per_token"] == 2


def test_what_conversion_cannot_do_stays_on_the_host() -> None:
    """Latent attention has keys of another size: conversion knows no such operation, and a plan makes none up."""
    from tests.fit.configs import config, hollow_of

    left = {op.op for op in lower_hollow(hollow_of(config("deepseek_v3")), Remembered(CONTEXT, 8)).operations}
    assert "attention" in left


def test_options_of_attention_need_it() -> None:
    refused(UserError, "ND2046 .*kv_bits", nd.fit, "smollm2-135m", kv_bits=8)
    refused(UserError, "ND2045 .*kv_bits", nd.fit, "smollm2-135m", on_chip="all", kv_bits=7)
    refused(UserError, "ND2045 .*on_chip", nd.fit, "smollm2-135m", on_chip="everything")


def test_memories_lie_beside_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of SmolLM2's shapes and no head: keys and values take no cores of their own while weights leave state."""
    hollow = without_head(at_width(read_hollow("smollm2-135m"), 8))
    two = {name: replace(copies, layers=copies.layers[:2]) for name, copies in hollow.copies.items()}
    program, hala = (
        lower_hollow(written_out(replace(hollow, copies=two)), Remembered(2048, 8)),
        get_system("hala-point"),
    )
    quick = Options(place=False, search=False)
    beside = map_model(program, hala, quick)
    assert verify(beside, program, hala) == []
    monkeypatch.setattr(settle, "beside_weights", lambda *_: {})
    apart = map_model(program, hala, quick)
    assert beside.cores_used < 1.15 * beside.lower_bound < 1.3 * beside.lower_bound < apart.cores_used
