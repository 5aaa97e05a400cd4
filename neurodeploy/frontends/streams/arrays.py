"""NumPy files. Never a pickle; the header is read and its size bounded before the values are."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.frontends.streams.values import MOST, MOST_BYTES, check_size

_FIX = "write it with numpy.save or numpy.savez, without objects"


def read_npy(
    path: Path, label: str, names: tuple[str, ...], dt: float | None, notes: list[str]
) -> dict[str, NDArray[Any]]:
    """One array for the only input of the network."""
    if len(names) != 1:
        problem = f"is one array, {label} needs {list(names)}"
        raise UserError("ND3252", path, problem, "give an .npz with an array for each")
    name = names[0]
    try:
        with path.open("rb") as file:
            _bounded(path, name, file)
        return {name: np.load(path, mmap_mode="r", allow_pickle=False)}
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise UserError("ND3251", path, f"cannot be read: {error!s:.200}", _FIX) from None


def read_npz(
    path: Path, label: str, names: tuple[str, ...], dt: float | None, notes: list[str]
) -> dict[str, NDArray[Any]]:
    """Arrays by the names of the inputs; an archive of one array serves a network of one input whatever its name.

    Nothing is unpacked before all names and declared sizes are known to be those that are needed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            for name, member in members.items():
                with archive.open(member) as file:
                    _bounded(path, name, file)
        alone = len(members) == 1 and len(names) == 1
        if set(members) != set(names) and not alone:
            return {name: np.empty(0) for name in members}  # the caller says which names are wrong
        with np.load(path, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in members}
    except (
        ValueError,
        OSError,
        EOFError,
        SyntaxError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        raise UserError("ND3251", path, f"cannot be read: {error!s:.200}", _FIX) from None
    if alone and set(found) != set(names):
        notes.append(f"{names[0]}: read from the only array {next(iter(found))!r}")
        return {names[0]: next(iter(found.values()))}
    return found


def _bounded(path: Path, name: str, file: IO[bytes]) -> None:
    """Read the header alone: `ValueError` where it is none, ND3254 where it declares too much."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"its format {version} is not known")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects")
    check_size(path, name, shape, min(MOST, MOST_BYTES // max(1, dtype.itemsize)))
