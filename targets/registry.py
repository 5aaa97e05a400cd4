"""Boards by name, in an explicit table: ``name -> "module:attribute"``. Nothing is scanned, nothing imported early."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import NoReturn

from neurodeploy.errors import TargetUnavailable, UserError

#: What drives a real board. A new board is a new line.
BOARDS: Mapping[str, str] = {"loihi2": "targets.registry:loihi2_board"}

_INSTEAD = "map and run on a simulator of the same program (--runner reference or --runner fast)"


def get_board(name: str) -> Callable[[], object]:
    """The function that opens the board `name`. Raises UserError ND4001 for a name that is not in `BOARDS`."""
    if name not in BOARDS:
        raise UserError("ND4001", name, "is not a board that we know", f"boards: {', '.join(BOARDS)}")
    module, _, attribute = BOARDS[name].partition(":")
    opener: Callable[[], object] = getattr(import_module(module), attribute)
    return opener


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
