"""Spiking networks: hints work, the host runs none of them, a budget stays strict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline.session import read_mapping
from tests.pipeline.networks import Files, files, llama, llama_bundle
from tests.tiny import _quiet, call, snapshot

__all__ = ["_quiet", "files", "llama", "llama_bundle"]


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
        (["--pin", "input=device:chip"], "ND2064"),
        (["--pin", "hiden=rows:2"], "ND2063"),
        (["--pin", "hidden=rows:7"], "ND2065"),
    ],
)
def test_what_a_network_is_not_given(
    bundle: Path, options: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(bundle)
    answer = call(["map", str(bundle), *options, "--json"], capsys)
    assert answer.status == 2
    assert json.loads(answer.out or answer.err)["error"]["code"] == code
    assert snapshot(bundle) == before


def test_stages_are_kept_and_taken_up(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call finds every stage in the folder and maps to the same bytes without packing again."""
    stages, first = tmp_path / "stages", bundle / "mapping.json"
    assert call(["map", str(bundle), "--work", str(stages)], capsys).status == 0
    before = first.read_bytes()
    assert list(stages.iterdir())

    def never(*_: object, **__: object) -> None:
        raise AssertionError("packed again")

    monkeypatch.setattr("partitioner.stages.pack", never)
    assert call(["map", str(bundle), "--work", str(stages)], capsys).status == 0
    assert first.read_bytes() == before
