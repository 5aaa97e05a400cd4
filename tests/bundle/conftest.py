from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def bundle(llama_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the mapped Llama to damage."""
    copy = tmp_path / "x.nd"
    shutil.copytree(llama_bundle, copy)
    return copy
