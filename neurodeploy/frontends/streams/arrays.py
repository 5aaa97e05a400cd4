"""NumPy files as input: one array for the only input, or arrays by their names. How much is read at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import size_of
from neurodeploy.storage.numpy_files import Header, header_of, mapped, open_archive

_FIX = "write it with numpy.save or numpy.savez, without objects"
#: Most elements and bytes of an input: 100 steps of 20 million neurons; more is run in stretches of time.
MOST, MOST_BYTES = 1 << 31, 1 << 33


def check_size(path: Path, name: str, shape: tuple[int, ...], most: int = MOST) -> None:
    """ND3254 before an array of `shape` is read."""
    count = size_of(shape)
    if count > most:
        problem = f"has {count} values {shape}, at most {most} are read at once"
        raise UserError("ND3254", f"{path}: {name}", problem, "cut the recording in time and use --resume")


def read_npy(
    path: Path, label: str, names: tuple[str, ...], dt: float | None, notes: list[str]
) -> dict[str, NDArray[Any]]:
    """One array for the only input of the network."""
    if len(names) != 1:
        problem = f"is one array, {label} needs {list(names)}"
        raise UserError("ND3252", path, problem, "give an .npz with an array for each")
    try:
        header = header_of(path, lambda header: _bounded(path, names[0], header))
        return {names[0]: mapped(path, header)}
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from None


def read_npz(
    path: Path, label: str, names: tuple[str, ...], dt: float | None, notes: list[str]
) -> dict[str, NDArray[Any]]:
    """Arrays by the names of the inputs; an archive of one array serves a network of one input whatever its name.

    Nothing is unpacked before all names and declared sizes are known to be those that are needed.
    """
    try:
        with open_archive(path) as archive:
            members = tuple(archive.headers)
            for name, header in archive.headers.items():
                _bounded(path, name, header)
            alone = len(members) == 1 and len(names) == 1
            if set(members) != set(names) and not alone:
                return {name: np.empty(0) for name in members}  # the caller says which names are wrong
            found = {name: archive.read(name) for name in members}
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from None
    if alone and members != names:
        notes.append(f"{names[0]}: read from the only array {members[0]!r}")
        return {names[0]: found[members[0]]}
    return found


def _bounded(path: Path, name: str, header: Header) -> None:
    """ND3254 where a header declares too much."""
    check_size(path, name, header.shape, min(MOST, MOST_BYTES // header.dtype.itemsize))


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or str(error)
    return UserError("ND3251", path, f"cannot be read: {reason:.200}", _FIX)
