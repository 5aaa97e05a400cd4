"""Finding an interpreter with Lava, without one: folders and interpreters are made up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from neurodeploy.errors import TargetUnavailable
from simulators.lava import discovery
from tests.refusals import refused

#: Answers the probe like an interpreter that has Lava.
FAKE = """#!{python}
import json
found = {{"lava-nc": "{version}", "numpy": "1.26.4", "scipy": "1.15.3", "networkx": "2.8.7"}}
print(json.dumps({{"python": {numbers}, "executable": "x", "found": found}}))
"""


def fake(path: Path, version: str = "0.10.0", numbers: tuple[int, int, int] = (3, 10, 13)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE.format(python=sys.executable, version=version, numbers=list(numbers)), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(discovery.VARIABLE, raising=False)


def test_the_variable_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / ".venv-lava" / "bin" / "python")
    named = fake(tmp_path / "named", numbers=(3, 12, 1))
    monkeypatch.setenv(discovery.VARIABLE, str(named))
    found = discovery.find_lava()
    assert found is not None
    assert (found.python, found.version, found.needs_shim) == (named, "0.10.0", True)
    assert discovery.describe().startswith("lava: lava-nc 0.10.0 on Python 3.12.1, numpy 1.26.4, import repaired")


def test_the_environment_in_the_working_directory(tmp_path: Path) -> None:
    python = fake(tmp_path / ".venv-lava" / "bin" / "python")
    found = discovery.find_lava()
    assert found is not None
    assert (found.python, found.needs_shim) == (python, False)
    assert "repaired" not in discovery.describe()


@pytest.mark.parametrize("what", ["missing", "no lava", "no interpreter"])
def test_a_variable_that_names_something_else(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "python"
    if what == "no lava":
        path = fake(path, version="")
    elif what == "no interpreter":
        path.write_text("text", encoding="utf-8")
    monkeypatch.setenv(discovery.VARIABLE, str(path))
    error = refused(TargetUnavailable, "ND4101", discovery.find_lava)
    assert "make lava" in error.fix
    assert str(path) in discovery.describe()


def test_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_candidates", lambda: iter(()))
    assert discovery.find_lava() is None
    error = refused(TargetUnavailable, "ND4100", discovery.require_lava)
    assert "make lava" in error.fix and discovery.VARIABLE in error.fix
    assert discovery.describe().startswith("lava: not installed; run `make lava`")


def test_nothing_of_this_interpreter_reaches_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/here")
    monkeypatch.setenv("PYTHONHOME", "/there")
    cleaned = discovery.clean_environment()
    assert "PYTHONPATH" not in cleaned and "PYTHONHOME" not in cleaned
    assert discovery.clean_environment(Path("/worker"))["PYTHONPATH"] == "/worker"
