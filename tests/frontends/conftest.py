from __future__ import annotations

import pytest

from neurodeploy.frontends import tokenizer_library


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Tokenizers that the tests write themselves need no process of their own, where nothing says otherwise."""
    if "isolated" not in request.fixturenames:
        monkeypatch.setattr(tokenizer_library, "ISOLATE", False)


@pytest.fixture
def isolated() -> None:
    """Asked for by tests that read a tokenizer as a user does: in a process of its own."""
