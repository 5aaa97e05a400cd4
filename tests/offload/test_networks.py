"""Spiking networks: hints work, the host runs what it is told to and what has no room."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.pipeline.session import read_mapping
from tests.pipeline.networks import Files
from tests.tiny import Cli, snapshot


@pytest.fixture
def bundle(files: Files, tmp_path: Path) -> Path:
    path = tmp_path / "copy.nd"
    shutil.copytree(files.plain_nd, path)
    return path


def test_a_plan_is_written_edited_and_kept(bundle: Path, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    pipeline.map(bundle, write_plan=table)
    lines = table.read_text().splitlines()
    devices = {line.split(",")[0]: line.split(",")[1] for line in lines[1:]}
    assert devices == {"input": "host", "hidden": "chip", "last": "chip"}
    table.write_text("\n".join(line.replace("hidden,chip,,,", "hidden,chip,2,,1") for line in lines))
    found = pipeline.map(bundle, plan=table)
    assert found["violations"] == []
    shards = read_mapping(open_bundle(bundle))[0].by_island()["hidden"]
    assert {shard.chip for shard in shards} == {1}
    assert max(shard.row_count for shard in shards) == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--pin", "hidden=device:host", "--no-offload"], "ND2069"),
        (["--pin", "hidden=device:host", "--pin", "hidden=rows:2"], "ND2066"),
        (["--pin", "input=device:chip"], "ND2064"),
        (["--pin", "hiden=rows:2"], "ND2063"),
        (["--pin", "hidden=rows:7"], "ND2065"),
    ],
)
def test_what_a_network_is_not_given(bundle: Path, options: list[str], code: str, cli: Cli) -> None:
    before = snapshot(bundle)
    answer = cli("map", bundle, *options, "--json")
    assert answer.status == 2
    assert json.loads(answer.out or answer.err)["error"]["code"] == code
    assert snapshot(bundle) == before


def test_stages_are_kept_and_taken_up(bundle: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call finds every stage in the folder and maps to the same bytes without packing again."""
    stages, first = tmp_path / "stages", bundle / "mapping.json"
    assert cli("map", bundle, "--work", stages).status == 0
    before = first.read_bytes()
    assert list(stages.iterdir())

    def never(*_: object, **__: object) -> None:
        raise AssertionError("packed again")

    monkeypatch.setattr("partitioner.stages.pack", never)
    assert cli("map", bundle, "--work", stages).status == 0
    assert first.read_bytes() == before


@pytest.mark.parametrize("hosted", [["hidden"], ["last"], ["hidden", "last"]])
def test_populations_on_the_host(hosted: list[str], bundle: Path, files: Files, tmp_path: Path) -> None:
    """The same bits and states on every runner; no core, no event of a chip; what joins chip and host crosses the border."""
    whole = pipeline.map(bundle, "oheo-gulch")
    wanted = pipeline.run(bundle, input=files.spikes, out=tmp_path / "whole.npz", checkpoint=tmp_path / "whole")
    found = pipeline.map(bundle, "oheo-gulch", pins=[f"{name}=device:host" for name in hosted])
    assert (found["verdict"], found["host_islands"], found["islands"]) == ("partly", len(hosted), 2 - len(hosted))
    assert found["cores_used"] < whole["cores_used"] or whole["cores_used"] == 1
    rows = {row["path"].rpartition(".")[2]: row for row in pipeline.explain(bundle)}
    assert {name for name, row in rows.items() if row["rule"] == "pinned-to-host"} == set(hosted)
    crosses = {name: row["bytes_per_token"] for name, row in rows.items()}
    assert crosses["hidden"] == (24 if len(hosted) == 1 else 0) and crosses["last"] == (
        12 if hosted == ["hidden"] else 0
    )
    assert found["border_bytes_per_token"] == (0 if len(hosted) == 2 else sum(crosses.values()))
    for runner in ("fast", "partitioned"):
        out = {"out": tmp_path / "x.npz", "checkpoint": tmp_path / "x"}
        counts = pipeline.run(bundle, input=files.spikes, runner=runner, **out)
        assert [counts[key] for key in ("populations", "projections")] == [
            wanted[key] for key in ("populations", "projections")
        ]
        for one, other in ((tmp_path / "x.npz", tmp_path / "whole.npz"), (tmp_path / "x", tmp_path / "whole")):
            assert one.read_bytes() == other.read_bytes()
    assert pipeline.verify(bundle)["violations"] == []
    with pytest.raises(UserError, match="ND3292"):
        pipeline.export(bundle, tmp_path / "s", format="sanafe")


