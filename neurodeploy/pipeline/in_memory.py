"""Arrays and tensors where a verb reads a file: they are one for the time of the call, and no message names it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from neurodeploy.errors import NeurodeployError, UserError

#: Parameters of verbs that are files of numbers.
FILES = ("input", "labels", "reference", "rates")


@contextmanager
def as_files(named: Mapping[str, Any]) -> Iterator[dict[str, Path]]:
    """Of the parameters `FILES`, those that are held in memory as files: an array, tensor or nested list as .npy, a mapping
    of them by name as .npz. ND3270 for what is no array of numbers."""
    held = {name: named[name] for name in FILES if not isinstance(named.get(name), str | os.PathLike | None)}
    if not held:
        yield {}
        return
    with TemporaryDirectory(prefix="neurodeploy-") as folder:
        try:
            yield {name: _written(Path(folder), name, value) for name, value in held.items()}
        except NeurodeployError as error:
            texts = (text.replace(f"{folder}{os.sep}", "") for text in (error.subject, error.problem, error.fix))
            raise type(error)(error.code, *texts) from None


def _written(folder: Path, name: str, value: Any) -> Path:
    if isinstance(value, Mapping):
        path = folder / f"{name}.npz"
        np.savez(path, **{str(key): _array(f"{name}: {key}", each) for key, each in value.items()})  # type: ignore[arg-type]
        return path
    path = folder / f"{name}.npy"
    np.save(path, _array(name, value))
    return path


def _array(what: str, value: Any) -> Any:
    try:
        found = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):  # rows of different lengths
        found = np.empty(0, object)
    if found.dtype.kind not in "biuf":
        problem = f"is {type(value).__name__} and no array of numbers"
        raise UserError("ND3270", what, problem, "give an array, a tensor, or the path of a .npy or .npz file")
    return found
