"""`SafetensorsStore`: the weights of a Hugging Face folder, read lazily from memory-mapped safetensors files.

Format (https://github.com/huggingface/safetensors#format): 8 bytes little-endian header length N, N bytes of JSON
``{name: {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {str: str}}``, then the data, without holes.
A large model is split over shards, listed by ``model.safetensors.index.json`` as ``{"weight_map": {name: file}}``; shards
that are numbered, complete and hold each tensor once are read without it.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.file_store import Entry, FileStore, Key
from neurodeploy.frontends.files import RANK_LIMIT, MappedFile, parse_json, read_json

#: The format's own bound on the header.
HEADER_LIMIT = 100_000_000
#: Bits of an element by the format's type names.
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
}  # fmt: skip
#: The types that `get` turns into float32, and how their bytes are seen. BF16 is the upper half of a float32.
READABLE = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
#: A numbered shard: stem, number, count.
SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors")


class SafetensorsStore(FileStore):
    """`FileStore` of a folder with ``model.safetensors`` or its shards, or over one ``.safetensors`` file.

    Errors: ND1001 no such file, ND1003 only pickled weights, ND1004 damaged file, ND1005 missing shard, ND1006 tensor
    missing or of a type that holds no weights, ND1007 NaN or infinity (when the rows are read).
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        for file in self._find_files():
            self._add(file)
        for name, shard in self._weight_map.items():
            entry = self.entries.get(name)
            if entry is None or entry.file.path.name != shard:
                problem = f"{INDEX} says it is in {shard}, which does not hold it"
                raise ModelError("ND1006", name, problem, "fetch that file again")

    def _find_files(self) -> list[Path]:
        self._weight_map: dict[str, str] = {}
        if not self.path.is_dir():
            return [self.path]
        if (self.path / SINGLE).is_file():
            return [self.path / SINGLE]
        if (self.path / INDEX).is_file():
            self._weight_map = _weight_map(self.path / INDEX)
            shards = sorted(set(self._weight_map.values()))
            missing = [name for name in shards if not (self.path / name).is_file()]
            if missing:
                problem = f"{len(missing)} of {len(shards)} shards are missing, the first is {missing[0]}"
                raise ModelError("ND1005", self.path, problem, "fetch the missing files into the folder")
            return [self.path / name for name in shards]
        return [self.path / name for name in _without_index(self.path)]

    def _add(self, path: Path) -> None:
        file = MappedFile(path)
        entries = _read_header(file)
        twice = next((name for name in entries if name in self.entries), None)
        if twice is not None:
            other = self.entries[twice].file.path.name
            raise ModelError("ND1004", twice, f"is in {other} and again in {path.name}", "fetch both files again")
        self.entries.update(entries)
        self.mapped.append(file)

    def values(self, name: str, key: Key) -> NDArray[np.float32]:
        """Only the pages that the index touches are read."""
        entry = self.entry(name)
        if entry.dtype not in READABLE:
            problem = f"is stored as {entry.dtype}; weights are read from {', '.join(READABLE)}"
            raise ModelError("ND1006", name, problem, "save the model in one of these types")
        source: NDArray[Any] = entry.data.view(READABLE[entry.dtype]).reshape(entry.shape)[key]
        out = np.empty(source.shape, np.float32)
        if entry.dtype == "BF16":
            bits = out.view(np.uint32)
            bits[...] = source
            np.left_shift(bits, 16, out=bits)
        else:
            out[...] = source
        return out


