"""Writing aside and renaming, digests, and JSON that is bounded and typed when it is read."""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from neurodeploy.errors import BundleError
from neurodeploy.storage.opening import open_regular

FORMAT = 1
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
    """Replace `path` by `content` in one step: a reader sees the old file or the new one, never half."""
    with writing(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)


def refuse_others(path: Path) -> None:
    """ND5004 where a bundle may not take the place of what is there."""
    with writing(path):
        if os.path.lexists(path) and not (path / "manifest.json").is_file():
            raise BundleError(
                "ND5004", path, "exists and is not a bundle", "choose another --out, or remove it yourself"
            )


@contextmanager
def folder_aside(path: Path, *inside: str) -> Iterator[Path]:
    """A temporary folder that takes the place of `path` on success and vanishes on any failure or interrupt.

    The folders `inside` are made in it. An existing bundle of that name is replaced only at the end; any other file or
    folder of that name is refused. Folders above `path` that had to be made vanish too.
    """
    refuse_others(path)
    with writing(path):
        made = [folder for folder in path.parents if not folder.exists()]
    temporary = [path.parent / f".{path.name}.{secrets.token_hex(4)}.partial", *made]
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for folder in (temporary[0], *(temporary[0] / name for name in inside)):
                folder.mkdir()
        yield temporary[0]
        with writing(path):
            _take_place(temporary[0], path)
    except BaseException:
        try:
            _remove(temporary)
        except KeyboardInterrupt:  # people press Ctrl-C twice
            _remove(temporary)
        raise


def _remove(folders: list[Path]) -> None:
    """The first with all that is in it, the others where they are empty."""
    shutil.rmtree(folders[0], ignore_errors=True)
    for folder in folders[1:]:
        with suppress(OSError):
            folder.rmdir()


def _take_place(work: Path, path: Path) -> None:
    """Rename `work` to `path`. An older bundle there steps aside first and comes back if that fails."""
    if not path.exists():
        work.replace(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    try:
        path.replace(aside / "bundle")
        work.replace(path)
    except BaseException:
        with suppress(OSError):
            if not path.exists():
                (aside / "bundle").replace(path)
            shutil.rmtree(aside)
        raise
    shutil.rmtree(aside, ignore_errors=True)


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
