"""HDF5 files from anywhere, read so that nothing in them can crash, hang or fill this process.

Of 10 000 small files with one to four random bytes changed, libhdf5 2.0.0 never returned from 3, and on others it ended the
process with a memory fault (measured by an earlier form of ``tests/frontends/fuzz_hdf5.py``). So a program of its own
(`hdf5_worker`) opens the file under limits of memory and time and sends plain numbers and texts; this module takes
them, checks each once more, and offers them as a tree::

    root = read_tree(path)
    weight = read_array(root["layer/0/weight"], kinds="iuf")
    kind = read_text(root["layer/0/type"])

Codes: ND1001 not there, ND1280 not HDF5 or damaged, ND1281 larger than declared limits or than what the file stores,
ND1282 contains what is not read (links, other files, other types), ND1283 an item is missing or of a wrong kind.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends import hdf5_worker
from neurodeploy.frontends.files import cannot_open
from neurodeploy.frontends.hdf5_worker import EVERYTHING, Wanted
from neurodeploy.storage.confined import Confined, End, Limits
from neurodeploy.storage.opening import open_regular

#: All arrays and texts of one file together, as stored there. Synapses of a whole Loihi 2 chip are a tenth of it.
MAX_BYTES = 1 << 30
MAX_OBJECTS = 200_000
#: Processor time of the worker, seconds, and how many bytes of the file buy another one; wall time of any.
CPU_SECONDS, BYTES_A_SECOND, WALL_SECONDS = 15, 10_000_000, 300
#: Longest line of the worker: a name and its attributes, each of them bounded by what the file stores.
LINE_LIMIT = 1 << 26
#: Address space of the worker beside what the file may become, bytes.
BASE_MEMORY = 2 << 30
#: The module that reads files in a process of its own.
WORKER = hdf5_worker.__name__
#: False reads in this process: only for files that this process has just written itself, and for measuring crashes.
ISOLATE = True
SIGNATURE = b"\x89HDF\r\n\x1a\n"
AGAIN = "fetch or export the file again"


def printable(name: str) -> str:
    """A name from a file as one short line of plain characters."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:200])


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """`attrs` : HDF5 attributes that are one number or one text; of others the name with None. `path` : the file."""

    name: str
    _: KW_ONLY
    attrs: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @property
    def subject(self) -> str:
        return f"{self.path}:{printable(self.name)}"

    def wrong(self, problem: str) -> ModelError:
        return ModelError("ND1283", self.subject, problem, AGAIN)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset(_Item):
    """An array of numbers (`values`) or of texts (`texts`, C order) with its shape; () is a single value."""

    shape: tuple[int, ...]
    values: NDArray[Any] | None = None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Group(_Item):
    """Groups and datasets by name, with the methods of `h5py.Group` that readers need; names may be paths ("a/b")."""

    items: dict[str, Group | Dataset] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, name: str) -> Group | Dataset:
        """What stands at a path below. Raises ND1283."""
        found = self.get(name)
        if found is None:
            raise self.wrong(f"has no {printable(name)}")
        return found

    def get(self, name: str) -> Group | Dataset | None:
        """What stands at a path below, such as ``"weight/real"``; None where nothing does."""
        here: Group | Dataset | None = self
        for part in name.split("/"):
            here = here.items.get(part) if isinstance(here, Group) else None
        return here

    def dataset(self, name: str) -> Dataset:
        """The dataset at a path below. Raises ND1283."""
        return _dataset(self[name])

    def group(self, name: str) -> Group:
        """The group at a path below. Raises ND1283."""
        found = self[name]
        if isinstance(found, Dataset):
            raise found.wrong("is a dataset, a group is needed")
        return found


def _dataset(data: Group | Dataset) -> Dataset:
    if isinstance(data, Group):
        raise data.wrong("is a group, a dataset is needed")
    return data


def read_array(data: Group | Dataset, kinds: str = "biuf") -> NDArray[Any]:
    """The numbers of a dataset, its dtype being one of numpy's `kinds`. Raises ND1283.

    The array is not copied: it belongs to the tree, little-endian, and may be written to by its only reader.
    """
    data = _dataset(data)
    if data.values is None:
        raise data.wrong("holds text, numbers are needed")
    if data.values.dtype.kind not in kinds:
        raise data.wrong(f"is of type {data.values.dtype}, one of kind {kinds!r} is needed")
    return data.values


def read_text(data: Group | Dataset) -> str:
    """The text of a dataset of exactly one. Raises ND1283."""
    data = _dataset(data)
    if data.values is not None or len(data.texts) != 1:
        raise data.wrong(f"should be one text, it has shape {data.shape}")
    return data.texts[0]


