"""Lava's interpreter with the stand-in of lava-loihi on its path, and a SLURM that has one partition: no board is near."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simulators.lava.discovery import find_lava

STAND_IN = Path(__file__).parent / "stand_in_of_loihi"
SINFO = """#!/bin/sh
echo "PARTITION AVAIL TIMELIMIT NODES STATE NODELIST"
echo "stand_in up infinite 1 idle stand-in-of-a-board"
"""


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter that NEURODEPLOY_LAVA_PYTHON names meanwhile."""
    lava = find_lava()
    assert lava is not None
    folder = tmp_path / "stand_in"
    folder.mkdir()
    program(folder / "sinfo", SINFO)
    start = f'#!/bin/sh\nPYTHONPATH="{STAND_IN}:$PYTHONPATH" exec "{lava.python.absolute()}" "$@"\n'
    monkeypatch.setenv("NEURODEPLOY_LAVA_PYTHON", str(program(folder / "python", start)))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PARTITION", "stand_in")
    for name in ("BOARD", "NXSDKHOST", "LOIHI_GEN", "STAND_IN_OF_LOIHI"):
        monkeypatch.delenv(name, raising=False)
    return folder
