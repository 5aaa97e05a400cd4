"""Reads one untrusted HDF5 file and writes what it holds to stdout in a plain form: `hdf5_guard` runs it in a process with
limits, because libhdf5 ends the process or runs for ever on some damaged files.

Output: records, each a line of ASCII JSON, followed by as many raw bytes as its `bytes` says::

    {"group": "/layer", "attrs": {"dt": 0.001}}
    {"array": "/layer/0/weight", "dtype": "<f4", "shape": [8, 4], "bytes": 128, "attrs": {}}   + 128 bytes
    {"text": "/layer/0/type", "shape": [1], "bytes": 9, "attrs": {}}                           + ["dense"] in JSON
    {"unread": "/layer/0/else", "shape": [8, 4], "attrs": {}}
    {"end": true}      or      {"refused": "damaged" | "size" | "kind", "where": "/layer", "problem": "..."}

Only what is wanted is read: of the objects at the top those of some names, of datasets those of some names and small
ones; of the rest the name is told. Sizes are compared with limits and with the bytes that the file really stores before
anything is allocated. Refused outright: soft and external links, an object under two names, virtual datasets, data in
other files, filters other than HDF5's own and LZF, and every type that is not a number, a boolean or text.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any, NamedTuple

#: Deflate cannot expand more than 1032-fold (zlib, "technical details"); LZF and the rest expand less.
EXPANSION = 1032
#: Datasets that are declared and never written hold the fill value without storage: small ones are real, large ones
#: are bombs.
UNSTORED_LIMIT = 1 << 16
#: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, LZF: https://support.hdfgroup.org, "registered filters".
FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
#: Bytes of text that are read at a time, at most, were each string as long as the file; and of all texts together.
TEXT_PIECE, MAX_TEXT = 1 << 26, 1 << 25
RANK_LIMIT = 8
DEPTH_LIMIT = 32
NAME_LIMIT = 256


class Refused(Exception):
    """The file is not read: kind, place, reason."""


def _shape_and_bytes(data: Any, where: str, left: int) -> tuple[tuple[int, ...], int]:
    """Shape and bytes of a dataset, once it is sure that the file holds them."""
    if data.shape is None:
        return (0,), 0
    shape, size = tuple(int(side) for side in data.shape), int(data.dtype.itemsize)
    if len(shape) > RANK_LIMIT:
        raise Refused("size", where, f"has {len(shape)} axes, at most {RANK_LIMIT} are read")
    for side in shape:
        size *= side
    if size > left:
        raise Refused("size", where, f"declares {size} bytes, {left} are left of the limit")
    made = data.id.get_create_plist()
    filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
    if not FILTERS.issuperset(filters):
        raise Refused("kind", where, f"is compressed with filter {max(set(filters) - FILTERS)}, which is not read")
    if data.is_virtual or made.get_external_count():
        raise Refused("kind", where, "keeps its values in another file")
    stored = int(data.id.get_storage_size())
    if size > max(stored * (EXPANSION if filters else 1), UNSTORED_LIMIT):
        raise Refused("size", where, f"declares {size} bytes and stores {stored}")
    return shape, size


def _texts(data: Any, where: str, declared: int, left: int) -> tuple[list[str], int]:
    """Every string of a dataset of text, in C order, and their length.

    Strings of a fixed length declare how long they are. Of others, many may be one place in the file, so no size says what
    they take: they are read piece by piece.
    """
    import numpy as np

    if data.shape is None:
        return [], 0
    if data.dtype.kind == "S" and declared > left:
        raise Refused("size", where, f"declares {declared} bytes of text, {left} are left of the limit")
    first, rest = (data.shape[0], data.shape[1:]) if data.shape else (1, ())
    piece = max(1, TEXT_PIECE // (data.file.id.get_filesize() * max(1, int(np.prod(rest)))))
    texts: list[str] = []
    length = 0
    for begin in range(0, first, piece):
        part = data[begin : begin + piece] if data.shape else data[()]
        for raw in np.asarray(part, dtype=object).reshape(-1):
            text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else str(raw)
            length += len(text)
            texts.append(text)
        if length > left:
            raise Refused("size", where, f"holds {length} characters of text or more, {left} are left of the limit")
    return texts, length


def _scalar(attrs: Any, name: str) -> Any:
    """An attribute as int, float, bool or text; None for anything else."""
    import h5py
    import numpy as np

    kind = attrs.get_id(name)
    text = h5py.check_string_dtype(kind.dtype) is not None
    if kind.shape != () or kind.dtype.itemsize > UNSTORED_LIMIT or not (text or kind.dtype.kind in "biuf"):
        return None
    value = attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.item() if isinstance(value, np.generic) else value if isinstance(value, str) else None


class Wanted(NamedTuple):
    """`roots`: names at the top of a file that are read; `fields`: names of datasets that are, whatever their size. Empty:
    all of them."""

    roots: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()

    def to_json(self) -> str:
        return json.dumps([sorted(self.roots), sorted(self.fields)])

    @staticmethod
    def from_json(text: str) -> Wanted:
        return Wanted(*map(frozenset, json.loads(text)))


EVERYTHING = Wanted()


class Walk:
    """One pass over a file. `send` takes a record and its bytes."""

    def __init__(self, out: IO[bytes], max_bytes: int, max_objects: int, wanted: Wanted) -> None:
        self.out, self.left, self.objects, self.wanted = out, max_bytes, max_objects, wanted
        self.text_left = min(max_bytes, MAX_TEXT)
        self.seen: set[Any] = set()

    def send(self, record: dict[str, Any], data: bytes | memoryview = b"") -> None:
        self.out.write(json.dumps(record).encode("ascii") + b"\n")
        if len(data):
            self.out.write(data)

    def visit(self, group: Any, path: str, depth: int) -> None:
        import h5py

        self.send({"group": path or "/", "attrs": self.attributes(group)})
        if depth > DEPTH_LIMIT:
            raise Refused("size", path, f"is nested more than {DEPTH_LIMIT} deep")
        for name in group:
            where = f"{path}/{name}"
            self.objects -= 1
            if self.objects < 0 or len(name) > NAME_LIMIT or "/" in name:
                raise Refused("size", path, "holds too many objects or a name that cannot be")
            if not path and self.wanted.roots and name not in self.wanted.roots:
                self.send({"group": where, "attrs": {}})
                continue
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Refused("kind", where, "is a link to another place or file, which is not followed")
            item = group[name]
            info = h5py.h5o.get_info(item.id)
            if (info.fileno, info.addr) in self.seen:
                raise Refused("kind", where, "is an object that stands in the file under another name too")
            self.seen.add((info.fileno, info.addr))
            if isinstance(item, h5py.Group):
                self.visit(item, where, depth + 1)
            elif isinstance(item, h5py.Dataset):
                self.dataset(item, where)
            else:
                raise Refused("kind", where, f"is a {type(item).__name__}, groups and datasets are read")

    def attributes(self, item: Any) -> dict[str, Any]:
        """Attributes that are one number or one text; of others the name alone, with None."""
        found: dict[str, Any] = {}
        for name in item.attrs:
            self.objects -= 1
            if self.objects < 0:
                raise Refused("size", item.name or "/", "holds too many attributes")
            value = _scalar(item.attrs, name)
            self.left -= len(value) if isinstance(value, str) else 8
            found[str(name)[:NAME_LIMIT]] = value
        return found

    def dataset(self, data: Any, where: str) -> None:
        import h5py
        import numpy as np

        shape, size = _shape_and_bytes(data, where, self.left)
        kind, attributes = data.dtype.kind, self.attributes(data)
        name = where.rpartition("/")[2]
        if self.wanted.fields and name not in self.wanted.fields and size > UNSTORED_LIMIT:
            self.send({"unread": where, "shape": shape, "attrs": attributes})
        elif kind == "S" or h5py.check_string_dtype(data.dtype) is not None:
            texts, length = _texts(data, where, size, min(self.left, self.text_left))
            self.left -= length + size
            self.text_left -= length
            values = json.dumps(texts, ensure_ascii=False).encode("utf-8", "backslashreplace")
            self.send({"text": where, "shape": shape, "bytes": len(values), "attrs": attributes}, values)
        elif kind in "biufc" and data.dtype.subdtype is None and data.dtype.itemsize <= (16 if kind == "c" else 8):
            array = np.ascontiguousarray(data[()] if data.shape is not None else np.zeros(0, data.dtype))
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            self.left -= size
            record = {"array": where, "dtype": array.dtype.str, "shape": shape, "bytes": array.nbytes}
            self.send({**record, "attrs": attributes}, array.reshape(-1).view(np.uint8).data)
        else:
            raise Refused("kind", where, f"is of type {data.dtype}, numbers and text are read")


def serve(path: str, out: IO[bytes], max_bytes: int, max_objects: int, wanted: Wanted = EVERYTHING) -> None:
    """Write the records of a file."""
    import h5py

    walk = Walk(out, max_bytes, max_objects, wanted)
    try:
        with h5py.File(path, "r", rdcc_nbytes=1 << 20) as file:
            walk.visit(file, "", 0)
        walk.send({"end": True})
    except Refused as error:
        kind, where, problem = error.args
        walk.send({"refused": kind, "where": where, "problem": problem})
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever libhdf5, h5py or numpy make of a damaged file
        walk.send({"refused": "damaged", "where": "", "problem": f"{type(error).__name__}: {error}"[:500]})


def main(arguments: list[str]) -> None:
    """PATH, most bytes, most objects, what is wanted."""
    path, max_bytes, max_objects, wanted = arguments
    os.environ["HDF5_PLUGIN_PRELOAD"] = "::"  # HDF5's way to say: load no filter from anywhere
    try:
        serve(path, sys.stdout.buffer, int(max_bytes), int(max_objects), Wanted.from_json(wanted))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)
