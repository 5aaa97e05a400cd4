"""Files of these tests are written by the tests themselves: they are read in this process, where nothing says otherwise."""

from __future__ import annotations

import pytest

from neurodeploy.frontends import hdf5_guard


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "isolated" not in request.fixturenames:
        monkeypatch.setattr(hdf5_guard, "ISOLATE", False)


@pytest.fixture
def isolated() -> None:
    """Asked for by tests that read as a user does: in a process of its own."""
