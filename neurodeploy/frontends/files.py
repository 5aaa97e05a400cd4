"""Reading foreign files without trusting them: memory maps, bounded JSON, and the checks that all stores share.

Codes of the readers: ND1001 not found, ND1002 package missing, ND1003 file type unknown, ND1004 damaged or truncated
file, ND1005 missing shard, ND1006 tensor missing or of a wrong shape or type, ND1007 weights that are not finite,
ND1008 quantisation type not supported, ND1009 tokenizer not supported, ND1010 text that cannot be tokenised.
"""

from __future__ import annotations

import difflib
import json
import math
import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.storage.opening import open_regular, read_bounded

#: Largest JSON side file (config.json, the shard index, tokenizer_config.json) that is read; real ones are below 20 MB.
JSON_LIMIT = 100_000_000
#: Digits of an integer in such a file: transformers writes "no limit" of a text's length as 10**30, 31 digits.
DIGITS_LIMIT = 40
#: Largest tensor rank that is read; GGUF itself stops at 4.
RANK_LIMIT = 8
#: Elements that are checked or converted at a time: 4 MiB of float32.
CHUNK = 1 << 20


class MappedFile:
    """A file mapped read-only: the operating system pages it in and may drop it again at any time.

    Raises ND1001 where the file is missing or cannot be opened, ND1004 where it is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open_regular(path) as file:
                self.size = file.seek(0, 2)
                if self.size == 0:
                    raise ModelError("ND1004", path, "the file is empty", "fetch the file again")
                self.buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise cannot_open(path, error) from None

    def view(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Bytes ``start:stop`` as a read-only view of the map; the caller has checked the bounds."""
        return np.frombuffer(self.buffer, np.uint8, stop - start, start)

    def release(self) -> None:
        """Give the resident pages back (Linux and BSD; elsewhere the system does it when memory is short)."""
        if hasattr(self.buffer, "madvise") and hasattr(mmap, "MADV_DONTNEED"):
            self.buffer.madvise(mmap.MADV_DONTNEED)


def cannot_open(path: Path, error: Exception) -> ModelError:
    """ND1001 for what the operating system says."""
    if isinstance(error, FileNotFoundError):
        return ModelError("ND1001", path, "no such file", "check the path")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return ModelError("ND1001", path, f"cannot be opened: {reason}", "check the path and its permissions")


def parse_json(text: bytes, subject: object) -> dict[str, Any]:
    """A JSON object from untrusted bytes: UTF-8, no duplicate key, no NaN, no endless number. Raises ND1004."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError(f"key {first_repeated([key for key, _ in pairs])[:80]!r} appears twice")
        return found

    def integer(digits: str) -> int:
        if len(digits) > DIGITS_LIMIT:
            raise ValueError(f"an integer of {len(digits)} digits")
        return int(digits)

    def constant(name: str) -> float:
        # Python's own writer emits Infinity for some rope and softcap fields; a NaN never means anything.
        if name == "NaN":
            raise ValueError("NaN is not a JSON number")
        return math.inf if name == "Infinity" else -math.inf

    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_int=integer, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise ModelError("ND1004", subject, f"is not readable JSON: {error}", "fetch the file again") from None
    if not isinstance(value, dict):
        raise ModelError(
            "ND1004", subject, f"holds a JSON {type(value).__name__}, an object is needed", "fetch it again"
        )
    return value


def read_json(path: Path, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """The object in a JSON file of at most `limit` bytes. Raises ND1001 or ND1004."""
    return parse_json(read_file(path, limit, "such file"), path)


def read_file(path: Path, limit: int, what: str) -> bytes:
    """A whole file. Raises ND1001, or ND1004 where it has more than `limit` bytes, which no `what` has."""
    try:
        data = read_bounded(path, limit)
    except OSError as error:
        raise cannot_open(path, error) from None
    if data is None:
        raise ModelError("ND1004", path, f"is larger than {limit} bytes, which no {what} is", "fetch it again")
    return data


def check_finite(array: NDArray[np.float32], name: str, first_row: int = 0) -> None:
    """Raise ND1007 naming the tensor, the count and the first place of NaN or infinity."""
    flat = array.reshape(-1)
    for begin in range(0, flat.size, CHUNK):
        finite = np.isfinite(flat[begin : begin + CHUNK])
        if not finite.all():
            at = begin + int(np.argmin(finite))
            place = [int(i) for i in np.unravel_index(at, array.shape)] if array.ndim else []
            if place:
                place[0] += first_row
            total = int(flat.size - np.count_nonzero(np.isfinite(flat)))
            raise ModelError(
                "ND1007",
                name,
                f"{total} of {flat.size} values are not finite, the first is {flat[at]} at {place}",
                "fetch the file again or repair the checkpoint",
            )


def row_range(shape: Sequence[int], start: int, stop: int | None) -> tuple[int, int]:
    """``start:stop`` on the first axis, with the meaning of a Python slice."""
    rows = shape[0] if shape else 1
    low, high, _ = slice(start, stop).indices(rows)
    return low, max(low, high)


def first_repeated(names: Iterable[str]) -> str:
    """The first name that was there before; "" where all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def no_such_tensor(name: str, names: Iterable[str], path: object) -> ModelError:
    """ND1006 with the nearest name that does exist."""
    near = difflib.get_close_matches(name, tuple(names), n=1, cutoff=0.6)
    fix = f"the nearest name is {near[0]!r}" if near else "fetch the model again, or one that has it"
    return ModelError("ND1006", name, f"no such tensor in {path}", fix)
