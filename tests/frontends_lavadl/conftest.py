from __future__ import annotations

import pytest

from neurodeploy.frontends import hdf5_guard


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that the tests write themselves need no process of their own; `test_hdf5_guard` has both ways."""
    monkeypatch.setattr(hdf5_guard, "ISOLATE", False)
