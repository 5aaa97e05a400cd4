"""Results of finished stages in a folder, so that a mapping that was interrupted goes on where it stopped.

A stage's result is integers and a few words: ``STAGE-DIGEST.npy`` and ``STAGE-DIGEST.json``, the latter with the digest of
the former. DIGEST is that of everything the result depends on. Files are written aside and renamed, the JSON last, so that
there is either a whole result or none; one that is damaged all the same is computed again, with a note.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.storage.numpy_files import from_bytes

#: Goes up whenever a stage would compute something else from the same inputs.
FORMAT = "neurodeploy-stage/1"

Result = tuple[Ints, dict[str, Any]]


def digest(*parts: bytes | str | Ints) -> str:
    """sha256 over the parts, each with its length."""
    state = hashlib.sha256(FORMAT.encode())
    for part in parts:
        data = part.tobytes() if isinstance(part, np.ndarray) else part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class StageFiles:
    """`run` a stage, or read what an earlier run of it has left. Without a folder it only runs."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.notes: list[str] = []

    def run(self, stage: str, inputs: Callable[[], str], compute: Callable[[], Result]) -> Result:
        """The result of `compute`: (array of integers, JSON object). `inputs` is the digest that names it."""
        if self.folder is None:
            return compute()
        name = f"{stage}-{inputs()[:32]}"
        found = self._read(name)
        if found is None:
            found = compute()
            self._write(name, found)
        return found

    def _read(self, name: str) -> Result | None:
        assert self.folder is not None
        path = self.folder / f"{name}.json"
        if not path.exists():
            return None
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            data = path.with_suffix(".npy").read_bytes()
            if facts["sha256"] != digest(data, _canonical(facts["facts"])):
                raise ValueError("digest")
            return from_bytes(data), facts["facts"]
        except (OSError, ValueError, KeyError, TypeError):
            self.notes.append(f"the stage file {name} was damaged and was computed again")
            return None

    def _write(self, name: str, result: Result) -> None:
        buffer = BytesIO()
        np.save(buffer, result[0], allow_pickle=False)
        sha256 = digest(buffer.getvalue(), _canonical(result[1]))
        text = _canonical({"format": FORMAT, "sha256": sha256, "facts": result[1]})
        assert self.folder is not None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for suffix, data in (("npy", buffer.getvalue()), ("json", text.encode())):
                aside = self.folder / f".{name}.{suffix}.{os.getpid()}"
                aside.write_bytes(data)
                aside.replace(self.folder / f"{name}.{suffix}")
        except OSError as error:
            problem = f"cannot be written: {error.strerror or error}"
            raise UserError("ND2022", self.folder, problem, "name another folder, or map without one") from error
