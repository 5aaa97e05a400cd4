"""Real boards: what opens one, and why that cannot be done today."""

from __future__ import annotations

from importlib import metadata
from typing import NoReturn

from neurodeploy.errors import TargetUnavailable

_INSTEAD = "map and run on a simulator of the same program (--runner reference or --runner fast)"


def loihi2_board() -> NoReturn:
    """Open a Loihi 2 board. It always refuses today and says what is missing.

    Intel gives `lava-loihi` to members of its research community only. Without it there is no way to a board; with it,
    this version still has no driver, since none could be tested on a board.

    Raises
    ------
    TargetUnavailable ND4002
    """
    try:
        version = metadata.version("lava-loihi")
    except metadata.PackageNotFoundError:
        raise TargetUnavailable(
            "ND4002", "loihi2", "the package lava-loihi is not installed; Intel gives it to members of INRC", _INSTEAD
        ) from None
    raise TargetUnavailable(
        "ND4002", "loihi2", f"lava-loihi {version} is installed, but this version has no driver for it", _INSTEAD
    )
