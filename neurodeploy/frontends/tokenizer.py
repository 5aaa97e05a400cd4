"""What a tokenizer is: of the library, or one token a byte (`tokenizer_choice` reads that of a checkpoint).

A tokenizer never guesses: a text that it cannot represent is an error (ND1010).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends.files import read_file
from neurodeploy.frontends.tokenizer_library import Library

#: Largest tokenizer.json that is read; Gemma's 262 144 entries take 33 MB.
TOKENIZER_LIMIT = 256_000_000
BYTES_KIND = "bytes (no tokenizer file)"


class Tokenizer(ABC):
    """Text to token ids and back.

    kind : what it was made from, for reports
    vocab_size : size of the *model's* vocabulary; no id at or above it is ever produced
    bos, eos : id that begins a text, ids that end one
    adds_bos : the family expects `bos` at the start of a text: call ``encode(text, bos=tokenizer.adds_bos)``
    """

    def __init__(
        self, kind: str, vocab_size: int, bos: int | None = None, eos: Iterable[int] = (), adds_bos: bool = False
    ) -> None:
        self.kind, self.vocab_size, self.bos, self.eos, self.adds_bos = kind, vocab_size, bos, tuple(eos), adds_bos

    def encode(self, text: str, bos: bool) -> list[int]:
        """Token ids; with `bos` the first is `bos`. Raises ND1010."""
        if not bos:
            return self.ids(text)
        if self.bos is None:
            raise ModelError("ND1010", self.kind, "has no token for the start of a text", "encode with bos=False")
        return [self.bos, *self.ids(text)]

    @abstractmethod
    def ids(self, text: str) -> list[int]:
        """Token ids of the text alone. Raises ND1010."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids; control tokens give none, bytes that are no UTF-8 give U+FFFD."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write a tokenizer.json that the library `tokenizers` reads."""

    def settings(self) -> dict[str, Any]:
        """What tokenizer.json does not hold: kind, bos, eos, adds_bos. `open_tokenizer` takes it back."""
        return {"kind": self.kind, "bos": self.bos, "eos": list(self.eos), "adds_bos": self.adds_bos}


class LibraryTokenizer(Tokenizer):
    """`Tokenizer` over the library `tokenizers`. Special tokens written out in a text are recognised."""

    def __init__(
        self, inner: Library, kind: str, vocab_size: int, bos: int | None, eos: Iterable[int], adds_bos: bool
    ) -> None:
        super().__init__(kind, vocab_size, bos, eos, adds_bos)
        self.inner = inner
        for role, token in [("bos", bos), *(("eos", token) for token in self.eos)]:
            if token is not None and not 0 <= token < vocab_size:
                problem = f"{role} token {token} is not in the model's vocabulary of {vocab_size}"
                raise ModelError("ND1009", kind, problem, "check the token ids in the model's configuration")

    def ids(self, text: str) -> list[int]:
        utf8(text)
        ids = self.inner.encode(text, code="ND1010", subject="text")
        if text and not ids:
            raise ModelError("ND1010", f"text {text[:20]!r}", f"gives no token in {self.kind}", "use another text")
        over = next((token for token in ids if token >= self.vocab_size), None)
        if over is not None:
            piece = self.inner.id_to_token(over)
            problem = f"gives token {over} ({piece!r}), the model has {self.vocab_size}"
            raise ModelError("ND1010", f"text {text[:20]!r}", problem, "use the tokenizer that belongs to the model")
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return self.inner.decode(ids)

    def save(self, path: Path) -> None:
        path.write_bytes(self.inner.to_json())


class ByteTokenizer(Tokenizer):
    """One token a byte of UTF-8: token = byte value. For models without a tokenizer; no control tokens.

    A vocabulary below 256 takes only texts whose bytes fit in it (128: plain ASCII).
    """

    def __init__(self, vocab_size: int) -> None:
        super().__init__(BYTES_KIND, vocab_size)

    def ids(self, text: str) -> list[int]:
        data = utf8(text)
        if data and max(data) >= self.vocab_size:
            at = next(i for i, byte in enumerate(data) if byte >= self.vocab_size)
            problem = f"byte {data[at]} at position {at} does not fit a vocabulary of {self.vocab_size} byte tokens"
            raise ModelError("ND1010", "text", problem, f"use only bytes below {self.vocab_size}")
        return list(data)

    def decode(self, ids: Sequence[int]) -> str:
        # An id above 255 is no byte; 0xFF is none in UTF-8 either, so both become U+FFFD.
        return bytes(min(int(token), 255) for token in ids).decode("utf-8", errors="replace")

    def save(self, path: Path) -> None:
        """A BPE without merges over ``<0x00>``, ``<0x01>`` ..: the library falls back to bytes for every character."""
        from tokenizers import Tokenizer as Library
        from tokenizers import decoders, models

        vocab = {f"<0x{byte:02X}>": byte for byte in range(min(256, self.vocab_size))}
        inner = Library(models.BPE(vocab, [], byte_fallback=True))
        inner.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
        path.write_text(inner.to_str(), encoding="utf-8")


def open_tokenizer(path: str | Path, vocab_size: int, settings: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer that `save` wrote, with what `settings` said of it."""
    if settings.get("kind") == BYTES_KIND:
        return ByteTokenizer(vocab_size)
    kind, bos, eos, adds = (settings.get(key) for key in ("kind", "bos", "eos", "adds_bos"))
    naturals = isinstance(eos, list) and all(type(token) is int for token in eos)
    if not isinstance(kind, str) or not (bos is None or type(bos) is int) or not naturals or not isinstance(adds, bool):
        problem = f"tokenizer settings are damaged: {dict(settings)!r:.120}"
        raise ModelError("ND1009", path, problem, "convert the model again")
    return LibraryTokenizer(load(Path(path)), kind, vocab_size, bos, eos or [], adds)


def load(file: Path) -> Library:
    """A tokenizer.json; ND1004 where it cannot be read, or is too large."""
    return Library(read_file(file, TOKENIZER_LIMIT, "tokenizer"), file)


def utf8(text: str) -> bytes:
    """The text's bytes; ND1010 where it holds a lone surrogate, which some versions of the library would drop."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        problem = f"character {error.start} is a lone surrogate, which UTF-8 cannot hold"
        raise ModelError("ND1010", "text", problem, "repair the text") from None
