"""What several verbs need of a language model's bundle: its tokenizer, its hybrid, its float baseline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.bundle.files import digest, read_json
from neurodeploy.errors import InternalError, UserError
from neurodeploy.frontends.text import read_text
from neurodeploy.frontends.tokenizer import Tokenizer, open_tokenizer
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.pipeline.counts import left_to_host
from neurodeploy.pipeline.hollow import refuse_hollow
from neurodeploy.pipeline.session import Progress, runner_of

Tokens = TypeVar("Tokens", list[int], NDArray[np.int64])

if TYPE_CHECKING:  # both load torch, which spiking networks do without
    from neurodeploy.hybrid import Hybrid
    from neurodeploy.ops.host.executor import Executor

#: Tokens of a window: attention of longer texts costs more than it tells.
WINDOW = 512


def open_model(path: AnyPath) -> tuple[Bundle, Tokenizer]:
    """A bundle with its tokenizer; ND3260 where streams feed it."""
    bundle = open_bundle(path)
    if bundle.program.streamed:
        fix = f"give it a stream of input: neurodeploy run {path} --input FILE"
        raise UserError("ND3260", path, "holds a spiking network, which reads no text", fix)
    return bundle, tokenizer_of(bundle)


def tokenizer_of(bundle: Bundle) -> Tokenizer:
    refuse_hollow(bundle, "a text")
    settings = read_json(bundle.path / "tokenizer_settings.json")
    return open_tokenizer(bundle.path / "tokenizer.json", bundle.program.info.vocab_size, settings)


def hybrid(bundle: Bundle, runner: str = "fast", *, logits: bool = False) -> Hybrid:
    """The program on a runner. Islands that the bundle's mapping leaves to the host run there; unmapped, none does.

    logits : all of them leave the chip, also of a program that chooses there (`conversion.choosing.read_out`).
    """
    from neurodeploy.conversion.choosing import read_out
    from neurodeploy.hybrid import Hybrid
    from simulators import get_runner

    refuse_hollow(bundle, "a text")
    if bundle.host_weights is None:
        raise InternalError("ND9011", bundle.path, "has no host weights")
    chosen, left = runner_of(bundle, runner), left_to_host(bundle)
    program = read_out(bundle.program) if logits else bundle.program
    return Hybrid(program, bundle.host_weights, chosen, on_host=left, host_runner=get_runner("fast"))


def float_model(bundle: Bundle, source: str | Path | None = None) -> Executor:
    """The model as it was before conversion, read again from its source, whose files must be what was converted."""
    from neurodeploy.conversion.prefix import with_prefix
    from neurodeploy.frontends.families import read_graph
    from neurodeploy.ops.host.executor import Executor

    recorded = bundle.manifest["source"]
    path = Path(source or recorded.get("path", ""))
    fix = "give its new place with --source, or leave the comparison out with --no-float"
    if not path.exists():
        raise UserError("ND1108", path, "the converted model's source is no longer there", fix)
    for entry in recorded.get("files", []):
        file = path / entry["name"] if path.is_dir() else path
        if not file.is_file() or file.stat().st_size != entry["size"] or digest(file) != entry["sha256"]:
            raise UserError("ND1108", file, "is not the file that was converted", fix)
    graph = read_graph(path)
    if bundle.program.info.prefix:
        graph = with_prefix(graph, bundle.program.info.prefix)
    sizes = {name: population.size for name, population in graph.populations.items()}
    return Executor(graph.ops, graph.weights, sizes, input=graph.input, output=graph.output)


def encode_text(tokenizer: Tokenizer, text: str, most: int | None = None) -> list[int]:
    """Token ids of a text as the family expects it to begin; at most `most` of them. ND3005 where that is below 1."""
    if most is not None and most < 1:
        raise UserError("ND3005", "text", f"at most {most} tokens of it are not possible", "read at least one")
    if most is not None:  # no token is longer than a few dozen characters: do not tokenise a book for a page
        text = text[: most * 64]
    tokens = tokenizer.encode(text, bos=tokenizer.adds_bos)
    return tokens if most is None else tokens[:most]


def windows(bundle: Bundle, text: str | Path, most: int, progress: Progress | None) -> Iterator[NDArray[np.int64]]:
    """The tokens of a text, at most so many, window by window."""
    tokens, window = encode_text(tokenizer_of(bundle), read_text(text), most), window_of(bundle)
    tokens = after_prefix(bundle.program.info, tokens)
    for start in range(0, len(tokens), window):
        if progress:
            progress("run", start, len(tokens))
        yield np.asarray(tokens[start : start + window])
    if progress:
        progress("run", len(tokens), len(tokens))


def window_of(bundle: Bundle) -> int:
    info = bundle.program.info
    return min(WINDOW, info.max_positions - len(info.prefix))


def after_prefix(info: ModelInfo, tokens: Tokens) -> Tokens:
    """The tokens without those that stand before every text anyway."""
    before = len(info.prefix)
    return tokens[before:] if before and tuple(tokens[:before]) == info.prefix else tokens
