"""NumPy files of strangers. No pickle is ever read, and no value before names, types and sizes of all are known.

Members of an .npz are stored or deflated, as `numpy.savez` writes them. Everything else that a zip file may hold is
refused before a byte of it is unpacked: a block of bzip2 or LZMA has no bound on what it becomes, deflate has one.

Whatever is wrong with a file is a `ValueError` whose text can be shown, or an `OSError` of the system.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.storage.opening import open_regular

#: Deflate cannot expand more than 1032-fold (zlib, "Maximum Compression Factor", https://zlib.net/zlib_tech.html).
EXPANSION = 1032
METHODS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: EXPANSION}
NAMES = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA", 93: "Zstandard", 9: "deflate64"}
ENCRYPTED = 1
_PIECE = 1 << 20
_VERSIONS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an .npy say: `start` is where the values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def values(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.values * self.dtype.itemsize

    def shaped(self, data: NDArray[np.uint8]) -> NDArray[Any]:
        """Bytes as the values that they are, in their shape."""
        values: NDArray[Any] = data.view(self.dtype).reshape(self.shape, order="F" if self.fortran else "C")
        return values


@contextmanager
def _told() -> Iterator[None]:
    """Neither numpy nor zipfile say what they raise for damaged files: all of it becomes `ValueError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of headers that Python 2 wrote
            yield
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from None


def read_header(file: IO[bytes]) -> Header:
    """Read the header alone. `ValueError` where it is none, or tells of anything but numbers and plain texts."""
    with _told():
        version = np.lib.format.read_magic(file)
        read = _VERSIONS.get(version)
        if read is None:
            raise ValueError(f"its format {version} is not known")
        shape, fortran, dtype = read(file)
        start = file.tell()
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError("it holds Python objects" if dtype.hasobject else f"its values are of type {dtype}")
    if any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"its shape is {shape!s:.80}")
    return Header(shape, dtype, fortran, start)


def header_of(path: Path, check: Callable[[Header], None] = lambda header: None) -> Header:
    """The header of an .npy file, once `check` has seen it. `ValueError` also where the file holds less than it declares."""
    with open_regular(path) as file:
        header = read_header(file)
        check(header)
        stored = file.seek(0, 2) - header.start
    if header.nbytes > stored:
        raise ValueError(f"it declares {header.nbytes} bytes and holds {stored}")
    return header


def mapped(path: Path, header: Header) -> NDArray[Any]:
    """The values of an .npy file, mapped and not yet read."""
    if not header.values:
        return np.zeros(header.shape, header.dtype)
    return header.shaped(np.memmap(path, np.uint8, "r", header.start, (header.nbytes,)))


def from_bytes(data: bytes) -> NDArray[Any]:
    """The array of an .npy file that is in memory."""
    header = read_header(io.BytesIO(data))
    if header.start + header.nbytes != len(data):
        raise ValueError(f"it declares {header.nbytes} bytes and holds {len(data) - header.start}")
    return header.shaped(np.frombuffer(data, np.uint8, header.nbytes, header.start).copy())


class Archive:
    """An opened .npz: `headers` by the names of its arrays; `read` for the values of one."""

    def __init__(self, file: IO[bytes]) -> None:
        with _told():
            self._zip = zipfile.ZipFile(file)
            self._members: dict[str, zipfile.ZipInfo] = {}
            for info in self._zip.infolist():
                name = info.filename.removesuffix(".npy")
                _check_member(name, info)
                if name in self._members:
                    raise ValueError(f"{name:.80} is in it twice")
                self._members[name] = info
            self.headers = {name: self._header(name) for name in self._members}

    def _header(self, name: str) -> Header:
        info = self._members[name]
        try:
            with self._zip.open(info) as file:
                return read_header(file)
        except ValueError as error:
            raise ValueError(f"{name:.80}: {error}") from None

    def read(self, name: str) -> NDArray[Any]:
        """The values of one array, checked against the checksum of the archive."""
        header, size = self.headers[name], self._members[name].file_size
        if header.start + header.nbytes != size:
            raise ValueError(f"{name:.80} declares {header.nbytes} bytes and has {size - header.start}")
        data = np.empty(header.nbytes, np.uint8)
        with _told(), self._zip.open(self._members[name]) as file:
            file.read(header.start)
            for begin in range(0, len(data), _PIECE):
                piece = file.read(min(_PIECE, len(data) - begin))
                if begin + len(piece) != min(begin + _PIECE, len(data)):
                    raise ValueError(f"{name:.80} is truncated")
                data[begin : begin + len(piece)] = np.frombuffer(piece, np.uint8)
            file.read(1)  # the checksum is compared at the end
        return header.shaped(data)


def _check_member(name: str, info: zipfile.ZipInfo) -> None:
    most = METHODS.get(info.compress_type)
    if most is None:
        kind = NAMES.get(info.compress_type, f"method {info.compress_type}")
        raise ValueError(
            f"{name:.80} is compressed by {kind}: stored and deflated arrays are read, as numpy writes them"
        )
    if info.flag_bits & ENCRYPTED:
        raise ValueError(f"{name:.80} is encrypted")
    if info.file_size > most * info.compress_size:
        raise ValueError(f"{name:.80} declares {info.file_size} bytes and stores {info.compress_size}")


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """An .npz file with all its headers read and checked. `ValueError` or `OSError` where it cannot be."""
    with open_regular(path) as file:
        yield Archive(file)
