"""`GgufStore`: metadata and weights of a .gguf file, read lazily, dequantised a few rows at a time.

Format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3, little endian: magic ``GGUF``,
u32 version, u64 tensors, u64 keys; the keys as (string, type, value); the tensors as (string, u32 rank, u64 sizes from
the fastest axis, u32 type, u64 offset); padding to ``general.alignment``; the data. Every size of an untrusted file is
checked before it is used. Sizes are reversed here, so that a matrix has the shape (out, in) that torch has. Names stay as
they are in the file (``blk.0.attn_q.weight``).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.file_store import Entry, FileStore, Key
from neurodeploy.frontends.files import CHUNK, MappedFile, check_finite, row_range
from neurodeploy.frontends.gguf_blocks import grid_of
from neurodeploy.ir.stored_grid import StoredGrid

#: The bytes of the magic number, and the versions whose layout this is.
MAGIC = b"GGUF"
VERSIONS = (2, 3)
#: Metadata types: number of the format -> numpy type. 8 is a string, 9 an array.
SCALARS = {0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"}
STRING, ARRAY = 8, 9
#: Least bytes of a key with its value, of a tensor entry, of a string: they bound the counts before anything is read.
LEAST_KEY, LEAST_TENSOR, LEAST_STRING = 13, 28, 8
#: ggml's own limit on the rank.
MAX_RANK = 4


class Cursor:
    """Reads forward through untrusted bytes; every step is checked against the end of the file (ND1004)."""

    def __init__(self, file: MappedFile) -> None:
        self.file = file
        self.at = 0

    def damaged(self, problem: str) -> ModelError:
        return ModelError("ND1004", self.file.path, f"{problem} (at byte {self.at})", "fetch the file again")

    def take(self, count: int, what: str) -> bytes:
        begin, end = self.at, self.at + count
        if end > self.file.size:
            left = self.file.size - begin
            raise self.damaged(f"is truncated or damaged: {what} needs {count} bytes, {left} are left")
        self.at = end
        return self.file.buffer[begin:end]

    def u32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little")

    def u64(self, what: str) -> int:
        return int.from_bytes(self.take(8, what), "little")

    def count(self, least: int, what: str) -> int:
        """A number of things of at least `least` bytes each: it cannot be more than the rest of the file holds."""
        number = self.u64(f"the number of {what}")
        if number * least > self.file.size - self.at:
            raise self.damaged(f"announces {number} {what}, the file has {self.file.size} bytes")
        return number

    def string(self, what: str) -> str:
        text = self.take(self.u64(f"the length of {what}"), what)
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError:
            raise self.damaged(f"{what} is not UTF-8") from None

    def scalar(self, kind: int, what: str) -> int | float | bool:
        dtype = np.dtype(SCALARS[kind])
        value: int | float | bool = np.frombuffer(self.take(dtype.itemsize, what), dtype)[0].item()
        return value

    def value(self, kind: int, what: str) -> Any:
        """A metadata value: int, float, bool, str, numpy array of numbers, or list of str."""
        if kind == STRING:
            return self.string(what)
        if kind in SCALARS:
            return self.scalar(kind, what)
        if kind != ARRAY:
            raise self.damaged(f"{what} has the unknown type {kind}")
        element = self.u32(f"the type of {what}")
        if element == STRING:
            return self._strings(self.count(LEAST_STRING, f"strings in {what}"), what)
        if element not in SCALARS:
            raise self.damaged(f"{what} is an array of the unknown type {element}")
        dtype = np.dtype(SCALARS[element])
        number = self.count(dtype.itemsize, f"values in {what}")
        return np.frombuffer(self.take(number * dtype.itemsize, what), dtype).copy()

    def _strings(self, number: int, what: str) -> list[str]:
        """Vocabularies have 262 144 of these: one loop on local names."""
        buffer, size, at = self.file.buffer, self.file.size, self.at
        unpack = struct.Struct("<Q").unpack_from
        found = []
        for index in range(number):
            begin = at + 8
            end = begin + unpack(buffer, at)[0] if begin <= size else size + 1
            if end > size:
                self.at = at
                raise self.damaged(f"is truncated or damaged: string {index} of {what} ends beyond the file")
            found.append(buffer[begin:end])
            at = end
        self.at = at
        try:
            return [text.decode("utf-8") for text in found]
        except UnicodeDecodeError:
            raise self.damaged(f"{what} holds a string that is not UTF-8") from None


def read_tables(file: MappedFile) -> tuple[dict[str, Any], dict[str, Entry]]:
    """Metadata and tensor table. Raises ND1003 (not a GGUF that we read), ND1004 (damaged), ND1005, ND1008."""
    cursor = Cursor(file)
    tensors, keys = _read_preamble(cursor)
    metadata = _read_metadata(cursor, keys)
    parts = metadata.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        fix = "merge the parts with llama.cpp's `llama-gguf-split --merge`"
        raise ModelError("ND1005", file.path, f"is one of {parts} parts", fix)
    return metadata, _read_tensors(cursor, tensors, metadata)


def _read_preamble(cursor: Cursor) -> tuple[int, int]:
    """The numbers of tensors and keys."""
    path = cursor.file.path
    magic = cursor.take(min(4, cursor.file.size), "the magic number")
    if magic != MAGIC:
        raise ModelError("ND1003", path, f"is not a GGUF file: it begins with {magic!r}", "check the path")
    version = cursor.u32("the version")
    if version & 0xFFFF == 0 and version:
        raise ModelError("ND1003", path, "is big endian", "convert it with gguf-py's `gguf-convert-endian`")
    if version not in VERSIONS:
        fix = "convert the model again with a newer llama.cpp"
        raise ModelError("ND1003", path, f"is GGUF version {version}, versions {VERSIONS} are read", fix)
    return cursor.count(LEAST_TENSOR, "tensors"), cursor.count(LEAST_KEY, "metadata keys")


def _read_metadata(cursor: Cursor, keys: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in range(keys):
        key = cursor.string("a metadata key")
        if key in metadata:
            raise cursor.damaged(f"has the metadata key {key[:80]!r} twice")
        metadata[key] = cursor.value(cursor.u32("a value type"), f"metadata {key[:80]!r}")
    return metadata


def _read_tensors(cursor: Cursor, count: int, metadata: dict[str, Any]) -> dict[str, Entry]:
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 1 << 16 or alignment & (alignment - 1):
        raise cursor.damaged(f"its alignment {alignment!r:.40} is not a power of two up to 65536")
    found: dict[str, tuple[tuple[int, ...], str, int, int]] = {}
    for _ in range(count):
        name = cursor.string("a tensor name")
        if name in found:
            raise cursor.damaged(f"has the tensor {name[:80]!r} twice")
        found[name] = _read_tensor(cursor, name[:80], alignment)
    base = -(-cursor.at // alignment) * alignment
    entries = {
        name: Entry(cursor.file, kind, shape, base + offset, base + offset + size)
        for name, (shape, kind, offset, size) in found.items()
    }
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.end > cursor.file.size:
            problem = f"ends at byte {entry.end}, the file has {cursor.file.size}: it is truncated or damaged"
        elif entry.begin < end:
            problem = "overlaps another tensor"
        else:
            end = entry.end
            continue
        raise ModelError("ND1004", f"{cursor.file.path}: {name[:80]}", problem, "fetch the file again")
    return entries


def _read_tensor(cursor: Cursor, name: str, alignment: int) -> tuple[tuple[int, ...], str, int, int]:
    """Shape in torch order, type, offset in the data, bytes."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    rank = cursor.u32("a tensor's rank")
    if not 1 <= rank <= MAX_RANK:
        raise cursor.damaged(f"tensor {name!r} has rank {rank}, 1 to {MAX_RANK} are possible")
    sizes = [cursor.u64("a tensor's shape") for _ in range(rank)]
    number, offset = cursor.u32("a tensor's type"), cursor.u64("a tensor's offset")
    try:
        kind = GGMLQuantizationType(number)
        block, stored = GGML_QUANT_SIZES[kind]
    except (ValueError, KeyError):
        problem = f"has the unknown type number {number}"
        raise ModelError("ND1008", f"{cursor.file.path}: {name}", problem, "update the package gguf") from None
    if sizes[0] % block:
        raise cursor.damaged(f"rows of {sizes[0]} values in tensor {name!r} are no multiple of its block of {block}")
    size = math.prod(sizes) // block * stored
    if 0 in sizes or size > cursor.file.size:
        raise cursor.damaged(f"tensor {name!r} of sizes {sizes} needs {size} bytes, the file has {cursor.file.size}")
    if offset % alignment:
        raise cursor.damaged(f"tensor {name!r} begins at {offset}, no multiple of the alignment {alignment}")
    return tuple(reversed(sizes)), str(kind.name), offset, size


