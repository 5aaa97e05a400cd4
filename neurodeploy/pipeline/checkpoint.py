"""`convert` of a language model: a checkpoint and a calibration text become a bundle."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.errors import Interrupted, ModelError
from neurodeploy.ir.graph import WeightStore
from neurodeploy.pipeline.counts import size_of
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.texts import after_prefix, encode_text
from neurodeploy.version import __version__

if TYPE_CHECKING:
    from neurodeploy.bundle import BundleWriter

#: Ships with the package: see its own first lines for what it is made of.
DEFAULT_CALIBRATION = Path(__file__).parent.parent / "conversion" / "calibration.txt"


def convert_checkpoint(
    model: str | Path, out: Path, progress: Progress | None, calibration: str | Path | None = None,
    preset: str = "default", **fields: Any
) -> dict[str, Any]:  # fmt: skip
    """See `convert`; `fields` of the preset that are changed."""
    from neurodeploy.bundle import BundleWriter
    from neurodeploy.bundle.files import canonical, digest
    from neurodeploy.bundle.folders import refuse_others
    from neurodeploy.conversion.balance import balanced
    from neurodeploy.conversion.prefix import first_token, with_prefix
    from neurodeploy.conversion.presets import get_preset
    from neurodeploy.conversion.quantize import group_projections, quantize
    from neurodeploy.frontends.families import read_graph
    from neurodeploy.frontends.packaged import DEMO, PACKAGED, resolve
    from neurodeploy.frontends.text import read_text
    from neurodeploy.frontends.tokenizer_choice import read_tokenizer
    from neurodeploy.machine.arithmetic import arithmetic
    from neurodeploy.storage.stage_files import digest as stage_digest
    from simulators import get_runner

    began = time.perf_counter()
    chosen = get_preset(preset, **fields)
    path = resolve(model)
    refuse_others(out)
    text_file = Path(calibration) if calibration else _default_calibration(str(model))
    text = read_text(text_file)
    graph = read_graph(path)
    graph.check()
    if str(model) == DEMO or str(model) in PACKAGED:  # the name that the user gave, not that of a folder or a file
        graph = replace(graph, info=replace(graph.info, name=str(model)))
    tokenizer = read_tokenizer(path, graph.info.vocab_size)
    warnings = list(graph.notes)
    if tokenizer.kind.startswith("bytes"):
        warnings.append(f"{path} has no tokenizer: texts are read as bytes, which only suits byte-level models")
        text = _ascii(text, graph.info.vocab_size)
    before = [first_token(graph.info)] if chosen.prefix else []
    chosen = replace(chosen, window=min(chosen.window, graph.info.max_positions - len(before)))
    tokens = np.asarray(encode_text(tokenizer, text, chosen.calibration_tokens), np.int64)
    files = [Path(name) for name in graph.weights.files()]
    files += [path / "config.json"] if path.is_dir() else []
    read = [{"name": f.name, "size": f.stat().st_size, "sha256": digest(f)} for f in files]
    key = stage_digest(__version__, canonical(chosen.to_json()), canonical(read), tokens, arithmetic())
    of = sum(isinstance(unit, list) for unit in group_projections(graph, apart=chosen.apart))
    if chosen.balance:
        graph = balanced(graph)
    if before:
        graph = with_prefix(graph, before)
        tokens = after_prefix(graph.info, tokens)
    with _interrupted(writer := BundleWriter(out, key), of), writer:
        kept = list[WeightStore]()
        program = quantize(graph, tokens, chosen, progress, writer.add_layer, kept.append)
        calibrated = {"text": text_file.name, "sha256": digest(text_file), "tokens": int(tokens.size)}
        program = replace(
            program,
            conversion={
                **program.conversion, "calibration": calibrated, "warnings": warnings, "tokenizer": tokenizer.kind
            },
        )  # fmt: skip
        source = {"model": str(model), "path": str(path.resolve()), "files": read}

        def save_tokenizer(folder: Path) -> None:
            tokenizer.save(folder / "tokenizer.json")
            (folder / "tokenizer_settings.json").write_text(json.dumps(tokenizer.settings()))

        writer.finish(program, kept[0], source, save_tokenizer, get_runner("reference").run)
    sites: Any = program.conversion["sites"]
    return {
        "bundle": str(out),
        "model": graph.info.name,
        "family": graph.info.family,
        "preset": chosen.to_json(),
        **size_of(program.network),
        "sites": len(sites),
        "bits_a_weight": program.conversion["bits_a_weight"],
        "synaptic_events_sent": program.conversion["synaptic_events_sent"],
        "resumed": writer.resumed,
        "calibration": calibrated,
        "wide_axons": sum(
            int(np.count_nonzero(p.axon_exp)) for p in program.network.projections if p.axon_exp is not None
        ),
        "worst_sites": sorted(
            (
                {"path": s["path"], "output_sqnr_db": s["output_sqnr_db"]}
                for s in sites
                if s["output_sqnr_db"] is not None
            ),
            key=lambda row: row["output_sqnr_db"],
        )[:5],
        "warnings": [*warnings, *writer.notes],
        "seconds": time.perf_counter() - began,
    }


@contextmanager
def _interrupted(writer: BundleWriter, of: int) -> Iterator[None]:
    """An interrupt after which some `of` the islands are kept says where, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if writer.kept is None:
            raise
        problem = f"was interrupted with {writer.finished} of {of} islands finished"
        fix = f"run the same command again to go on from there: what is finished is kept in {writer.kept}"
        raise Interrupted("ND3009", "convert", problem, fix) from None


def _default_calibration(model: str) -> Path:
    from neurodeploy import embedded
    from neurodeploy.frontends.packaged import DEMO

    return embedded.CALIBRATION if model == DEMO else DEFAULT_CALIBRATION


def _ascii(text: str, vocab_size: int) -> str:
    """A model without a tokenizer reads bytes: keep the characters that its vocabulary has."""
    if vocab_size >= 256:
        return text
    kept = "".join(c for c in text if ord(c) < min(vocab_size, 128))
    if len(kept) < 16:
        raise ModelError(
            "ND1010", "calibration text", f"has {len(kept)} bytes below {vocab_size}, the size of the vocabulary",
            "give a model with a tokenizer, or a text of its bytes",
        )  # fmt: skip
    return kept
