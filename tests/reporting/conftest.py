"""Synthetic report data, and the pages made of them once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from neurodeploy.reporting.render import render
from tests.reporting import synthetic as made_up


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    return made_up


@pytest.fixture
def smollm(synthetic: ModuleType) -> dict[str, Any]:
    """A fresh copy that a test may change."""
    data: dict[str, Any] = synthetic.smollm()
    return data


@pytest.fixture(scope="session")
def pages(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Case -> its page, with the files beside it."""
    folder = tmp_path_factory.mktemp("report")
    cases: dict[str, Callable[[], dict[str, Any]]] = synthetic.CASES
    return {name: render(make(), folder / f"{name}.html")[0] for name, make in cases.items()}
