"""The README is short, and its commands and its Python work as they are printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_links import ROOT
from tests.tiny import environment

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_it_is_read_in_two_minutes() -> None:
    assert 60 <= README.count("\n") <= 80


def test_its_commands_work_as_printed(tmp_path: Path) -> None:
    """In an empty folder, one after the other; each answers in five lines at most, but what a model writes."""
    commands = [line for block in blocks() for line in block.splitlines() if line.startswith("neurodeploy ")]
    assert [line.split()[1] for line in commands] == ["convert", "map", "generate", "energy"]
    for line in commands:
        call = [sys.executable, "-m", "neurodeploy", *shlex.split(line)[1:]]
        done = subprocess.run(call, cwd=tmp_path, env=environment(), capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        assert 1 <= len(done.stdout.splitlines()) <= 5 or " generate " in line


def test_its_python_works_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Generated token: ")


def test_the_makefile_has_what_it_names() -> None:
    named = {target for block in blocks() for target in re.findall(r"^make (\w+)", block, re.MULTILINE)}
    assert named and all(f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8") for target in named)