def test_a_network_that_is_wholly_on_the_host(bundle: Path, files: Files, tmp_path: Path, cli: Cli) -> None:
    """It has no core and no event of a chip: energy and report say so as they say the rest."""
    pipeline.map(bundle, "oheo-gulch", pins=["hidden=device:host", "last=device:host"])
    answer = cli("energy", bundle, "--input", files.spikes)
    assert answer.status == 0 and answer.out
    found = pipeline.energy(bundle, input=files.spikes)
    assert found["step"]["joules_per_token"]["wall"]["nominal"] > 0 and found["busiest_cores"] == []
    page = tmp_path / "page.html"
    answer = cli("report", bundle, "--input", files.spikes, "--out", page)
    assert answer.status == 0 and page.is_file()


def test_what_has_no_room_goes_to_the_host(tmp_path: Path, cli: Cli) -> None:
    """Two populations of 75 cores on a chip of 120: an error that says what would help, or partly, with the same bits."""
    size, neurons = 6000, {name: np.full(6000, v) for name, v in {"tau": 0.01, "r": 10.0, "v_threshold": 1.0}.items()}
    zero, rng = np.zeros(size), np.random.default_rng(1)
    lif = [nir.LIF(**neurons, v_leak=zero, v_reset=zero) for _ in range(2)]
    chain = {
        "input": nir.Input(np.array([4])), "up": nir.Linear(rng.normal(0.5, 0.5, (size, 4))), "hidden": lif[0],
        "scale": nir.Scale(np.full(size, 1.5)), "last": lif[1], "output": nir.Output(np.array([size])),
    }  # fmt: skip
    nir.write(tmp_path / "x.nir", nir.NIRGraph(chain, list(zip(chain, list(chain)[1:], strict=False))))
    np.save(tmp_path / "x.npy", rng.random((2, 8, 4)) < 0.5)
    bundle, spikes = tmp_path / "x.nd", tmp_path / "x.npy"
    pipeline.convert(tmp_path / "x.nir", bundle, dt=1e-3)
    order = ["map", str(bundle), "--system", "oheo-gulch", "--cap", "neurons=1", "--json"]
    for strict in ([], ["--chips", "1", "--no-offload"]):
        answer = cli(*order, *strict)
        error = json.loads(answer.out)["error"]
        assert (answer.status, error["code"]) == (3, "ND2001")
        assert "--chips 1 puts 1 of 2 islands on the host" in error["fix"]
    pipeline.map(bundle, "kapoho-point", caps={"neurons": 1})
    whole = pipeline.run(bundle, input=spikes)["populations"]
    for meant, status in ([], 3), (["--offload"], 0):
        answer = cli(*order, "--chips", "1", *meant)
        found = json.loads(answer.out)
        assert (answer.status, found["verdict"], found["violations"], found["cores_used"]) == (status, "partly", [], 75)
        assert found["offload"]["unasked"] == ["last"] and found["offload"]["chips_resident"] == 2
        assert found["offload"]["border_bytes_per_token"]["plan"] == 4 * size
    for runner in ("fast", "partitioned"):
        assert pipeline.run(bundle, input=spikes, runner=runner)["populations"] == whole
    phase = pipeline.energy(bundle, input=spikes)["sample"]
    assert {"loihi2 cores", "cpu-generic", "host link"} <= {entry["device"] for entry in phase["entries"]}


def test_what_the_chip_lacks_can_be_left_to_the_host(files: Files, tmp_path: Path) -> None:
    bundle = tmp_path / "graded.nd"
    shutil.copytree(files.graded_nd, bundle)
    with pytest.raises(DoesNotFit, match="ND2090"):
        pipeline.map(bundle, "loihi1-nahuku")
    found = pipeline.map(bundle, "loihi1-nahuku", pins=["last=device:host"])
    assert (found["verdict"], found["violations"]) == ("partly", [])
