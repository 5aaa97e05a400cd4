"""Where verbs write: nothing of a user's is replaced but the file that was named, and a refusal touches nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.networks import Files, copied
from tests.tiny import Cli, snapshot, unchanged

#: verb and options; OUT is the file to write, SPIKES the input
VERBS: dict[str, list[str]] = {
    "run --out": ["run", "--input", "SPIKES", "--out", "OUT"],
    "run --checkpoint": ["run", "--input", "SPIKES", "--checkpoint", "OUT"],
    "report": ["report", "--input", "SPIKES", "--out", "OUT"],
    "export to NIR": ["export", "--out", "OUT.nir"],
    "map --write-plan": ["map", "--system", "oheo-gulch", "--write-plan", "OUT"],
}


def _link(place: Path) -> None:
    place.with_name("mine").write_text("precious")
    place.symlink_to("mine")


def _folder(place: Path) -> None:
    place.mkdir()
    (place / "mine").write_text("precious")


THERE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link": (_link, "is a link to mine"),
    "a link to nothing": (lambda place: place.symlink_to("nowhere"), "is a link to nowhere"),
    "a folder": (_folder, "is a folder"),
    "a pipe": (os.mkfifo, "is a named pipe"),
}


@pytest.fixture
def bundle(tmp_path: Path, files: Files, cli: Cli) -> Path:
    copy = copied(files.plain_nd, tmp_path)
    assert cli("map", copy, "--system", "oheo-gulch").status == 0
    return copy


def filled(arguments: list[str], bundle: Path, files: Files, out: Path) -> list[str]:
    names = {"SPIKES": files.spikes, "OUT": out, "OUT.nir": out.with_suffix(".nir")}
    return [arguments[0], str(bundle), *(str(names.get(word, word)) for word in arguments[1:])]


@pytest.mark.parametrize("there", THERE)
@pytest.mark.parametrize("verb", VERBS)
def test_only_files_are_replaced(verb: str, there: str, bundle: Path, files: Files, tmp_path: Path, cli: Cli) -> None:
    make, says = THERE[there]
    arguments = filled(VERBS[verb], bundle, files, tmp_path / "out")
    place = Path(arguments[-1])
    make(place)
    with unchanged(tmp_path):
        found = cli(*arguments)
    assert (found.status, found.out) == (2, "")
    line = found.err.splitlines()[-1]
    assert line.startswith(f"error ND5004 {place}: ") and says in line


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.json", '{"mine": 1}'),
        ("r.json", '{\n  "mine": 1\n}'),
        ("r.json", "mine"),
        ("r_cores.csv", "chip;core\n1;2\n"),
        ("r_populations.csv", "projection,source\n"),
        ("r_projections.csv", "mine"),
    ],
)
def test_a_report_replaces_no_file_of_others_beside_it(
    name: str, content: str, bundle: Path, files: Files, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / name).write_text(content)
    with unchanged(tmp_path):
        found = cli(*filled(VERBS["report"], bundle, files, tmp_path / "r.html"))
    assert found.status == 2
    assert f"error ND5004 {tmp_path / name}: exists and was not written by a verb like this one" in found.err


def test_a_report_replaces_its_own(bundle: Path, files: Files, tmp_path: Path, cli: Cli) -> None:
    """Also where the mapping, and with it the table of cores, is another one; and empty files."""
    (tmp_path / "r.json").write_text("")
    arguments = filled(VERBS["report"], bundle, files, tmp_path / "r.html")
    assert cli(*arguments).status == 0
    before = snapshot(tmp_path)
    assert cli("map", bundle, "--system", "kapoho-point").status == 0
    assert cli(*arguments).status == 0
    assert set(snapshot(tmp_path)) == set(before)


def test_an_export_replaces_no_file_of_others_in_its_folder(
    bundle: Path, files: Files, tmp_path: Path, cli: Cli
) -> None:
    folder = tmp_path / "sanafe"
    arguments = ["export", str(bundle), "--format", "sanafe", "--out", str(folder)]
    assert cli(*arguments).status == 0, "this network has a description for SANA-FE"
    (folder / "notes.txt").write_text("precious")
    assert cli(*arguments).status == 0
    assert sorted(path.name for path in folder.iterdir()) == ["arch.yaml", "network.yaml", "notes.txt"]
    (folder / "network.yaml").write_text("my: own\n")
    with unchanged(tmp_path):
        found = cli(*arguments)
    assert found.status == 2 and f"error ND5004 {folder / 'network.yaml'}" in found.err


def test_map_work_touches_nothing_else_in_its_folder(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    work = tmp_path / "work"
    _folder(work)
    (work / "manifest.json").write_text("{}")
    before = snapshot(work)
    arguments = ["map", str(bundle), "--system", "oheo-gulch", "--work"]
    assert cli(*arguments, work).status == 0
    assert before.items() <= snapshot(work).items() and len(snapshot(work)) > len(before)
    found = cli(*arguments, work / "mine")
    assert found.status == 2 and "ND2022" in found.err
    assert (work / "mine").read_text() == "precious"


def test_a_mapping_that_is_a_link_is_not_followed(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    """A bundle of a stranger must not lead our writing elsewhere."""
    (tmp_path / "mine").write_text("precious")
    (bundle / "mapping.json").unlink()
    (bundle / "mapping.json").symlink_to(tmp_path / "mine")
    with unchanged(tmp_path):
        found = cli("map", bundle, "--system", "oheo-gulch")
    assert (found.status, found.code) == (2, "ND5004")
