"""The files of a report: all of them or none, nothing lost, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from neurodeploy.errors import BundleError
from neurodeploy.reporting import files
from neurodeploy.reporting.render import render
from tests.refusals import refused
from tests.tiny import Patch

NAMES = ["x.html", "x.json", *(f"x{end}" for end in files.TABLES)]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_these_files_and_nothing_else(smollm: dict[str, Any], tmp_path: Path) -> None:
    written = render(smollm, tmp_path / "new" / "x.html")
    assert [path.name for path in written] == NAMES
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(NAMES)


def test_json_is_the_data(smollm: dict[str, Any], tmp_path: Path) -> None:
    written = render(smollm, tmp_path / "x.html")
    assert json.loads(written[1].read_text("utf-8")) == smollm


def test_a_number_that_json_lacks_is_null(smollm: dict[str, Any]) -> None:
    smollm["accuracy"]["chip"]["perplexity"] = float("inf")
    found = json.loads(files.to_json(smollm))
    assert found["accuracy"]["chip"]["perplexity"] is None


def test_csv_has_every_operation_entry_and_core(smollm: dict[str, Any], tmp_path: Path) -> None:
    _, _, ops, energy, _, _, cores = render(smollm, tmp_path / "x.html")
    assert [row["path"] for row in rows(ops)] == [op["path"] for op in smollm["explain"]]
    entries = smollm["energy"]["generate"]["entries"]
    found = [row for row in rows(energy) if row["phase"] == "generate"]
    assert [float(row["joules_high"]) for row in found] == [entry["joules"]["high"] for entry in entries]
    assert {row["unit"] for row in found} == {"J", "W"}
    table = rows(cores)
    assert [int(row["core"]) for row in table] == smollm["map"]["cores"]["core"]
    assert [float(r["neurons_fraction"]) for r in table] == smollm["map"]["cores"]["resource_fractions"]["neurons"]
    assert table[-1]["layer"] == ""


def test_what_was_not_run_gives_heads_only(synthetic: ModuleType, tmp_path: Path) -> None:
    for path in render(synthetic.bare(), tmp_path / "x.html")[2:]:
        assert len(path.read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_formula_reaches_a_spreadsheet(smollm: dict[str, Any], name: str) -> None:
    smollm["explain"] = [smollm["explain"][0] | {"path": name, "reason": 'a, "b"\nc'}]
    found = list(csv.reader(files.ops_csv(smollm).splitlines(keepends=True)))
    assert found[1][0] == f"'{name}"
    table = files.rows_csv("population", {name: {"model": name}})
    assert list(csv.reader(table.splitlines(keepends=True)))[1] == [f"'{name}", f"'{name}"]
    assert found[1][4] == 'a, "b"\nc'


@pytest.mark.parametrize(
    ("out", "base"), [("x.html", "x"), ("x.HTM", "x"), ("x", "x"), ("a.b.html", "a.b"), ("x.json", "x.json")]
)
def test_names_never_collide(smollm: dict[str, Any], tmp_path: Path, out: str, base: str) -> None:
    written = render(smollm, tmp_path / out)
    assert len(set(written)) == len(NAMES)
    assert written[0].name == out and written[1].name == f"{base}.json"


def test_files_are_replaced_and_readable_by_others(smollm: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text("old")
    mask = os.umask(0o022)
    try:
        path = render(smollm, tmp_path / "x.html")[0]
    finally:
        os.umask(mask)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("blocked", ["x.html", "x_cores.csv"])
def test_a_name_that_is_a_folder_is_a_user_error(smollm: dict[str, Any], tmp_path: Path, blocked: str) -> None:
    (tmp_path / blocked).mkdir()
    error = refused(BundleError, "ND5004", render, smollm, tmp_path / "x.html")
    assert error.subject.endswith(blocked)
    assert [path.name for path in tmp_path.iterdir()] == [blocked]


def test_a_folder_that_is_a_file_is_a_user_error(smollm: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(BundleError, "ND5004", render, smollm, tmp_path / "file" / "x.html")


def test_nothing_changes_when_a_file_cannot_be_written(
    smollm: dict[str, Any], tmp_path: Path, monkeypatch: Patch
) -> None:
    """The disk is full at the fourth file: the old page stays, and nothing is left over."""
    (tmp_path / "x.html").write_text("old")
    write = Path.write_text

    def full(self: Path, *args: Any, **kwargs: Any) -> int:
        if "_energy" in self.name:
            raise OSError(28, "No space left on device")
        return write(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BundleError, match="No space left on device"):
        render(smollm, tmp_path / "x.html")
    assert [path.name for path in tmp_path.iterdir()] == ["x.html"]
    assert (tmp_path / "x.html").read_text() == "old"
