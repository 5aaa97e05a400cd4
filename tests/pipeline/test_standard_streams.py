"""Standard streams that cannot be written: full, closed, without a reader. One line with a code, never a traceback."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.tiny import environment, python

REFUSED = "error ND5004 standard output: cannot be written: "


def shell(arguments: list[str], redirections: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.join(python(*arguments))} {redirections}"
    return subprocess.run(["sh", "-c", command], env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize(
    "arguments", [["explain", "BUNDLE", "--json"], ["explain", "BUNDLE"], ["--version"], ["map", "-h"]]
)
@pytest.mark.parametrize(
    ("redirections", "reason"), [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_output_that_cannot_be_written(
    arguments: list[str], redirections: str, reason: str, llama_bundle: Path
) -> None:
    """Small and large outputs, of our own and of the library of the command line."""
    found = shell([str(llama_bundle) if word == "BUNDLE" else word for word in arguments], redirections)
    assert found.returncode == 2 and found.stderr.startswith(REFUSED + reason)
    assert found.stderr.count("\n") == 1 and found.stdout == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("redirections", ["> /dev/full", ">&-", "<&- >&-"])
def test_an_error_is_told_all_the_same(redirections: str) -> None:
    found = shell(["explain", "nothere.nd", "--json"], redirections)
    assert found.returncode == 2 and found.stderr.startswith("error ND5001 nothere.nd")
    assert found.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("redirections", ["2> /dev/full", "2>&-", "<&- 2>&-"])
def test_messages_that_cannot_be_written_change_nothing(redirections: str) -> None:
    assert shell(["--version"], redirections).returncode == 0
    found = shell(["explain", "nothere.nd", "--json"], redirections)
    assert found.returncode == 2 and '"code": "ND5001"' in found.stdout


def test_a_closed_stream_is_no_place_for_a_file(llama_bundle: Path, tmp_path: Path) -> None:
    """A file that is opened when 1 is free gets that number, and whatever is printed to it."""
    before = {path: path.read_bytes() for path in llama_bundle.rglob("*") if path.is_file()}
    found = shell(["report", str(llama_bundle), "--out", str(tmp_path / "r.html")], "<&- >&- 2>&-")
    assert found.returncode == 2 and (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "BUNDLE"], ["explain", "BUNDLE", "--json"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str], llama_bundle: Path) -> None:
    arguments = [str(llama_bundle) if word == "BUNDLE" else word for word in arguments]
    found = shell(arguments, "; echo $? >&2")  # as it is with a reader
    assert found.stderr == "0\n"
    pipe = f"({shlex.join(python(*arguments))}; echo $? >&2) | true"
    left = subprocess.run(["sh", "-c", pipe], env=environment(), capture_output=True, text=True, check=False)
    assert left.stderr == "0\n"