class GgufStore(FileStore):
    """`FileStore` of a .gguf file; `metadata` holds its keys (scalars, str, list of str, numpy arrays).

    Errors: ND1001 no such file, ND1003 not GGUF, big endian or another version, ND1004 damaged or truncated, ND1005 one
    part of a split model, ND1006 no such tensor, ND1007 NaN or infinity, ND1008 a type that cannot be dequantised.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.mapped.append(MappedFile(self.path))
        self.metadata, self.entries = read_tables(self.mapped[0])

    def values(self, name: str, key: Key) -> NDArray[np.float32]:
        """Dequantised; of an expert of a 3-D tensor only the rows asked for."""
        shape, first, rest = self.shape(name), key[0], key[1:]
        low, high = row_range(shape, first.start or 0, first.stop) if isinstance(first, slice) else (first, first + 1)
        if len(shape) == 3 and not isinstance(first, slice) and rest and isinstance(rest[0], slice):
            inner = row_range(shape[1:], rest[0].start or 0, rest[0].stop)
            array = self._lines(name, *(first * shape[1] + row for row in inner))
            return np.ascontiguousarray(array[:, rest[1]] if rest[1:] else array)
        if len(shape) == 1:
            array = self._lines(name, 0, 1)[0, low:high].copy()
        else:
            lines = math.prod(shape[1:-1])
            array = self._lines(name, low * lines, high * lines).reshape(high - low, *shape[1:])
        key = (slice(None) if isinstance(first, slice) else 0, *rest)
        return np.ascontiguousarray(array[key])

    def grid(self, name: str, start: int = 0, stop: int | None = None) -> StoredGrid | None:
        """Of the types of `gguf_blocks.LAYOUTS`; constants that are NaN or infinite are ND1007."""
        entry = self.entry(name)
        found = grid_of(entry.dtype, entry.data.reshape(math.prod(entry.shape[:-1]), -1)[start:stop])
        for constants in () if found is None else (found.scale, found.offset):
            check_finite(constants.astype(np.float32), name, start)
        return found

    def _lines(self, name: str, first: int, last: int) -> NDArray[np.float32]:
        """Lines ``first:last`` of the tensor seen as (everything else, last axis): blocks never cross a line."""
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        entry = self.entry(name)
        columns, kind = entry.shape[-1], GGMLQuantizationType[entry.dtype]
        data = entry.data.reshape(math.prod(entry.shape[:-1]), -1)
        out = np.empty((last - first, columns), np.float32)
        step = max(1, CHUNK // columns)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            try:
                # A damaged scale may be infinite: that is found, and named, when the result is checked.
                with np.errstate(all="ignore"):
                    out[begin - first : end - first] = dequantize(np.ascontiguousarray(data[begin:end]), kind)
            except NotImplementedError:
                problem = f"is stored as {kind.name}, which cannot be dequantised"
                fix = "quantise the model to one of Q4_0 to Q8_0, Q2_K to Q6_K, F16, BF16 or F32"
                raise ModelError("ND1008", name, problem, fix) from None
        return out
