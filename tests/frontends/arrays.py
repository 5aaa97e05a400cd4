"""A store of arrays in memory that remembers what was read of it; files with changed bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurodeploy.errors import NeurodeployError
from neurodeploy.frontends.file_store import Entry, FileStore, Key
from tests import effort


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


def read_damaged(opened: Callable[[Path], FileStore], path: Path, whole: bytes, data: Any, codes: set[str]) -> None:
    """One to four bytes of a file changed and its end cut: all its values are finite, or it is refused so."""
    blob = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(blob[: data.draw(st.integers(len(blob) // 2, len(blob)))])
    with effort.at_most(200):
        try:
            store = opened(path)
            for name in store.names():
                assert np.isfinite(store.get(name)).all()
        except NeurodeployError as error:
            assert error.code in codes
