"""`convert` of a spiking network: a NIR file or a lava-dl .net becomes a bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from neurodeploy.bundle.files import digest
from neurodeploy.bundle.folders import refuse_others
from neurodeploy.bundle.writer import write_bundle
from neurodeploy.flow.ranges import beyond_chip
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.counts import size_of
from neurodeploy.pipeline.reading import NirOptions, Read, read_net_file, read_nir_file
from neurodeploy.pipeline.session import Progress

SUFFIXES = (".nir", ".net")


def is_spiking_file(model: str | Path) -> bool:
    """By its name: a NIR file or a lava-dl network."""
    return Path(model).suffix.lower() in SUFFIXES


def convert_file(path: Path, out: Path, options: Mapping[str, Any], progress: Progress | None) -> dict[str, Any]:
    """See `convert`; `options` are fields of `NirOptions` or some of `NET_OPTIONS`."""
    began = time.perf_counter()
    refuse_others(out)
    if progress:
        progress("convert", 0, 3)
    if path.suffix.lower() == ".net":
        read = read_net_file(path, **options)
    else:
        tick = progress and partial(progress, "join linear nodes")
        read = read_nir_file(path, NirOptions(**options, kept=_kept(options, out)), tick)
    network, shapes = read.network, read.conversion["shapes"]
    read.warnings[:0] = [line for p in network.populations.values() for line in beyond_chip(p)]
    if progress:
        progress("convert", 1, 3)
    _write(path, out, read)
    if progress:
        progress("convert", 3, 3)
    return {
        "open_questions": read.questions,
        "losses": read.losses,
        "command_as_meant": read.command,
        "bundle": str(out),
        "model": network.name,
        "family": read.family,
        **size_of(network),
        "inputs": {name: shapes.get(name, list(network.populations[name].shape)) for name in network.inputs},
        "outputs": {name: list(network.populations[name].shape) for name in network.outputs},
        "worst_errors": sorted(read.errors, key=lambda row: -(row["relative"] or 0.0))[:8],
        "warnings": read.warnings,
        "seconds": time.perf_counter() - began,
    }


def _write(path: Path, out: Path, read: Read) -> None:
    """The bundle says nothing of where the file lay: the same file gives the same bytes."""
    from simulators.reference import ReferenceRunner

    network = read.network
    info = ModelInfo(network.name, read.family, 0, 0, len(network.populations), 0, path.name)
    # The lists, not copies: writing the float network may add to them before they are written themselves.
    read.conversion |= {
        "open_questions": read.questions, "losses": read.losses, "warnings": read.warnings, "errors": read.errors
    }  # fmt: skip
    file = {"name": path.name, "size": path.stat().st_size, "sha256": digest(path)}
    origin = {"model": path.name, "path": "", "files": [file]}
    program = Program(info, network, conversion=read.conversion)
    write_bundle(out, program, origin, ReferenceRunner().run, read.save_nir)


def _kept(options: Mapping[str, Any], out: Path) -> tuple[str, ...]:
    """The options of a call that an error repeats: all but those that it is about: time step, gain and source."""
    names = [field.name for field in fields(NirOptions) if field.name not in ("dt", "gain", "source")]
    words = [word for name in names for word in _words(f"--{name.replace('_', '-')}", options.get(name))]
    return (*words, "--out", str(out))


def _words(name: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, bool):
        return (name if value else name.replace("--", "--no-", 1),)
    return (name, str(value))
