"""Two bundles side by side: what each verb says of them alone, ratios with their bands, what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import BundleError, UserError
from neurodeploy.reporting import units
from tests import models
from tests.pipeline.networks import DT, Files
from tests.reporting.reader import Reader
from tests.reporting.structure import faults
from tests.tiny import Cli, unchanged

SMALL: dict[str, Any] = {"prompt_tokens": 8, "tokens": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with its projections and with its blocks on the chip, both evaluated; one that is not mapped."""
    folder = tmp_path_factory.mktemp("diff")
    models.save("llama", folder / "model")
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog " * 4)
    for name in ("projections", "block"):
        nd.convert(folder / "model", folder / f"{name}.nd", on_chip=name, preset="quick")
        nd.map(folder / f"{name}.nd", "oheo-gulch")
        nd.eval(folder / f"{name}.nd", folder / "text.txt", keep=True)
    shutil.copytree(folder / "block.nd", folder / "unmapped.nd")
    (folder / "unmapped.nd" / "mapping.json").unlink()
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> Any:
    return nd.diff(folder / "projections.nd", folder / "block.nd", **SMALL)


def figures(found: Any) -> dict[tuple[str, str | None], Any]:
    return {(row["name"], row["phase"]): row for row in found["figures"]}


def test_each_side_is_what_its_verbs_say(folder: Path, found: Any) -> None:
    for key, name in (("a", "projections"), ("b", "block")):
        side, alone = found[key], nd.energy(folder / f"{name}.nd", **SMALL)
        rows = nd.explain(folder / f"{name}.nd")
        assert side["bundle"] == str(folder / f"{name}.nd") and side["kind"] == "language model"
        for phase in ("generate", "prefill"):
            assert side["phases"][phase] == {what: alone[phase][what] for what in side["phases"][phase]}
        assert side["map"]["cores"] == alone["generate"]["cores_used"]
        for what in ("crossings", "steps"):
            assert side["map"][what] == sum(row[f"{what}_per_token"] for row in rows)
        hosted = [row for row in rows if row["device"] != "chip"]
        assert side["host"] == [{what: row[what] for what in side["host"][0]} for row in hosted]
        assert side["loss"]["value"] == nd.eval(folder / f"{name}.nd", folder / "text.txt")["bits_per_byte_change"]
        assert side["settings"]["on_chip"] == name


def test_figures_and_their_ratios(found: Any) -> None:
    rows = figures(found)
    for (name, _), row in rows.items():
        if isinstance(row["a"], dict):
            ratio, a, b = row["ratio"], row["a"], row["b"]
            assert ratio["nominal"] == pytest.approx(b["nominal"] / a["nominal"])
            assert ratio["low"] <= ratio["nominal"] <= ratio["high"]
            assert row["settled"] is (not ratio["low"] <= 1 <= ratio["high"])
            # one draw of the coefficients prices both: the band is narrower than that of two that know nothing of each other
            assert ratio["high"] / ratio["low"] < (b["high"] / a["low"]) / (b["low"] / a["high"]), name
        elif name == "loss":
            assert row["ratio"] is None
        elif row["a"]:
            assert row["ratio"]["low"] == row["ratio"]["nominal"] == row["ratio"]["high"] == row["b"] / row["a"]
    assert rows["crossings", None]["b"] == found["b"]["map"]["crossings"] < rows["crossings", None]["a"]
    assert rows["joules_wall", "generate"]["b"] == found["b"]["phases"]["generate"]["joules_per_token"]["wall"]
    assert rows["host_operations", None]["b"] == len(found["b"]["host"])


def test_what_differs(found: Any) -> None:
    assert found["settings"] == [{"name": "on_chip", "a": "projections", "b": "block"}]
    hosts = {key: {row["path"]: (row["rule"], row["reason"]) for row in found[key]["host"]} for key in ("a", "b")}
    told = {row["path"]: row for row in found["operations"]}
    assert told and set(told) == {
        path for path in {*hosts["a"], *hosts["b"]} if hosts["a"].get(path) != hosts["b"].get(path)
    }
    for path, row in told.items():
        for key in ("a", "b"):
            assert (row[key] and (row[key]["rule"], row[key]["reason"])) == hosts[key].get(path)
    assert found["same_model"] and found["notes"] == []


def test_the_other_way_round(folder: Path, found: Any) -> None:
    turned = nd.diff(folder / "block.nd", folder / "projections.nd", **SMALL)
    assert (turned["a"], turned["b"]) == (found["b"], found["a"])
    there = figures(found)
    for key, row in figures(turned).items():
        assert (row["a"], row["b"]) == (there[key]["b"], there[key]["a"])
        if row["ratio"] and there[key]["ratio"]:
            assert row["ratio"]["nominal"] * there[key]["ratio"]["nominal"] == pytest.approx(1)


def test_a_bundle_beside_itself(folder: Path) -> None:
    same = nd.diff(folder / "block.nd", folder / "block.nd", **SMALL)
    assert same["answer"].endswith(": no difference") and same["settings"] == same["operations"] == []
    assert all(row["a"] == row["b"] and not row["settled"] for row in same["figures"])
    assert all(row["ratio"] in (None, dict.fromkeys(("low", "nominal", "high"), 1.0)) for row in same["figures"])


def test_what_is_not_mapped_has_no_price(folder: Path) -> None:
    some = nd.diff(folder / "projections.nd", folder / "unmapped.nd", **SMALL)
    assert (some["b"]["map"], some["b"]["phases"], some["b"]["host"], some["operations"]) == (None, {}, [], [])
    assert some["a"]["phases"] and {row["name"] for row in some["figures"]} == {
        "loss", "neurons", "populations", "synapses", "weight_bytes"
    }  # fmt: skip
    assert any("unmapped.nd is not mapped" in note for note in some["notes"])


