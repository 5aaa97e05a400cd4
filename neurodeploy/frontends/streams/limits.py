"""How much of a file is read at once."""

from __future__ import annotations

from pathlib import Path

from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import size_of

#: Most elements and bytes of an input: 100 steps of 20 million neurons; more is run in stretches of time.
MOST, MOST_BYTES = 1 << 31, 1 << 33


def check_size(path: Path, name: str, shape: tuple[int, ...], most: int = MOST) -> None:
    """ND3254 before an array of `shape` is read."""
    count = size_of(shape)
    if count > most:
        problem = f"has {count} values {shape}, at most {most} are read at once"
        raise UserError("ND3254", f"{path}: {name}", problem, "cut the recording in time and use --resume")
