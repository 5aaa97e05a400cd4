"""`FileStore`: what stores of tensors in files share, whatever the format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.files import MappedFile, check_finite, no_such_tensor, row_range

#: A basic numpy index.
Key = tuple[int | slice, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor lies: its type as stored ("BF16", "Q4_K"), its shape in torch order, bytes ``begin:end`` of a file."""

    file: MappedFile
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def data(self) -> NDArray[np.uint8]:
        """The stored bytes as a read-only view: nothing is copied."""
        return self.file.view(self.begin, self.end)


class FileStore(ABC):
    """`WeightStore` over mapped files. A format fills `entries` and `mapped`, and reads `values`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.entries: dict[str, Entry] = {}
        self.mapped: list[MappedFile] = []

    @abstractmethod
    def values(self, name: str, key: Key) -> NDArray[np.float32]:
        """Part of a tensor as new, C-contiguous float32; no more is read than it needs."""

    def entry(self, name: str) -> Entry:
        """Raises ND1006 with the nearest name."""
        if name not in self.entries:
            raise no_such_tensor(name, self.entries, self.path)
        return self.entries[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self.entries)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.entry(name).shape

    def get(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Rows ``start:stop`` (a Python slice of the first axis), checked to be finite (ND1007)."""
        shape = self.shape(name)
        return self.block(name, (slice(*row_range(shape, start, stop)),) if shape else ())

    def block(self, name: str, key: Key) -> NDArray[np.float32]:
        """``tensor[key]``, checked to be finite (ND1007)."""
        array = self.values(name, key)
        first = key[0] if key else 0
        check_finite(array, name, first.start or 0 if isinstance(first, slice) else 0)
        return array

    def release(self) -> None:
        for file in self.mapped:
            file.release()

    def files(self) -> tuple[str, ...]:
        return tuple(str(file.path) for file in self.mapped)
