"""The tiny model with experts in three mappings: all on chips, partly on the host, and a folder to change one in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

#: One chip of so few neurons a core holds a part of the tiny model only.
ROWS = 4


class Pair(NamedTuple):
    """The same conversion, all resident and with a part of its islands on the host."""

    resident: Path
    offloaded: Path


@pytest.fixture(scope="session")
def pair(experts_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Do not change these."""
    from neurodeploy import pipeline

    folder = tmp_path_factory.mktemp("offload")
    found = Pair(folder / "resident.nd", folder / "offloaded.nd")
    for path in found:
        shutil.copytree(experts_bundle, path)
    pipeline.map(found.resident, max_rows=ROWS, place=False)
    pipeline.map(found.offloaded, chips=1, max_rows=ROWS, place=False)
    return found


@pytest.fixture
def copy(pair: Pair, tmp_path: Path) -> Path:
    """The resident bundle, to be changed."""
    path = tmp_path / "copy.nd"
    shutil.copytree(pair.resident, path)
    return path
