from __future__ import annotations

import pytest

from neurodeploy.frontends import hdf5_guard, tokenizer_library


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Files that the tests write themselves need no process of their own, where nothing says otherwise."""
    if "isolated" not in request.fixturenames:
        for module in (hdf5_guard, tokenizer_library):
            monkeypatch.setattr(module, "ISOLATE", False)


@pytest.fixture
def isolated() -> None:
    """Asked for by tests that read as a user does: in a process of its own."""
