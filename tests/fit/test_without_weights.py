"""A bundle of a configuration alone: mapped, priced, explained, reported as one with weights; what would run it refuses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.files import canonical, manifest_digest
from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.synapses.hollow import facts_of, layers_of, weights_of
from tests.fit.configs import config
from tests.refusals import refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hollow")


def bundle(folder: Path, kind: str) -> Path:
    """Made once for each family."""
    out = folder / f"{kind}.nd"
    if not out.exists():
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / "config.json").write_text(json.dumps(config(kind)))
        nd.convert(folder / kind / "config.json", out)
    return out


@pytest.mark.parametrize("kind", ["llama", "llama4_text", "mamba", "deepseek_v3"])
def test_the_same_model_on_disk(kind: str, folder: Path) -> None:
    """Every layer and expert in its place; facts and weights as they were read; `fit` folds it again to the same cores."""
    opened, read = open_bundle(bundle(folder, kind)), read_hollow(folder / kind)
    assert opened.hollow and opened.host_weights is None
    assert weights_of(opened.program)._replace(active=0) == weights_of(read)._replace(active=0)
    assert facts_of(opened.program) == facts_of(read)
    counts = [copies.count for p in layers_of(read) if (copies := read.copies.get(p.name))]
    assert len(layers_of(opened.program)) == sum(counts) + 1
    rows = [nd.fit(path, "oheo-gulch", bits=(8,))["rows"][0] for path in (folder / kind, opened.path)]
    assert rows[0]["cores"] == rows[1]["cores"]


@pytest.mark.parametrize("kind", ["llama", "mixtral"])
def test_mapped_and_priced(kind: str, folder: Path, tmp_path: Path) -> None:
    """A generated token costs what `fit` says."""
    made, prompt = bundle(folder, kind), 64
    mapped = nd.map(made, "oheo-gulch")
    assert mapped["fits"] and not mapped["violations"]
    assert {row["device"] for row in nd.explain(made)} == {"chip", "host"}
    found = nd.energy(made, prompt_tokens=prompt, tokens=4)
    asked = nd.fit(folder / kind, "oheo-gulch", bits=(8,), context=prompt)["rows"][0]
    for phase in ("prefill", "generate"):
        for part in ("synapses", "messages", "host link"):
            ours, theirs = (row[phase]["by_component"][part]["nominal"] for row in (found, asked))
            assert ours == pytest.approx(theirs, rel=0.02), (phase, part)
    host = (row["generate"]["seconds_split"]["host compute"] for row in (found, asked))
    assert next(host) == pytest.approx(next(host), rel=0.05)
    for end in ("low", "nominal", "high"):
        ours, theirs = (row["generate"]["joules_per_token"]["wall"][end] for row in (found, asked))
        assert ours == pytest.approx(theirs, rel=0.01), end
    page = tmp_path / "page.html"
    nd.report(made, page)
    assert "assumed" in page.read_text(encoding="utf-8")
    assert nd.verify(made)["executed"] is None


def test_what_would_run_it_refuses(folder: Path, tmp_path: Path) -> None:
    made, text = bundle(folder, "llama"), tmp_path / "a.txt"
    text.write_text("a text")
    for verb, given in ((nd.run, text), (nd.generate, "a"), (nd.eval, text), (nd.export, tmp_path / "a.nir")):
        refused(UserError, "ND2111 .*has no weights.*convert it again", verb, made, given)


def test_facts_that_are_damaged(folder: Path) -> None:
    made = bundle(folder, "gpt2")
    file, manifest = made / "conversion.json", json.loads((made / "manifest.json").read_text())
    value = json.loads(file.read_text())
    for told in ({}, {**value["hollow"], "activity": 2.0}, {**value["hollow"], "small": "few"}):
        file.write_bytes(canonical({**value, "hollow": told}))
        manifest["members"]["conversion.json"] = {
            "size": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()
        }  # fmt: skip
        manifest["sha256"] = manifest_digest(manifest)
        (made / "manifest.json").write_text(json.dumps(manifest))
        refused(BundleError, "ND5006", open_bundle, made)
