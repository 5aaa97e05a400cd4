"""`FileStore`: what stores of tensors in files share, whatever the format; `MappedStore`: the tensors of a file under other
names, renamed and transformed lazily.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.files import MappedFile, check_finite, no_such_tensor, row_range
from neurodeploy.ir.stored_grid import StoredGrid

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

    def grid(self, name: str, start: int = 0, stop: int | None = None) -> StoredGrid | None:
        """Integers and constants of lines ``start:stop``, the tensor seen as (everything else, last axis); None where the
        file holds real numbers."""
        return None

    def release(self) -> None:
        for file in self.mapped:
            file.release()

    def files(self) -> tuple[str, ...]:
        return tuple(str(file.path) for file in self.mapped)


Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """How one tensor is made from a stored one. The steps apply in the order of the fields; each is optional.

    name : tensor of the store below
    index : entry of the first axis of a 3-D tensor (an expert); what follows sees the 2-D matrix
    rows, columns : ranges of the first and second axis
    transpose : swap the two axes
    heads : undo llama.cpp's interleaving of q and k rows, see `unpermute_rows`; 0 means leave it
    add : constant added to every value (1.0 where a family stores w and means 1 + w)
    """

    name: str
    index: int | None = None
    rows: Range | None = None
    columns: Range | None = None
    transpose: bool = False
    heads: int = 0
    add: float = 0.0


class MappedStore:
    """`WeightStore` whose tensors are named by `table` and read through another store, only the rows asked for.

    Shapes are checked when the store is made (ND1006), so that a wrong checkpoint fails before anything is read.
    """

    def __init__(self, store: FileStore, table: Mapping[str, Source]) -> None:
        self.store, self._table = store, table
        self._shapes = {key: _shape(key, source, store) for key, source in table.items()}

    def names(self) -> tuple[str, ...]:
        return tuple(self._table)

    def shape(self, name: str) -> tuple[int, ...]:
        if name not in self._shapes:
            raise no_such_tensor(name, self._table, "the model")
        return self._shapes[name]

    def get(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        shape, source = self.shape(name), self._table[name]
        low, high = row_range(shape, start, stop)
        if source.heads:
            array = self._unpermuted(source, shape, low, high)
        else:
            array = self._rows(source, shape, low, high)
        if source.add:
            array += np.float32(source.add)
        return array

    def grid(self, name: str, start: int = 0, stop: int | None = None) -> StoredGrid | None:
        """As stored, in the order of the model's rows; None where a step changes values or axes."""
        shape, source = self.shape(name), self._table[name]
        if len(shape) != 2 or source.transpose or source.add:
            return None
        low, high = row_range(shape, start, stop)
        size = shape[0] // source.heads if source.heads else 1
        first, last = low // size * size, -(-high // size) * size
        line = (source.rows or (0,))[0] + (source.index or 0) * self.store.shape(source.name)[-2]
        found = self.store.grid(source.name, line + first, line + last)
        if found is not None and source.columns:
            found = found.columns(*source.columns)
        if found is None:
            return None
        order = np.arange(last - first)
        if source.heads and last > first:
            order = unpermute_rows(order, (last - first) // size)
        return found.rows(order[low - first : high - first])

    def _rows(self, source: Source, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.float32]:
        """Rows ``low:high`` before `heads` and `add`."""
        if source == Source(source.name, heads=source.heads, add=source.add):
            return self.store.get(source.name, low, high)
        if source.transpose:
            first, second = source.rows or (0, shape[1]), source.columns or (0, shape[0])
            second = (second[0] + low, second[0] + high)
        else:
            first = source.rows or (0, shape[0])
            first = (first[0] + low, first[0] + high)
            second = source.columns or (0, shape[1] if len(shape) > 1 else 0)
        key: Key = (slice(*first),)
        if source.columns is not None or source.transpose:
            key = (*key, slice(*second))
        if source.index is not None:
            key = (source.index, *key)
        array = self.store.block(source.name, key)
        return np.ascontiguousarray(array.T) if source.transpose else array

    def _unpermuted(self, source: Source, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.float32]:
        """The rows of one head are shuffled among themselves, so whole heads are read and cut afterwards."""
        size = shape[0] // source.heads
        first, last = low // size, -(-high // size)
        array = self._rows(source, shape, first * size, last * size)
        if last > first:
            array = unpermute_rows(array, last - first)
        return np.ascontiguousarray(array[low - first * size : high - first * size])

    def release(self) -> None:
        self.store.release()

    def files(self) -> tuple[str, ...]:
        return self.store.files()


def _shape(name: str, source: Source, store: FileStore) -> tuple[int, ...]:
    """The shape after all steps. Raises ND1006 where the stored tensor cannot be cut that way."""
    shape = store.shape(source.name)

    def fail(problem: str) -> ModelError:
        problem = f"has shape {store.shape(source.name)}, {problem} (for {name})"
        return ModelError("ND1006", source.name, problem, "check that the configuration belongs to the weights")

    if source.index is not None:
        if len(shape) != 3 or not 0 <= source.index < shape[0]:
            raise fail(f"entry {source.index} of a 3-D tensor is needed")
        shape = shape[1:]
    for axis, part in enumerate((source.rows, source.columns)):
        if part is None:
            continue
        if axis >= len(shape) or not 0 <= part[0] <= part[1] <= shape[axis]:
            raise fail(f"range {part} of axis {axis} is needed")
        shape = (*shape[:axis], part[1] - part[0], *shape[axis + 1 :])
    if source.transpose:
        if len(shape) != 2:
            raise fail("a matrix is needed to transpose")
        shape = (shape[1], shape[0])
    if source.heads and (not shape or shape[0] % (2 * source.heads)):
        raise fail(f"rows of {source.heads} heads of even size are needed")
    return shape


def unpermute_rows(array: NDArray[Any], heads: int) -> NDArray[Any]:
    """The rows of a q or k matrix (or bias) in the order of transformers; `heads` is that matrix's own number of heads.

    Of the architectures llama, smollm3 and arcee, llama.cpp stores row ``(h, 2 i + s)`` where transformers has row
    ``(h, s * head_dim / 2 + i)``, s in {0, 1}, so that its rotary embedding can pair neighbours where transformers pairs
    halves. Gemma, Qwen, GPT-2 and Phi files are not interleaved; nor are those of Llama 4, where transformers pairs
    neighbours itself. Source: `LlamaModel.permute` and `undo_permute` in llama.cpp's converter (convert_hf_to_gguf.py).
    """
    rows = array.shape[0]
    if heads < 1 or rows % (2 * heads):
        problem = f"cannot be split into {heads} heads of even size"
        raise ModelError("ND1006", f"array of {rows} rows", problem, "convert the checkpoint to GGUF again")
    pairs = array.reshape(heads, rows // heads // 2, 2, *array.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(array.shape)
