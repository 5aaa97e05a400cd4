"""`explore` on every kind of model, in this process: rows, errors in rows, stages that are shared and kept."""

from __future__ import annotations

import csv
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import embedded
from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.pipeline import converting
from tests.pipeline.networks import DT, Files
from tests.tiny import Cli, Patch


@pytest.fixture
def converted(monkeypatch: Patch) -> list[dict[str, Any]]:
    """The options of every conversion that is made."""
    real, calls = converting.convert, list[dict[str, Any]]()

    def counted(model: Any, out: Any, **options: Any) -> dict[str, Any]:
        calls.append(options)
        return real(model, out, **options)

    monkeypatch.setattr(converting, "convert", counted)
    return calls


def test_a_spiking_network(files: Files, tmp_path: Path, converted: list[dict[str, Any]]) -> None:
    """Mappings share their conversion; what fails at a point is told in its row, and is not tried again."""
    over = {"dt": DT, "weight_bits": [8, 2, 40], "system": ["oheo-gulch", "kapoho-point"], "chips": [1, 9]}
    asked: dict[str, Any] = {"input": files.spikes, "steps": 10, "jobs": 1}
    found = nd.explore(files.plain, over, out=tmp_path / "page.html", **asked)
    assert [call["weight_bits"] for call in converted] == [8, 2, 40]
    rows = found["rows"]
    good = [row for row in rows if row["error"] is None]
    assert [(row["weight_bits"], row["chips"]) for row in good] == [(8, 1), (8, 1), (2, 1), (2, 1)]
    assert all(row["loss"] is not None and row["joules_wall_low"] < row["joules_wall"] for row in good)
    assert good[0]["loss"] < good[2]["loss"] and any(row["front"] for row in good)
    assert all(row["error"].startswith("ND") and not row["front"] for row in rows if row not in good)
    for row in good:
        assert nd.energy(tmp_path / "page.work" / row["bundle"], input=files.spikes, steps=10)["sample"][
            "joules_per_token"
        ]["wall"]["nominal"] == pytest.approx(row["joules_wall"])
    again = nd.explore(files.plain, over, out=tmp_path / "again.html", work=tmp_path / "page.work", **asked)
    assert again["stages"]["computed"] == 0 and len(converted) == 3
    for ending in (".html", ".json", ".csv"):
        assert (tmp_path / f"page{ending}").read_bytes() == (tmp_path / f"again{ending}").read_bytes()
    with (tmp_path / "page.csv").open(newline="", encoding="utf-8") as file:
        assert [line["point"] for line in csv.DictReader(file)] == [str(i) for i in range(12)]


def test_a_language_model_of_which_a_mapping_leaves_something_to_the_host(tmp_path: Path) -> None:
    """Every row has what the verbs find of its bundle by themselves."""
    over = {
        "preset": "quick", "calibration_tokens": 256, "system": "oheo-gulch", "chips": 1, "max_rows": [64, 16],
        "objective": ["cores", "latency"],
    }  # fmt: skip
    asked: dict[str, Any] = {"prompt_tokens": 4, "tokens": 1}
    found = nd.explore("demo", over, out=tmp_path / "page.html", max_tokens=64, jobs=1, **asked)
    assert [row["error"] for row in found["rows"]] == [None] * 4
    assert {row["host_islands"] > 0 for row in found["rows"]} == {True, False}
    for row in found["rows"]:
        bundle = tmp_path / "page.work" / row["bundle"]
        phase = nd.energy(bundle, text=embedded.TEXT, **asked)["generate"]
        for name, band in (*phase["joules_per_token"].items(), ("seconds", phase["seconds_per_token"])):
            column = name if name == "seconds" else f"joules_{name}"
            if column in row:
                assert [row[column], row[f"{column}_low"], row[f"{column}_high"]] == [
                    band[end] for end in ("nominal", "low", "high")
                ]
        loss = nd.eval(bundle, embedded.TEXT, max_tokens=64)
        assert (row["loss"], row["kl_per_token"]) == (loss["chip"]["bits_per_byte"], loss["kl_per_token"])


def test_a_damaged_stage_is_done_again(files: Files, tmp_path: Path, converted: list[dict[str, Any]]) -> None:
    asked: dict[str, Any] = {"input": files.spikes, "steps": 4, "jobs": 1, "out": tmp_path / "page.html"}
    first = nd.explore(files.net, {"objective": ["cores"]}, **asked)
    assert first["rows"][0]["loss"] == 0 and len(converted) == 1
    price = next((tmp_path / "page.work").glob("price-*.json"))
    price.write_text(price.read_text().replace("seconds", "Seconds"))
    again = nd.explore(files.net, {"objective": ["cores"]}, **asked)
    assert (again["stages"]["computed"], again["stages"]["reused"]) == (1, 3)
    assert again["rows"] == first["rows"] and "damaged" in again["stages"]["notes"][0]


def test_what_a_stage_reads_names_it(files: Files, tmp_path: Path) -> None:
    """Other inputs: losses and prices anew, conversions and mappings as they are."""
    asked: dict[str, Any] = {"jobs": 1, "work": tmp_path / "work", "out": tmp_path / "page.html"}
    nd.explore(files.plain, {"dt": DT}, input=files.spikes, steps=4, **asked)
    other = nd.explore(files.plain, {"dt": DT}, input=files.spikes, steps=5, **asked)
    assert (other["stages"]["computed"], other["stages"]["reused"]) == (2, 2)


def test_a_module(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    samples = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    np.save(tmp_path / "samples.npy", samples[:, None])
    found = nd.explore(
        module, {"payload_bits": [16, 4]}, example_inputs=samples, input=tmp_path / "samples.npy", jobs=1,
        out=tmp_path / "page.html",
    )  # fmt: skip
    assert found["loss_is"].startswith("largest error") and found["unit"] == "sample"
    fine, coarse = found["rows"]
    assert 0 < fine["loss"] < coarse["loss"] and fine["front"] and fine["joules_wall"] > 0


def test_the_command_line_begins_with_the_answer(files: Files, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "page.html"
    options = ("--over", f"dt={DT}", "--over", "objective=cores,latency", "--budget", "1", "--seed", "1", "--jobs", "1")
    said = cli("explore", files.plain, *options, "--input", files.spikes, "--steps", "4", "--out", out)
    assert said.status == 0 and said.out.startswith("least ")
    assert "1 of 2 points, drawn without replacement with seed 1" in said.out


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("ND3320", {"over": ["colour"]}), ("ND3322", {"jobs": 0}), ("ND3322", {"budget": 0}), ("ND3262", {"input": None}),
        ("ND3262", {"text": "x.txt"}), ("ND3264", {"max_tokens": 3}), ("ND3324", {"input": "missing.npy"}),
        ("ND5004", {"out": "page.json"}), ("ND5004", {"work": __file__}), ("ND4003", {"host": "abacus"}),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(
    files: Files, tmp_path: Path, monkeypatch: Patch, code: str, options: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"over": {"dt": DT}, "input": files.spikes, "jobs": 1, **options}
    with pytest.raises(UserError, match=code):
        nd.explore(files.plain, asked.pop("over"), **asked)
    assert not [*tmp_path.iterdir()]


def test_ray_is_not_installed(files: Files, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TargetUnavailable, match=r"ND3323.*pip install"):
        nd.explore(files.plain, {"dt": DT}, input=files.spikes, out=tmp_path / "page.html", ray="local")


def test_no_cluster_answers(files: Files, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(TargetUnavailable, match=r"ND3323.*has no cluster"):
            nd.explore(files.plain, {"dt": DT}, input=files.spikes, out=tmp_path / "page.html", ray=address)
