"""A store of arrays in memory that remembers what was read of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.file_store import Entry, FileStore, Key


class Arrays(FileStore):
    def __init__(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        super().__init__("memory")
        self.arrays = arrays
        self.entries = {name: Entry(None, "F32", np.shape(array), 0, 0) for name, array in arrays.items()}  # type: ignore[arg-type]
        self.read: list[tuple[str, Key]] = []

    def values(self, name: str, key: Key) -> NDArray[np.float32]:
        self.read.append((name, key))
        return np.array(self.arrays[name][key], np.float32, order="C")

    def release(self) -> None:
        self.read.append(("released", ()))

    def files(self) -> tuple[str, ...]:
        return ("a file",)
