from __future__ import annotations

from importlib import metadata

import pytest

from neurodeploy.errors import TargetUnavailable, UserError
from targets.registry import BOARDS, get_board


@pytest.mark.parametrize("name", list(BOARDS))
def test_every_board_is_found_and_says_what_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(TargetUnavailable, match=r"ND4002 loihi2: the package lava-loihi is not installed") as caught:
        get_board(name)()
    assert caught.value.exit_status == 4


def test_with_lava_loihi_it_says_that_there_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "0.7.0")
    with pytest.raises(TargetUnavailable, match=r"lava-loihi 0\.7\.0 is installed, but this version has no driver"):
        get_board("loihi2")()


def test_unknown_board() -> None:
    with pytest.raises(UserError, match="ND4001") as caught:
        get_board("loihi9")
    assert "loihi2" in caught.value.fix
