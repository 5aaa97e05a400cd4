from __future__ import annotations

from importlib import metadata

import pytest

from neurodeploy.errors import TargetUnavailable
from targets.boards import loihi2_board


def test_the_board_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(TargetUnavailable, match=r"ND4002 loihi2: the package lava-loihi is not installed") as caught:
        loihi2_board()
    assert caught.value.exit_status == 4


def test_with_lava_loihi_it_says_that_there_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "0.7.0")
    with pytest.raises(TargetUnavailable, match=r"lava-loihi 0\.7\.0 is installed, but this version has no driver"):
        loihi2_board()
