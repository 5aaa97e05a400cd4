"""Temporary names with their maker inside: what is swept, left alone, taken over; cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.storage import temporary as names
from neurodeploy.storage.exchange import exchange
from neurodeploy.storage.tables import cell, clean, csv_text, marked
from tests.tiny import environment

#: Makes a file and a folder under temporary names beside sys.argv[1], with what is in sys.argv[2] as key, and is killed.
KILLED = """
import os, signal, sys
from contextlib import ExitStack
from pathlib import Path
from neurodeploy.storage.temporary import OLD, PART, PARTIAL, temporary
place, key, stack = Path(sys.argv[1]), sys.argv[2] or None, ExitStack()
stack.enter_context(temporary(place, PART)).write_text("half a file")
for kind in (PARTIAL, OLD):
    folder = stack.enter_context(temporary(place, kind, key if kind == PARTIAL else None))
    folder.mkdir()
    (folder / "inside").write_text("half a folder")
if len(sys.argv) > 3:
    print("ready", flush=True)
    sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_behind(place: Path, key: str = "") -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(place), key], env=environment(), timeout=600)
    assert done.returncode == -9


def listed(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    place = tmp_path / "x.nd"
    place.mkdir()
    (tmp_path / "other").write_text("not a leftover")
    leave_behind(place)
    assert len(listed(tmp_path)) == 5
    names.sweep(tmp_path / "x")  # another place, whose name is the begin of this one
    assert len(listed(tmp_path)) == 5
    names.sweep(place)
    assert listed(tmp_path) == ["other", "x.nd"]


def test_what_stepped_aside_comes_back(tmp_path: Path) -> None:
    leave_behind(tmp_path / "x.nd")
    names.sweep(tmp_path / "x.nd")
    assert listed(tmp_path) == ["x.nd"]
    assert (tmp_path / "x.nd" / "inside").read_text() == "half a folder"


def test_what_a_living_process_makes_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "x.nd"
    command = [sys.executable, "-c", KILLED, str(place), "c" * 64, "wait"]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == b"ready\n"
        before = listed(tmp_path)
        names.sweep(place)
        assert not names.taken_over(place, "c" * 64, tmp_path / "new")
        assert len(before) == 3 and listed(tmp_path) == before
        process.stdin.close()
    names.sweep(place)
    assert listed(tmp_path) == ["x.nd"]


def test_this_process_knows_what_it_is_using(tmp_path: Path) -> None:
    """It lives on after an interrupt, in a notebook: what it no longer uses is left over all the same."""
    place = tmp_path / "x"
    with names.temporary(place, names.PART) as aside:
        aside.write_text("half")
        names.sweep(place)
        assert aside.exists()
    assert aside.exists()
    names.sweep(place)
    assert not aside.exists()


def test_other_machines_and_processes_of_the_same_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "x"
    with names.temporary(place, names.PART) as aside:
        pass
    host, pid, start = aside.name.split(".")[2].split("-")
    assert int(pid) == os.getpid()
    elsewhere = aside.with_name(aside.name.replace(host, "0123abcd"))
    parent = aside.with_name(aside.name.replace(f"-{pid}-{start}", f"-{os.getppid()}-{names._start(os.getppid())}"))
    before = aside.with_name(aside.name.replace(f"-{pid}-{start}", f"-{os.getppid()}-fedcba98"))
    untold = aside.with_name(aside.name.replace(f"-{pid}-{start}", f"-{os.getppid()}-{'0' * 8}"))
    for path in (elsewhere, parent, before, untold):
        path.write_text("half")
    names.sweep(place)
    # Only the one of an earlier process that had the number of a living one is surely left over.
    assert listed(tmp_path) == sorted(path.name for path in (elsewhere, parent, untold))


def test_finished_work_is_taken_over_once_and_only_with_its_key(tmp_path: Path) -> None:
    place = tmp_path / "x.nd"
    place.mkdir()
    leave_behind(place, "a" * 64)
    names.sweep(place, keyed=False)
    assert len(listed(tmp_path)) == 2
    assert not names.taken_over(place, "b" * 64, tmp_path / "new")
    assert names.taken_over(place, "a" * 64, tmp_path / "new")
    assert not names.taken_over(place, "a" * 64, tmp_path / "newer")
    assert (tmp_path / "new" / "inside").read_text() == "half a folder" and listed(tmp_path) == ["new", "x.nd"]


@pytest.mark.parametrize("name", ["a" * 255, "\u00e4" * 127, "n" * 251 + ".nd", "\U0001f600" * 63])
def test_long_names(name: str, tmp_path: Path) -> None:
    """A name that the file system takes can be written, and leftovers of two such names are told apart."""
    path = tmp_path / name
    names.replace_file(path, b"whole")
    assert path.read_bytes() == b"whole" and listed(tmp_path) == [name]
    other = tmp_path / f"{name[:-1]}x"
    with names.temporary(path, names.PARTIAL, "f" * 64) as one, names.temporary(other, names.PARTIAL) as two:
        assert len(os.fsencode(one.name)) <= 143  # of eCryptfs; others have 255
        one.mkdir(), two.mkdir()
    names.sweep(path)
    assert listed(tmp_path) == sorted([name, two.name])


def test_a_file_takes_not_the_place_of_a_device() -> None:
    """Nor of links, folders and pipes: tests/pipeline/test_places.py asks every verb."""
    with pytest.raises(OSError, match="device"):
        names.replace_file(Path("/dev/null"), b"new")
    assert Path("/dev/null").is_char_device()


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        names.replace_file(tmp_path / "x", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="the system has no such call")
def test_exchange(tmp_path: Path) -> None:
    """Folders change places, whatever is in them; a missing one is an error and nothing moves."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    if not exchange(tmp_path / "one", tmp_path / "two"):
        pytest.skip("this file system cannot")
    assert listed(tmp_path / "one") == ["two"] and listed(tmp_path / "two") == ["one"]
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "gone")
    assert listed(tmp_path) == ["one", "two"]


#: By the lists of OWASP, and by what spreadsheets make of wide and small forms and of characters that are not seen.
FORMULAS = [
    "=1+1", "+1+1", "-2+3", "@SUM(1+1)", "\t=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(1)", "\ufe661", "\ufe62",
    "\ufe63", "\ufe6b", "\u22121", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1", "\n=1", "=cmd|' .exe'!A0",
]  # fmt: skip
PLAIN = ["lif", "1-2", "a=b", "'quoted'", "layers.0.attention", "0-2 5", "", "\u00fc", "(=1)"]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_marked_as_text(text: str) -> None:
    row = next(csv.reader(io.StringIO(csv_text([text], []))))
    assert row[0].startswith("'") and marked(row[0]) == clean(text)


@pytest.mark.parametrize("value", [*PLAIN, 3, -4, -0.5, None])
def test_all_else_stays_as_it_is(value: object) -> None:
    assert cell(value) == value


@given(st.text(alphabet="'=+-@ab \uff1d\u200b"))
def test_every_text_comes_back(text: str) -> None:
    assert marked(cell(text)) == clean(text)
