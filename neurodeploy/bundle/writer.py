"""Writers of bundles: a language model island by island as they are converted, a spiking network at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from neurodeploy.bundle import golden, linear_files, nir_graph
from neurodeploy.bundle.files import FORMAT, canonical, digest, manifest_digest, readable, writing
from neurodeploy.bundle.folders import folder_aside
from neurodeploy.bundle.host_weights import HOST_WEIGHTS, write_host_weights
from neurodeploy.bundle.populations import ARRAYS, SOURCE_NIR, Arrays, Known, write_arrays
from neurodeploy.bundle.program_json import program_to_json, read_layer, step_to_json
from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import WeightStore
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import CONTRACT, Program
from neurodeploy.ir.typed import Row
from neurodeploy.storage.stage_files import Result, StageFiles
from neurodeploy.storage.stage_files import digest as stage_digest
from neurodeploy.storage.temporary import remove
from neurodeploy.synapses.linear import LinearLayer
from neurodeploy.version import __version__

#: Folder of what is known of finished islands, while there are others to come: no member.
PROGRESS = "progress"
#: Folder of the files of linear layers.
FOLDER = "islands"


def seal(work: Path, program: Program, known: Known, source: dict[str, Any]) -> None:
    """Write the program, its conversion, arrays that have no place yet (`known`: rows of those that have), and the manifest
    over all that stands in the folder: the last act before the rename."""
    value, arrays = program_to_json(program, known)
    if arrays:
        write_arrays(work / ARRAYS, arrays)
    (work / "program.json").write_bytes(canonical(value))
    (work / "conversion.json").write_bytes(readable(program.conversion))
    members = {
        file.relative_to(work).as_posix(): {"size": file.stat().st_size, "sha256": digest(file)}
        for file in sorted(work.rglob("*"))
        if file.is_file() and PROGRESS not in file.relative_to(work).parts
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "tool": __version__,
        "kind": "network" if program.streamed else "hollow" if "hollow" in program.conversion else "model",
        "contract": CONTRACT,
        "source": source,
        "members": members,
    }
    manifest["sha256"] = manifest_digest(manifest)
    (work / "manifest.json").write_bytes(readable(manifest))


#: What the conversion of an island has to say beside it: a JSON object a projection.
Sites = list[dict[str, Any]]


class BundleWriter:
    """Context manager: nothing of name `path` appears, and an older bundle of that name stays, unless all went well.

    With a `key`, the digest of all that islands depend on, those that were finished when the work was interrupted are kept
    beside `path` (`kept`, `finished` of them), and the next call of that key goes on with them (`resumed` of them).
    """

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path, self.key = path, key
        self.kept: Path | None = None
        self.finished = 0
        self._stack = ExitStack()
        self._rows: dict[Population | Projection, Row] = {}
        self._layers: list[LinearLayer] = []

    def __enter__(self) -> BundleWriter:
        keep = self._keep if self.key else None
        aside = folder_aside(self.path, FOLDER, "vectors", key=self.key, keep=keep)
        self._work = self._stack.enter_context(aside)
        self._stages = StageFiles(self._work / PROGRESS if self.key else None, asked=False)
        return self

    @property
    def resumed(self) -> int:
        """Islands that an earlier call had finished."""
        return self._stages.reused

    @property
    def notes(self) -> list[str]:
        """What went wrong with results that were kept, or were to be kept."""
        return self._stages.notes

    def _keep(self, work: Path) -> bool:
        """Leave finished islands and what is known of them; the rest of a bundle is soon made again."""
        self.finished = len(list((work / PROGRESS).glob("island-*.json")))
        if not self.finished:
            return False
        for entry in work.iterdir():
            if entry.name not in (FOLDER, PROGRESS):
                remove(entry)
        self.kept = work
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def add_layer(self, name: str, build: Callable[[], tuple[LinearLayer, Sites]]) -> tuple[LinearLayer, Sites]:
        """Write both files of the layer `name` that `build` makes, or find those of an interrupted call; returns it with
        its weights mapped from disk instead of held in memory."""
        if "/" in name or "\\" in name or name.startswith("."):
            raise InternalError("ND9009", name, "cannot be a file name")
        members = [f"{FOLDER}/{file}" for file in linear_files.file_names(name)]
        files = [self._work / member for member in members]

        def compute() -> Result:
            layer, sites = build()
            with writing(self.path):
                linear_files.write_nir(files[0], layer, json.dumps({"island": name}))
                linear_files.write_image(files[1], layer)
                populations, synapses = linear_files.rows_of(FOLDER, layer)
                host = [step_to_json(layer.encode), step_to_json(layer.decode)]
                facts: dict[str, Any] = {"rows": [*populations, synapses], "host": host, "sites": sites}
                if self.key:
                    facts["sha256"] = [digest(file) for file in files]
            return np.zeros(0, np.int64), facts

        def whole(facts: dict[str, Any]) -> bool:
            return all(file.is_file() for file in files) and facts["sha256"] == [digest(file) for file in files]

        facts = self._stages.run("island", lambda: stage_digest(self.key or "", name), compute, whole)[1]
        layer = read_layer(facts["rows"], facts["host"], Arrays(self._work, members))
        self._rows.update(zip((layer.source, layer.neurons, layer.synapses), facts["rows"], strict=True))
        self._layers.append(layer)
        return layer, facts["sites"]

    def _settle(self, program: Program) -> None:
        """Files of layers whose neurons the program has with other multipliers than they were written with."""
        units = nir_graph.units_of(program)
        for layer in self._layers:
            neurons = program.network.populations[layer.name]
            if neurons is not layer.neurons:
                changed = replace(layer, neurons=neurons)
                scales = nir_graph.layer_scales(program, layer.name, units)
                linear_files.settle(self._work / FOLDER, changed, scales)
                self._rows[neurons] = linear_files.rows_of(FOLDER, changed)[0][1]

    def finish(
        self, program: Program, weights: WeightStore, source: dict[str, Any], save_tokenizer: Callable[[Path], None],
        run: golden.Run,
    ) -> None:  # fmt: skip
        """Everything but the layers. `weights` has the tensors of the host, `run` is the reference runner, for the golden
        vectors."""
        with writing(self.path):
            save_tokenizer(self._work)
            self._settle(program)
            _complete(self._work, program, weights, self._rows, source, run)
            remove(self._work / PROGRESS)


def write_bundle(
    path: Path, program: Program, source: dict[str, Any], run: golden.Run,
    save_nir: Callable[[Path], object] | None = None, weights: WeightStore | None = None,
) -> None:  # fmt: skip
    """Write the bundle `path` of a program that streams feed, under a temporary name, and rename it.

    `run` is the reference runner, for golden vectors; `save_nir` writes the float network as NIR, where there is one, and
    may add to the program's conversion what it has to say about that. `weights` has the tensors of its host operations.
    """
    with folder_aside(path, "vectors") as work, writing(path):
        if save_nir is not None:
            save_nir(work / SOURCE_NIR)
        _complete(work, program, weights, {}, source, run)


def _complete(
    work: Path, program: Program, weights: WeightStore | None, known: Known, source: dict[str, Any], run: golden.Run
) -> None:
    """The tensors of the host, where it has any, golden vectors, and the seal."""
    if weights is not None:
        names = sorted({name for operation in program.operations for name in operation.weights.values()})
        write_host_weights(work / HOST_WEIGHTS, weights, names)
    golden.write_golden(work, program, run)
    seal(work, program, known, source)


def write_hollow(path: Path, program: Program, source: dict[str, Any]) -> None:
    """Write the bundle `path` of a program without weights under a temporary name and rename it."""
    with folder_aside(path) as work, writing(path):
        seal(work, program, {}, source)
