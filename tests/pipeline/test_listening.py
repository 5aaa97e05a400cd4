"""Progress where somebody watches, and what verbs remark for whoever listens to the logger "neurodeploy"."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import neurodeploy as nd
from neurodeploy.pipeline.verbs import verb
from tests.pipeline.networks import Files
from tests.tiny import Patch, environment

Progress = Callable[[str, int, int], None]


class Terminal(io.StringIO):
    """A stderr that says it is one."""

    def isatty(self) -> bool:
        return True


class ZMQInteractiveShell:
    """The name by which a kernel of notebooks is known."""


@verb
def working(progress: Progress | None = None) -> dict[str, Any]:
    if progress is not None:
        progress("stage of work", 1, 2)
    return {"seen": progress is not None}


@verb
def chained(progress: Progress | None = None) -> dict[str, Any]:
    """Calls a verb without passing its progress on, and a second one with it."""
    return {"own": progress is not None, "without": working()["seen"], "passed": working(progress=progress)["seen"]}


def test_terminals_show_progress(monkeypatch: Patch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert working()["seen"] and "stage of work" in screen.getvalue() and "1/2" in screen.getvalue()


def test_one_bar_however_many_verbs(monkeypatch: Patch) -> None:
    """Two at once would be an error of the library that draws them; after a verb has failed the next one has its own."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert chained() == {"own": True, "without": False, "passed": True}

    @verb
    def failing(progress: Progress | None = None) -> dict[str, Any]:
        raise ValueError

    with pytest.raises(ValueError):
        failing()
    assert working()["seen"]


def test_whoever_passes_one_keeps_it(monkeypatch: Patch) -> None:
    screen, told = Terminal(), list[str]()
    monkeypatch.setattr(sys, "stderr", screen)
    assert working(progress=lambda stage, done, total: told.append(stage))["seen"]
    assert told == ["stage of work"] and screen.getvalue() == ""


def test_notebooks_show_progress(monkeypatch: Patch) -> None:
    kernel = ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setattr(kernel, "get_ipython", ZMQInteractiveShell, raising=False)
    assert working()["seen"]
    monkeypatch.setattr(kernel, "get_ipython", lambda: None)
    assert not working()["seen"]


def test_scripts_and_tests_show_none(files: Files) -> None:
    assert not working()["seen"]
    script = f"import neurodeploy as nd\nnd.map({str(files.plain_nd)!r}, 'oheo-gulch')"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_remarks_are_logged(files: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Open questions and warnings loudly, the answer and notes for whoever asks for them."""
    with caplog.at_level(logging.INFO, logger="neurodeploy"):
        found = nd.convert(files.plain, tmp_path / "x.nd", dt=1e-3)
        mapped = nd.map(tmp_path / "x.nd", "oheo-gulch")
    said = {(record.levelname, record.getMessage()) for record in caplog.records if record.name == "neurodeploy"}
    assert found["open_questions"] and found["warnings"]
    loud = {("WARNING", f"convert: {line}") for line in (*found["open_questions"], *found["warnings"])}
    assert loud == {entry for entry in said if entry[0] == "WARNING"}
    assert ("INFO", f"map: {repr(mapped).splitlines()[0]}") in said


def test_nobody_who_does_not_ask_hears_them(files: Files, tmp_path: Path) -> None:
    """Python prints warnings of a logger without a handler on stderr; ours has one that says nothing."""
    script = f"import neurodeploy as nd\nnd.convert({str(files.plain)!r}, {str(tmp_path / 'x.nd')!r}, dt=1e-3)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
