"""Results of finished stages in a folder, so that work that was interrupted goes on where it stopped: stages of a mapping,
islands of a conversion, windows of an evaluation.

A stage's result is an array and a few words: ``STAGE-DIGEST.npy`` and ``STAGE-DIGEST.json``, the latter with the digest of
the former. DIGEST is that of everything the result depends on. Files are written aside and renamed, the JSON last, so that
there is either a whole result or none; one that is damaged all the same is computed again, with a note.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.storage.numpy_files import from_bytes
from neurodeploy.storage.temporary import replace_file

#: Goes up whenever a stage would compute something else from the same inputs.
FORMAT = "neurodeploy-stage/1"

Result = tuple[NDArray[Any], dict[str, Any]]


def digest(*parts: bytes | str | NDArray[Any]) -> str:
    """sha256 over the parts, each with its length."""
    state = hashlib.sha256(FORMAT.encode())
    for part in parts:
        data = part.tobytes() if isinstance(part, np.ndarray) else part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class StageFiles:
    """`run` a stage, or read what an earlier run of it has left. Without a folder it only runs.

    folder : where results are kept; made when the first one is written.
    asked : whether a user asked for it: then a folder that cannot be written is an error, otherwise nothing is kept.

    `reused` and `kept` count the results that were read and those that are in the folder now, `notes` says what went wrong.
    """

    def __init__(self, folder: Path | None, asked: bool = True) -> None:
        self.folder, self.asked = folder, asked
        self.notes: list[str] = []
        self.reused = self.kept = 0

    def run(
        self,
        stage: str,
        inputs: Callable[[], str],
        compute: Callable[[], Result],
        whole: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> Result:
        """The result of `compute`: (array, JSON object). `inputs` is the digest that names it.

        `whole` says of the JSON object of an earlier run whether what it speaks of is still there.
        """
        if self.folder is None:
            return compute()
        name = f"{stage}-{inputs()[:32]}"
        found = self._read(name, whole)
        if found is not None:
            self.reused += 1
        else:
            found = compute()
            self._write(name, found)
        self.kept += self.folder is not None
        return found

    def known(self, stage: str, inputs: str, whole: Callable[[dict[str, Any]], bool] = lambda _: True) -> Result | None:
        """What an earlier run has left of the stage with this digest; None where nothing whole is there."""
        return None if self.folder is None else self._read(f"{stage}-{inputs[:32]}", whole)

    def _read(self, name: str, whole: Callable[[dict[str, Any]], bool]) -> Result | None:
        assert self.folder is not None
        path = self.folder / f"{name}.json"
        if not path.exists():
            return None
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            data = path.with_suffix(".npy").read_bytes()
            if facts["sha256"] != digest(data, _canonical(facts["facts"])) or not whole(facts["facts"]):
                raise ValueError("digest")
            return from_bytes(data), facts["facts"]
        except (OSError, ValueError, KeyError, TypeError):
            self.notes.append(f"the stage file {name} was damaged and was computed again")
            return None

    def _write(self, name: str, result: Result) -> None:
        buffer = BytesIO()
        np.save(buffer, result[0], allow_pickle=False)
        sha256 = digest(buffer.getvalue(), _canonical(result[1]))
        # Keys in their own order: whoever writes them on cannot tell whether they were read or computed.
        text = json.dumps({"format": FORMAT, "sha256": sha256, "facts": result[1]}, separators=(",", ":"))
        assert self.folder is not None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for suffix, data in (("npy", buffer.getvalue()), ("json", text.encode())):
                replace_file(self.folder / f"{name}.{suffix}", data)
        except OSError as error:
            problem = f"cannot be written: {error.strerror or error}"
            if self.asked:
                raise UserError("ND2022", self.folder, problem, "name another folder, or go without one") from error
            self.notes.append(f"{self.folder} {problem}: nothing is kept of a run that is broken off")
            self.folder, self.kept = None, 0
