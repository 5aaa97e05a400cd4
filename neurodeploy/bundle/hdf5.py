"""New HDF5 files whose writes go through Python, so that a full disk is an exception.

When the operating system refuses a write, HDF5 fails to close the file and crashes the process at its next look at it
(https://github.com/h5py/h5py/issues/914). So it is never told: the first refusal is kept, and raised when all is done.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _Sink(io.RawIOBase):
    """A file that takes everything; `error` is the first thing that the system would not take."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while rest and self.error is None:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            self._file.truncate(size)
        except OSError as error:
            self.error = self.error or error
        return size or 0

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def new_hdf5(path: Path) -> Iterator[Any]:
    """An `h5py.File` to fill. Datasets are contiguous, so that readers can map them. Raises `OSError`."""
    import h5py

    with io.FileIO(path, "w+") as raw:
        sink = _Sink(raw)
        with h5py.File(sink, "w", libver="latest") as file:
            yield file
        if sink.error:
            raise sink.error
