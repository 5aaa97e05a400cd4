"""A newcomer's chip is one file: `added/loihi3.py`, put beside the others, is a `--system` of every verb."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import targets
from targets import systems
from tests.pipeline.networks import Files
from tests.tiny import Cli

BOARD = "made-up-board"


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the new file added to that of the chips."""
    monkeypatch.setattr(targets, "__path__", [*targets.__path__, str(Path(__file__).parent / "added")])
    monkeypatch.setattr(systems, "SYSTEMS", systems.read_systems())


def copied(bundle: Path, folder: Path) -> str:
    return str(shutil.copytree(bundle, folder / bundle.name))


def test_verbs_take_it(files: Files, tmp_path: Path, cli: Cli) -> None:
    bundle = copied(files.plain_nd, tmp_path)
    answer = cli("map", bundle, "--system", BOARD, "--json")
    found = json.loads(answer.out)
    assert answer.status == 0 and found["fits"] and found["system"] == BOARD
    assert found["cores_used"] == 3 and found["utilisation"]["neurons"]["limit"] == 4
    for verb in (
        ["run", "--input", str(files.spikes), "--runner", "partitioned"],
        ["energy", "--input", str(files.spikes)],
    ):
        assert cli(verb[0], bundle, *verb[1:]).status == 0
    assert cli("fit", files.plain, "--dt", "1e-3", "--system", BOARD).status == 0


def test_what_it_lacks_is_refused_by_name(files: Files, tmp_path: Path, cli: Cli) -> None:
    answer = cli("map", copied(files.graded_nd, tmp_path), "--system", BOARD)
    assert answer.status == 3
    assert "ND2090 last: needs the neuron model li, which loihi3 does not have (made up for a test" in answer.err
    assert "loihi2 has it (oheo-gulch, kapoho-point, vpx-16, alia-point, hala-point)" in answer.err
    assert "loihi1 has it" not in answer.err
    rows = cli.json("fit", files.graded, "--dt", "1e-3")["rows"]
    refused = {row["system"] for row in rows if not row["fits"]}
    assert refused == {BOARD, "loihi1-nahuku"}


def test_an_unknown_name_lists_it(tmp_path: Path, files: Files, cli: Cli) -> None:
    answer = cli("map", copied(files.plain_nd, tmp_path), "--system", "made-up-bord")
    assert answer.status == 2 and f"did you mean {BOARD}?" in answer.err
