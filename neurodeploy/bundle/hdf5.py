"""HDF5: arrays of files that exist are mapped; writes of new files go through Python, so that a full disk is an exception.

When the operating system refuses a write, HDF5 fails to close the file and crashes the process at its next look at it
(https://github.com/h5py/h5py/issues/914). So it is never told: the first refusal is kept, and raised when all is done.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import BundleError

#: Bytes below which an array is read and not mapped: a process has so many maps only.
SMALL = 1 << 20


class _Sink(io.FileIO):
    """A file that takes everything; `error` is the first thing that the system would not take."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while rest and self.error is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            super().truncate(size)
        except OSError as error:
            self.error = self.error or error
        return size or 0


@contextmanager
def new_hdf5(path: Path) -> Iterator[Any]:
    """An `h5py.File` to fill. Datasets are contiguous, so that readers can map them. Raises `OSError`."""
    import h5py

    with _Sink(path, "w+") as sink:
        with h5py.File(sink, "w", libver="latest") as file:
            yield file
        if sink.error:
            raise sink.error


class Lying(NamedTuple):
    """A dataset: where it begins in its file, None where it does not lie there in one piece."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int | None


def damaged(path: Path, problem: str) -> BundleError:
    return BundleError("ND5006", path, problem, "convert the model again")


def stored(path: Path) -> Mapping[str, Lying]:
    """All datasets of a file by name; nothing of them is read. ND5006 where it is no HDF5 file."""
    import h5py

    found: dict[str, Lying] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = Lying(item.dtype, item.shape, item.id.get_offset())

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, KeyError, TypeError, RuntimeError) as error:
        raise damaged(path, f"cannot be read: {error!s:.200}") from None
    return found


def map_stored(
    path: Path, name: str, found: Lying | None, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """A dataset as a memory map, or as a copy where it is small, after its type, shape and place in the file have
    been checked. ND5006.

    A map is copy-on-write: torch takes only writable arrays without a warning, and nothing could reach the file anyway.
    """
    if found is None or found.dtype != dtype or found.shape != shape:
        raise damaged(path, f"{name} is not {dtype} of shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    if found.offset is None or found.offset + size > path.stat().st_size:
        raise damaged(path, f"{name} does not lie in the file in one piece")
    if size > SMALL:
        return np.memmap(path, dtype, "c", found.offset, shape)
    return np.fromfile(path, dtype, math.prod(shape), offset=found.offset).reshape(shape)
