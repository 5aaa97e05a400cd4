"""The library `tokenizers` over one tokenizer.json, run by `tokenizer_library` in a process with limits: the library ends
its process on some files (an id of 2^31, texts that a chain of replacements makes endless) and never returns from others.

Requests and answers are a line of JSON each, followed by as many raw bytes as its ``bytes`` says::

    {"do": "load", "bytes": N}          tokenizer.json          {"bytes": 0, "model": "BPE"}
    {"do": "encode", "bytes": N, "special": false}   UTF-8      {"bytes": 4 * n}    ids, uint32
    {"do": "decode", "bytes": 4 * n}    ids                     {"bytes": N}        UTF-8
    {"do": "id" | "token" | "write", "bytes": N}                {"bytes": N, ..}
                                                                {"bytes": 0, "refused": "what the library says"}
"""

from __future__ import annotations

import json
import signal
import sys
from array import array
from contextlib import suppress
from typing import IO, Any

from neurodeploy.storage.limits import confine

#: Address space beside that of a file or a text, bytes; bytes of it for each byte of a tokenizer.json, and of a text.
#: The library takes 12 bytes for each byte of Gemma's 33 MB file, and 120 for each byte of a text.
BASE_MEMORY, MEMORY_OF_FILE, MEMORY_OF_TEXT = 768 << 20, 48, 400
#: Processor seconds of a request, and how many bytes buy another one.
CPU_SECONDS, BYTES_A_SECOND = 20, 100_000


class Tokens:
    """One method a request: bytes in, bytes and more facts out."""

    inner: Any = None

    def load(self, data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        from tokenizers import Tokenizer

        self.inner = Tokenizer.from_str(data.decode("utf-8"))
        # A file may carry the padding and truncation of its training: neither belongs into a generation.
        self.inner.no_padding()
        self.inner.no_truncation()
        return b"", {"model": type(self.inner.model).__name__}

    def encode(self, data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        ids = self.inner.encode(data.decode("utf-8"), add_special_tokens=bool(request["special"])).ids
        return array("I", ids).tobytes(), {}

    def decode(self, data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        return self.inner.decode(array("I", data).tolist(), skip_special_tokens=True).encode("utf-8"), {}

    def id(self, data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        return b"", {"id": self.inner.token_to_id(data.decode("utf-8"))}

    def token(self, data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        return b"", {"token": self.inner.id_to_token(int(request["id"]))}

    def write(self, data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        return self.inner.to_str().encode("utf-8"), {}


def answered(tokens: Tokens, request: dict[str, Any], data: bytes) -> tuple[bytes, dict[str, Any]]:
    """What the library makes of a request; whatever it raises is an answer too. Its panics derive from BaseException."""
    try:
        return getattr(tokens, request["do"])(data, request)  # type: ignore[no-any-return]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        return b"", {"refused": str(error).partition("\n")[0][:200] or type(error).__name__}


def serve(source: IO[bytes], out: IO[bytes]) -> None:
    """Answer requests until there are no more, each within its limits."""
    tokens, memory = Tokens(), BASE_MEMORY
    while line := source.readline():
        request = json.loads(line)
        data = source.read(request["bytes"])
        memory += MEMORY_OF_FILE * len(data) if request["do"] == "load" else 0
        confine(CPU_SECONDS + len(data) // BYTES_A_SECOND, memory + MEMORY_OF_TEXT * len(data))
        answer, facts = answered(tokens, request, data)
        out.write(json.dumps({**facts, "bytes": len(answer)}).encode("ascii") + b"\n" + answer)
        out.flush()


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when its input does
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
