"""The library `tokenizers` from here: every call into it is made in a process with limits (`tokenizer_worker`).

A tokenizer.json of a stranger can end the process or make it run for ever when it is loaded, and again at every text: so
it never runs in ours. Starting the other process takes as long as the library takes to be loaded, some hundredths of a
second; a token is decoded in less than a tenth of a millisecond.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends import tokenizer_worker
from neurodeploy.frontends.tokenizer_worker import Tokens, answered
from neurodeploy.storage.confined import Confined, End, Limits

#: Wall time of one request, seconds.
WALL_SECONDS = 300.0
#: Most bytes of one answer: the ids of a text of a gigabyte.
MOST_BYTES = 1 << 32
FIX = "check the file and the text"
#: False calls the library in this process: only for files that this process has just written itself.
ISOLATE = True


class Library:
    """A tokenizer in a process with limits. `model`: the library's name for what it is, such as BPE.

    Raises ND1009, naming `subject`, where the library does not survive the file or takes too long, and `code` where it
    refuses it.
    """

    def __init__(self, data: bytes, subject: object, code: str = "ND1009") -> None:
        self._subject = subject
        self._worker: Confined | Tokens | End = Tokens()
        if ISOLATE:
            limits = Limits(tokenizer_worker.CPU_SECONDS, tokenizer_worker.BASE_MEMORY, WALL_SECONDS)
            self._worker = Confined(tokenizer_worker.__name__, (), limits, talks=True)
            weakref.finalize(self, self._worker.close)
        self.model = str(self._ask("load", data, code)[1]["model"])

    def encode(self, text: str, special: bool = False, code: str = "ND1009", subject: object = None) -> list[int]:
        """Ids; `special`: with the tokens that the file wants around them. What the library refuses is `code`."""
        data = self._ask("encode", text.encode("utf-8"), code, subject, special=special)[0]
        ids: list[int] = np.frombuffer(data, np.uint32).tolist()
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return self._ask("decode", np.array(ids, np.uint32).tobytes(), "ND1010", "tokens")[0].decode("utf-8")

    def token_to_id(self, token: str) -> int | None:
        found = self._ask("id", token.encode("utf-8", "replace"))[1]["id"]
        return None if found is None else int(found)

    def id_to_token(self, token: int) -> str | None:
        found = self._ask("token", b"", id=int(token))[1]["token"]
        return None if found is None else str(found)

    def to_json(self) -> bytes:
        """The tokenizer.json of what was read, as the library writes it."""
        return self._ask("write", b"")[0]

    def _ask(
        self, do: str, data: bytes, code: str = "ND1009", subject: object = None, **more: Any
    ) -> tuple[bytes, dict[str, Any]]:
        request = {"do": do, "bytes": len(data), **more}
        if isinstance(self._worker, End):
            raise self._died(self._worker)
        if isinstance(self._worker, Tokens):
            found, facts = answered(self._worker, request, data)
        else:
            found, facts = self._from_process(self._worker, request, data)
        if "refused" in facts:
            problem = f"the tokenizer library says: {facts['refused']}"
            raise ModelError(code, subject or self._subject, problem, FIX)
        return found, facts

    def _from_process(self, worker: Confined, request: dict[str, Any], data: bytes) -> tuple[bytes, dict[str, Any]]:
        by_itself = True
        try:
            with worker.request():
                worker.into.write(json.dumps(request).encode("ascii") + b"\n" + data)
                worker.into.flush()
                line = worker.out.readline()
                by_itself = not line.endswith(b"\n")
                facts = json.loads(line)
                size = min(int(facts["bytes"]), MOST_BYTES)
                found = worker.out.read(size)
                by_itself = len(found) < size
                if by_itself:
                    raise EOFError
                return found, facts
        except (OSError, EOFError, ValueError, KeyError, TypeError):  # its last words, or none
            self._worker = worker.ended(by_itself)
            raise self._died(self._worker) from None
        except BaseException:  # an interrupt: the next answer would be that of this request
            self._worker = worker.ended(by_itself=False)
            raise

    def _died(self, end: End) -> ModelError:
        problem = f"is a tokenizer that the library does not survive: its process {end}"
        return ModelError("ND1009", self._subject, problem, "use the tokenizer.json that the model was published with")