def read_tree(
    path: Path, max_bytes: int = MAX_BYTES, max_objects: int = MAX_OBJECTS, wanted: Wanted = EVERYTHING
) -> Group:
    """The root group of an HDF5 file, all that is `wanted` of it in memory. Raises ND1001, ND1280, ND1281, ND1282."""
    size = _check_signature(path)
    if not ISOLATE:
        stream = io.BytesIO()
        hdf5_worker.serve(str(path), stream, max_bytes, max_objects, wanted)
        stream.seek(0)
        return parse(stream, path, max_bytes, max_objects)
    memory = BASE_MEMORY + 3 * min(max_bytes, hdf5_worker.EXPANSION * size)
    limits = Limits(CPU_SECONDS + size // BYTES_A_SECOND, memory, WALL_SECONDS)
    arguments = [str(path.absolute()), str(max_bytes), str(max_objects), wanted.to_json()]
    with Confined(WORKER, arguments, limits, {"HDF5_PLUGIN_PRELOAD": "::"}) as worker, worker.request():
        try:
            return parse(worker.out, path, max_bytes, max_objects)
        except EOFError:
            raise _worker_died(path, worker.ended()) from None
        except (ValueError, TypeError, AttributeError, KeyError):  # no words of the worker
            raise _worker_died(path, worker.ended(by_itself=False)) from None


def _check_signature(path: Path) -> int:
    """Bytes of the file. ND1001 or ND1280 before any process is started.

    The signature stands at 0, 512, 1024, 2048, ... (HDF5 file format specification, II.A).
    """
    try:
        with open_regular(path) as file:
            size, place = file.seek(0, 2), 0
            while place + len(SIGNATURE) <= size:
                file.seek(place)
                if file.read(len(SIGNATURE)) == SIGNATURE:
                    return size
                place = 2 * place or 512
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from None
    raise ModelError("ND1280", path, f"is not an HDF5 file ({size} bytes)", AGAIN)


def _worker_died(path: Path, end: End) -> ModelError:
    """What the end of the worker means: a signal is libhdf5's, anything else a broken installation."""
    if end.status > 0 and "ModuleNotFoundError" in end.said:
        return ModelError("ND1002", "h5py", f"cannot be loaded: {printable(end.said)}", "pip install h5py")
    problem = f"is so damaged that libhdf5 does not survive reading it: it {printable(str(end))}"
    return ModelError("ND1280", path, problem, AGAIN)


def _refused(kind: str, where: str, problem: str) -> ModelError:
    if kind == "kind":
        return ModelError("ND1282", where, problem, "export it again without that")
    return ModelError("ND1281" if kind == "size" else "ND1280", where, problem, AGAIN)


def parse(stream: IO[bytes], path: Path, max_bytes: int, max_objects: int) -> Group:
    """The tree of a worker's records. Raises what it refused; EOFError where the records end too early."""
    root, left, objects = Group("/", path=str(path)), max_bytes, 2 * max_objects + 2
    while True:
        line = stream.readline(LINE_LIMIT)
        if not line.endswith(b"\n"):
            if len(line) == LINE_LIMIT:
                raise ModelError("ND1281", path, f"has names or attributes of more than {LINE_LIMIT} bytes", AGAIN)
            raise EOFError
        record = json.loads(line)
        objects -= 1
        if "end" in record:
            return root
        if "refused" in record:
            where = f"{path}:{printable(record['where'])}" if record["where"] else str(path)
            raise _refused(record["refused"], where, printable(record["problem"]))
        left -= int(record.get("bytes", 0))
        if left < 0 or objects < 0:
            raise ModelError("ND1281", path, f"holds more than {max_bytes} bytes", AGAIN)
        if record.get("group") == "/":
            root = Group("/", attrs=record["attrs"], path=str(path))
        else:
            _place(root, record, stream, str(path))


def _place(root: Group, record: dict[str, Any], stream: IO[bytes], path: str) -> None:
    """Put a group or dataset where it belongs; its group came before it."""
    common: dict[str, Any] = {"attrs": record["attrs"], "path": path}
    item: Group | Dataset
    if "group" in record:
        item = Group(record["group"], **common)
    elif "unread" in record:
        item = Dataset(record["unread"], tuple(record["shape"]), **common)
    elif "text" in record:
        texts = tuple(map(str, json.loads(_payload(stream, record["bytes"]).tobytes())))
        item = Dataset(record["text"], tuple(record["shape"]), texts=texts, **common)
    else:
        shape, dtype = tuple(record["shape"]), np.dtype(record["dtype"])
        values = _payload(stream, record["bytes"]).view(dtype).reshape(shape)
        item = Dataset(record["array"], shape, values, **common)
    above, _, own = item.name.rpartition("/")
    parent = root.get(above[1:]) if above else root
    if not isinstance(parent, Group):
        raise EOFError
    parent.items[own] = item


def _payload(stream: IO[bytes], size: int) -> NDArray[np.uint8]:
    values = np.empty(size, np.uint8)
    view, filled = values.data, 0
    while filled < size:
        got = stream.readinto(view[filled:])  # type: ignore[attr-defined]  # both kinds of stream have it
        if not got:
            raise EOFError
        filled += got
    return values
