"""What of a model is on the chip, side by side: bundles of one model, plans of what is in none, the host alone."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import BundleError, UserError
from neurodeploy.reporting.side_by_side import HEADS, NOT_MEASURED, cells
from neurodeploy.reporting.terminal import show
from targets.hosts import HOSTS
from tests import models

KINDS = ("projections", "block", "all")
SMALL = {"prompt_tokens": 8, "tokens": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of a small model with more and more of it on the chip; of the last two `eval` has measured the loss."""
    folder = tmp_path_factory.mktemp("variants")
    models.save("llama", folder / "model")
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog " * 4)
    for name in KINDS:
        nd.convert(folder / "model", folder / f"{name}.nd", on_chip=name, preset="quick")
        nd.map(folder / f"{name}.nd", "oheo-gulch")
    for name in KINDS[1:]:
        nd.eval(folder / f"{name}.nd", folder / "text.txt", keep=True)
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    others = [folder / f"{name}.nd" for name in ("all", "projections")]
    found = nd.energy(folder / "block.nd", beside=others, **SMALL)["variants"]
    assert isinstance(found, list)
    return found


def test_bundles_side_by_side(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Each is what `map` and `energy` say of it alone; the loss is that of `eval`, where it has run."""
    assert [row["on_chip"] for row in rows] == ["host only", *KINDS]
    assert [row["crossings"] for row in rows] == [0, 2 * (4 * 2 + 1), 2 * 2 + 2, 2]
    for row in rows[1:]:
        alone = nd.energy(folder / row["bundle"], **SMALL)
        for phase in ("generate", "prefill"):
            assert row[phase] == {key: alone[phase][key] for key in row[phase]}
        assert row["from"] == "run" and row["chips"] == alone["generate"]["chips"]["used"] == 1
    measured = {row["on_chip"]: row["loss"] is not None for row in rows}
    assert measured == {"host only": False, "projections": False, "block": True, "all": True}
    kept = open_bundle(folder / "all.nd").read_evaluation()
    assert kept is not None and rows[-1]["loss"]["kl_per_token"] == kept["kl_per_token"] > 0


def test_the_host_alone_uses_no_chip(rows: list[dict[str, Any]]) -> None:
    joules = rows[0]["generate"]["joules_per_token"]
    assert joules["board"]["nominal"] == 0 < joules["wall"]["low"] < joules["wall"]["nominal"] < joules["wall"]["high"]
    assert rows[0]["chips"] == rows[0]["cores"] == 0


def test_beside_every_account_stands_the_host_alone(folder: Path, rows: list[dict[str, Any]]) -> None:
    """The same as among the variants, and the weights of a batch once; other profiles too."""
    found = nd.energy(folder / "block.nd", batch=8, **SMALL)
    for phase in ("generate", "prefill"):
        told = found[phase]["without_chip"]
        one, eight = told["ways"]
        assert (one["way"], one["batch"], eight["batch"]) == ("host alone", 1, 8)
        assert one["joules_per_token"]["wall"] == rows[0][phase]["joules_per_token"]["wall"]
        assert one["seconds_per_token"] == rows[0][phase]["seconds_per_token"]
        assert eight["joules_per_token"]["wall"]["nominal"] <= one["joules_per_token"]["wall"]["nominal"]
        ratio = one["joules_per_token"]["wall"]["nominal"] / found[phase]["joules_per_token"]["wall"]["nominal"]
        assert one["ratio"]["nominal"] == pytest.approx(ratio)
        assert (one["verdict"] == "pays") is (ratio > 1)
        assert {row["host"] for row in told["elsewhere"]} == set(HOSTS) - {"cpu-generic"}
    with pytest.raises(UserError, match="ND3005"):
        nd.energy(folder / "block.nd", batch=0, **SMALL)


def test_plans_of_what_no_bundle_has(folder: Path, rows: list[dict[str, Any]]) -> None:
    """As cheap as the bundle to a tenth, and said to be planned; of a bundle with less on the chip and of one with more."""
    run = {row["on_chip"]: row for row in rows}
    for own, other in (("block", "projections"), ("projections", "block")):
        found = {row["on_chip"]: row for row in nd.energy(folder / f"{own}.nd", compare=True, **SMALL)["variants"]}
        assert found[own] == run[own]
        planned = found[other]
        assert (planned["from"], planned["bundle"], planned["loss"]) == ("plan", None, None)
        assert planned["crossings"] == pytest.approx(run[other]["crossings"])
        at = planned["generate"]["seconds_per_token"]["nominal"]
        assert at == pytest.approx(run[other]["generate"]["seconds_per_token"]["nominal"], rel=0.1)


def test_table_and_page(folder: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    told = cells(rows[1], rows)
    assert len(told) == len(HEADS) and NOT_MEASURED in told
    others = [folder / "block.nd"]
    found = nd.energy(folder / "projections.nd", beside=others, **SMALL)
    printed = io.StringIO()
    show("energy", found, Console(file=printed, width=120))
    assert "host only" in printed.getvalue() and NOT_MEASURED in printed.getvalue()
    nd.report(folder / "projections.nd", tmp_path / "page.html", beside=others, tokens=2, prompt_tokens=8)
    page, data = (tmp_path / "page.html").read_text(), json.loads((tmp_path / "page.json").read_text())
    assert 'id="variants"' in page and [row["on_chip"] for row in data["variants"]] == ["host only", *KINDS[:2]]
    nd.report(folder / "projections.nd", tmp_path / "page.html", tokens=2, prompt_tokens=8)
    assert 'id="variants"' not in (tmp_path / "page.html").read_text()


def test_other_models_and_bundles_without_a_mapping_are_refused(folder: Path, tmp_path: Path) -> None:
    models.save("llama", tmp_path / "other", seed=1)
    nd.convert(tmp_path / "other", tmp_path / "other.nd", preset="quick")
    with pytest.raises(UserError, match="ND3293"):
        nd.energy(folder / "block.nd", beside=[tmp_path / "other.nd"], **SMALL)
    shutil.copytree(folder / "all.nd", tmp_path / "bare.nd")
    (tmp_path / "bare.nd" / "mapping.json").unlink()
    with pytest.raises(UserError, match="ND2005"):
        nd.energy(folder / "block.nd", beside=[tmp_path / "bare.nd"], **SMALL)


def test_an_evaluation_is_of_its_conversion(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "all.nd", tmp_path / "all.nd")
    kept = tmp_path / "all.nd" / "evaluation.json"
    shutil.copy(folder / "block.nd" / "evaluation.json", kept)
    with pytest.raises(BundleError, match="ND5010"):
        open_bundle(tmp_path / "all.nd").read_evaluation()
    kept.write_text(kept.read_text().replace("text.txt", "test.txt"))
    with pytest.raises(BundleError, match="ND5002"):
        open_bundle(tmp_path / "all.nd").read_evaluation()
    nd.convert(folder / "model", tmp_path / "all.nd", preset="quick")  # which may replace it
    assert not kept.exists()


def test_a_report_without_a_text_tells_the_loss_that_is_kept(folder: Path, tmp_path: Path) -> None:
    for name in ("block", "projections"):
        found = nd.report(folder / f"{name}.nd", tmp_path / "r.html", prompt_tokens=8, tokens=2)["data"]
        kept = open_bundle(folder / f"{name}.nd").read_evaluation()
        assert found["accuracy"] == kept and (kept is None) is (name == "projections")
        assert ("bits per byte" in (tmp_path / "r.html").read_text().partition("</h1>")[0]) is (kept is not None)