def test_five_lines_and_a_page(folder: Path, found: Any, cli: Cli, tmp_path: Path) -> None:
    options = ["--prompt-tokens", "8", "--tokens", "2", "--out", tmp_path / "d.html"]
    lines = cli("diff", folder / "projections.nd", folder / "block.nd", *options).out.splitlines()
    assert len(lines) == 6 and lines[5] == f"written to {tmp_path / 'd.html'}"
    assert lines[0].startswith("block.nd beside projections.nd: ") and "times the joules at the wall" in lines[0]
    page = (tmp_path / "d.html").read_text(encoding="utf-8")
    words = Reader(page).words
    assert faults(page) == [] and page == found.to_html()
    for key in ("a", "b"):
        joules = found[key]["phases"]["generate"]["joules_per_token"]["wall"]
        shown = units.spread(joules, "J").replace(units.THIN, " ").replace(units.SPACE, " ")
        assert shown in words and shown in "\n".join(lines).replace(units.THIN, " ")
    assert "on_chip projections block" in words and "not on the host" in words
    assert repr(found).splitlines() == [line if len(line) <= 120 else f"{line[:119].rstrip()}…" for line in lines[:5]]


def test_networks_need_an_input(files: Files, tmp_path: Path, cli: Cli) -> None:
    narrow = tmp_path / "narrow.nd"
    nd.convert(files.plain, narrow, dt=DT, weight_bits=4)
    nd.map(narrow, "oheo-gulch")
    without = nd.diff(files.plain_nd, narrow)
    assert without["a"]["phases"] == {} and any("give --input FILE" in note for note in without["notes"])
    told = cli.json("diff", files.plain_nd, narrow, "--input", files.spikes)
    assert {"name": "weight_bits", "a": None, "b": 4} in told["settings"] and told["same_model"]
    alone = nd.energy(narrow, input=files.spikes)
    for phase in ("sample", "step"):
        assert told["b"]["phases"][phase]["seconds_per_token"] == alone[phase]["seconds_per_token"]
    assert {"sample", "step"} == {row["phase"] for row in told["figures"]} - {None}


def test_kinds_that_differ(folder: Path, files: Files) -> None:
    """Each on its own input; no ratio of a token to a sample, nor of what is counted a token to a step."""
    mixed = nd.diff(folder / "block.nd", files.plain_nd, input=files.spikes, **SMALL)
    assert mixed["a"]["phases"].keys() == {"generate", "prefill"} and mixed["b"]["phases"].keys() == {"sample", "step"}
    assert {row["phase"] for row in mixed["figures"]} == {None} and not mixed["same_model"]
    assert not {"crossings", "steps"} & {row["name"] for row in mixed["figures"]}
    assert any("tokens are not samples" in note for note in mixed["notes"])
    assert faults(mixed.to_html()) == []


def test_converted_modules(tmp_path: Path) -> None:
    """Two widths of one module: bits and recorded losses differ; another module is another model."""
    from torch import from_numpy, manual_seed, nn

    manual_seed(0)
    samples = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", samples)
    module, other = nn.Linear(6, 3), nn.Linear(6, 3)
    for name, source, bits in (("wide", module, 16), ("narrow", module, 8), ("other", other, 16)):
        nd.convert(source, out=tmp_path / f"{name}.nd", example_inputs=from_numpy(samples), payload_bits=bits)
        nd.map(tmp_path / f"{name}.nd", "oheo-gulch")
    found = nd.diff(tmp_path / "wide.nd", tmp_path / "narrow.nd", input=tmp_path / "x.npy")
    assert found["settings"] == [{"name": "payload_bits", "a": 16, "b": 8}] and found["same_model"]
    loss = figures(found)["loss", None]
    assert 0 < loss["a"] < loss["b"] and found["a"]["kind"] == "converted module"
    assert not nd.diff(tmp_path / "wide.nd", tmp_path / "other.nd")["same_model"]


def test_options_that_suit_neither(folder: Path, files: Files, tmp_path: Path, cli: Cli) -> None:
    texts, networks = [folder / "block.nd"] * 2, [files.plain_nd] * 2
    for pair, option, code in (
        (texts, ["--input", files.spikes], "ND3262"), (networks, ["--text", folder / "text.txt"], "ND3262"),
        (texts, ["--steps", "3"], "ND3264"), (networks, ["--tokens", "3"], "ND3264"),
        (texts, ["--host", "nothere"], "ND4003"), (texts, ["--out", tmp_path / "x.txt"], "ND5013"),
    ):  # fmt: skip
        with unchanged(tmp_path):
            assert cli("diff", *pair, *option).code == code, option
    with pytest.raises(BundleError, match="ND5001"):
        nd.diff(folder / "block.nd", folder)
    with pytest.raises(UserError, match="ND3262"):
        nd.diff(*texts, input=files.spikes)


def test_out_may_be_data(folder: Path, found: Any, tmp_path: Path) -> None:
    kept = nd.diff(folder / "projections.nd", folder / "block.nd", out=tmp_path / "d.json", **SMALL)
    assert (
        json.loads((tmp_path / "d.json").read_text()) == json.loads(json.dumps(kept)) == {**found, "out": kept["out"]}
    )
    assert found.save(tmp_path / "d.csv").read_text().count("\n") == 1 + len(found["figures"])


def test_the_method(folder: Path, found: Any) -> None:
    assert nd.open(folder / "projections.nd").diff(nd.open(folder / "block.nd"), **SMALL) == found
