"""Where verbs write: nothing of a user's is replaced but the file that was named, and a refusal touches nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.networks import WRITING, World
from tests.tiny import Cli, snapshot, unchanged

MAP = "map PLAIN_ND --system"


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


@pytest.mark.parametrize("there", THERE)
@pytest.mark.parametrize("verb", WRITING)
def test_only_files_are_replaced(verb: str, there: str, world: World, cli: Cli) -> None:
    (make, says), typed = THERE[there], world.typed(WRITING[verb])
    place = Path(typed[-1])
    make(place)
    with unchanged(world.here):
        found = cli(*typed)
    assert (found.status, found.out) == (2, "")
    line = found.err.splitlines()[-1]
    assert line.startswith(f"error ND5004 {place}: ") and says in line


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out.json", '{"mine": 1}'), ("out.json", '{\n  "mine": 1\n}'), ("out.json", "mine"),
        ("out_cores.csv", "chip;core\n1;2\n"), ("out_populations.csv", "projection,source\n"),
        ("out_projections.csv", "mine"),
    ],
)  # fmt: skip
def test_a_report_replaces_no_file_of_others_beside_it(name: str, content: str, world: World, cli: Cli) -> None:
    typed, place = world.typed(WRITING["report"]), world.file(name, content)
    with unchanged(world.here):
        found = cli(*typed)
    assert found.status == 2
    assert f"error ND5004 {place}: exists and was not written by a verb like this one" in found.err


def test_a_report_replaces_its_own(world: World, cli: Cli) -> None:
    """Also where the mapping, and with it the table of cores, is another one; and empty files."""
    world.file("out.json", "")
    assert cli(*world.typed(WRITING["report"])).status == 0
    before = snapshot(world.here)
    for line in (f"{MAP} kapoho-point", WRITING["report"]):
        assert cli(*world.typed(line)).status == 0
    assert set(snapshot(world.here)) == set(before)


def test_an_export_replaces_no_file_of_others_in_its_folder(world: World, cli: Cli) -> None:
    folder, typed = world.here / "sanafe", world.typed("export PLAIN_ND --format sanafe --out HERE/sanafe")
    assert cli(*typed).status == 0, "this network has a description for SANA-FE"
    (folder / "notes.txt").write_text("precious")
    assert cli(*typed).status == 0
    assert sorted(path.name for path in folder.iterdir()) == ["arch.yaml", "network.yaml", "notes.txt"]
    (folder / "network.yaml").write_text("my: own\n")
    with unchanged(world.here):
        found = cli(*typed)
    assert found.status == 2 and f"error ND5004 {folder / 'network.yaml'}" in found.err


def test_map_work_touches_nothing_else_in_its_folder(world: World, cli: Cli) -> None:
    work, typed = world.here / "work", world.typed(f"{MAP} oheo-gulch --work")
    _folder(work)
    (work / "manifest.json").write_text("{}")
    before = snapshot(work)
    assert cli(*typed, work).status == 0
    assert before.items() <= snapshot(work).items() and len(snapshot(work)) > len(before)
    found = cli(*typed, work / "mine")
    assert (found.status, found.code) == (2, "ND2022")
    assert (work / "mine").read_text() == "precious"


def test_a_mapping_that_is_a_link_is_not_followed(world: World, cli: Cli) -> None:
    """A bundle of a stranger must not lead our writing elsewhere."""
    typed, mine = world.typed(f"{MAP} oheo-gulch"), world.file("mine", "precious")
    mapping = Path(typed[1]) / "mapping.json"
    mapping.unlink()
    mapping.symlink_to(mine)
    with unchanged(world.here):
        found = cli(*typed)
    assert (found.status, found.code) == (2, "ND5004")