def _without_index(folder: Path) -> list[str]:
    """The files of a model whose index is not there: the shards 1 to N of N under one name. Else what to do instead."""
    present = sorted(file.name for file in folder.iterdir() if file.suffix in WEIGHT_SUFFIXES)
    tensors = [name for name in present if name.endswith(".safetensors")]
    if present and not tensors:
        fix = "save the model with save_pretrained(..., safe_serialization=True)"
        problem = "holds pickled weights, which can run code and are never read"
        raise ModelError("ND1003", folder / present[0], problem, fix)
    shards: dict[tuple[str, int], dict[int, str]] = {}
    for name in tensors:
        if parts := SHARD.fullmatch(name):
            shards.setdefault((parts[1], int(parts[3])), {})[int(parts[2])] = name
    if len(shards) == 1:
        (stem, count), numbered = next(iter(shards.items()))
        if count == len(numbered) and set(numbered) == set(range(1, count + 1)):
            return list(numbered.values())
        problem = f"has {len(numbered)} of {count} shards {stem}-...-of-{count:05d}.safetensors, and no {INDEX}"
        raise ModelError("ND1005", folder, problem, f"fetch the missing shards into the folder, and {INDEX}")
    found = f", but {', '.join(tensors[:3])}{' and more' if len(tensors) > 3 else ''}" if tensors else ""
    fix = f"fetch {SINGLE}, or {INDEX} with its shards, from where the model is from"
    if len(tensors) == 1:
        fix = f"name {tensors[0]} {SINGLE} if it holds the whole model"
    raise ModelError("ND1001", folder, f"has neither {SINGLE} nor {INDEX}{found}", fix)


def _weight_map(path: Path) -> dict[str, str]:
    table = read_json(path).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise ModelError("ND1004", path, "has no weight_map", "fetch the file again")
    for name, file in table.items():
        # A shard is a plain name in the same folder: an index must not lead anywhere else.
        if not isinstance(file, str) or Path(file).name != file or "\\" in file or file in ("", ".", ".."):
            problem = f"tensor {name!r} is said to be in {file!r}, which is not a file name"
            raise ModelError("ND1004", path, problem, "fetch the file again")
    return table


def _read_header(file: MappedFile) -> dict[str, Entry]:
    """Every size is checked against the file before anything is built from it."""

    def damaged(problem: str) -> ModelError:
        return ModelError("ND1004", file.path, problem, "fetch the file again")

    if file.size < 10:
        raise damaged(f"{file.size} bytes are too few for a safetensors file")
    length = int.from_bytes(file.buffer[:8], "little")
    if length > min(HEADER_LIMIT, file.size - 8):
        limit = f"the file has {file.size} bytes and a header may have {HEADER_LIMIT}"
        raise damaged(f"is truncated or not safetensors: it announces a header of {length} bytes, {limit}")
    if file.buffer[8:9] != b"{":
        raise damaged("is not safetensors: the header does not begin with '{'")
    table = parse_json(file.buffer[8 : 8 + length], file.path)
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise damaged("its __metadata__ is not a table of strings")
    base, available = 8 + length, file.size - 8 - length
    entries = {}
    for name, value in table.items():
        entry = _entry(value, file, base, available)
        if isinstance(entry, str):
            raise ModelError("ND1004", f"{file.path}: {name[:120]}", entry, "fetch the file again")
        entries[name] = entry
    at = base
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != at:
            problem = "overlaps the tensor before it" if entry.begin < at else "leaves a hole before it"
            raise ModelError("ND1004", f"{file.path}: {name[:120]}", problem, "fetch the file again")
        at = entry.end
    if at != file.size:
        raise damaged(f"has {file.size - at} bytes after the last tensor")
    return entries


def _entry(value: object, file: MappedFile, base: int, available: int) -> Entry | str:
    """The entry of one tensor, or what is wrong with it."""
    if not isinstance(value, dict):
        return "its header entry is not an object"
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        return f"its type {dtype!r:.40} is not one of the format"
    if not _naturals(shape) or len(shape) > RANK_LIMIT:
        return f"its shape {shape!r:.80} is not a list of at most {RANK_LIMIT} natural numbers"
    if not _naturals(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= available:
        return f"its offsets {offsets!r:.80} do not lie in the {available} bytes of data: truncated or damaged"
    bits = math.prod(shape) * BITS[dtype]
    if bits != 8 * (offsets[1] - offsets[0]):
        return f"shape {shape} of {dtype} takes {bits / 8:g} bytes, its offsets span {offsets[1] - offsets[0]}"
    if 4 * math.prod(max(size, 1) for size in shape) > sys.maxsize:
        return f"its shape {shape!r:.80} is larger than an array can be"
    return Entry(file, dtype, tuple(shape), base + offsets[0], base + offsets[1])


def _naturals(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
