"""Writing aside and renaming, digests, and JSON that is bounded and typed when it is read."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurodeploy.errors import BundleError
from neurodeploy.storage.opening import open_regular
from neurodeploy.storage.temporary import refuse_all_but_files, replace_file

FORMAT = 2
JSON_LIMIT = 1 << 28
_PIECE = 1 << 20


def digest(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    state = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(_PIECE):
            state.update(piece)
    return state.hexdigest()


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spare space: the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def cannot_write(path: Path, error: OSError) -> BundleError:
    reason = error.strerror or str(error)
    return BundleError(
        "ND5004", path, f"cannot be written: {reason:.200}", "choose another place, or make room in this one"
    )


def readable(value: object) -> bytes:
    """JSON for people, with a line for each entry."""
    return json.dumps(value, indent=1, allow_nan=False).encode()


def manifest_digest(manifest: dict[str, Any]) -> str:
    """sha256 of a manifest without its own entry ``sha256``."""
    return hashlib.sha256(canonical({key: value for key, value in manifest.items() if key != "sha256"})).hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever the system says while `path` is written is ND5004."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from None


def write_aside(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step: a reader sees the old file or the new one, never half. ND5004 where it cannot
    be written, or where a folder, a link or a device is in its place."""
    with writing(path):
        replace_file(path, content)


def check_place(path: Path, example: str = "name.ending", parents: bool = False) -> None:
    """ND5004 where no file of that name can be written: said before the work, not after it. With `parents` the folders above
    it will be made."""
    if path.is_dir() or not path.name:
        raise BundleError("ND5004", path, "is a folder, a file is needed", f"name one: {path / example}")
    with writing(path):
        refuse_all_but_files(path)
        if path.parent.exists() or not parents:
            with tempfile.TemporaryFile(dir=path.parent):
                pass


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits:.20} is not a number that fits a float")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a bundle's member, without NaN or infinity; ND5003 missing, ND5006 anything else."""
    try:
        if path.exists() and not path.is_file():
            raise BundleError("ND5006", path, "is not a plain file", "convert the model again")
        if path.stat().st_size > JSON_LIMIT:
            raise BundleError("ND5006", path, f"is larger than {JSON_LIMIT} bytes", "convert the model again")
        value = json.loads(path.read_bytes().decode(), parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError) as error:
        raise BundleError("ND5006", path, f"is not valid JSON ({error})", "convert the model again") from None
    except FileNotFoundError:
        raise BundleError("ND5003", path, "is missing from the bundle", "convert the model again") from None
    except OSError as error:
        raise BundleError("ND5003", path, f"cannot be read: {error.strerror}", "check its permissions") from None
    if not isinstance(value, dict):
        raise BundleError("ND5006", path, "is not a JSON object", "convert the model again")
    return value
