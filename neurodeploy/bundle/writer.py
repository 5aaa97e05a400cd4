"""Writers of bundles: a language model island by island as they are converted, a spiking network at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from neurodeploy.bundle import golden
from neurodeploy.bundle import island_files as islands
from neurodeploy.bundle.files import FORMAT, canonical, digest, manifest_digest, readable, writing
from neurodeploy.bundle.folders import folder_aside
from neurodeploy.bundle.host_weights import write_host_weights
from neurodeploy.bundle.network_files import ARRAYS, SOURCE_NIR, network_to_json, write_arrays
from neurodeploy.bundle.program_json import contract_of, program_to_json
from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import Graph, HostOp
from neurodeploy.ir.program import Island, Program
from neurodeploy.storage.stage_files import Result, StageFiles
from neurodeploy.storage.stage_files import digest as stage_digest
from neurodeploy.storage.temporary import remove
from neurodeploy.version import __version__

#: Folder of what is known of finished islands, while there are others to come: no member.
PROGRESS = "progress"


def seal(work: Path, program: Program, body: dict[str, Any], source: dict[str, Any]) -> None:
    """Write the program, whose own part is `body`, its conversion, and the manifest over all that stands in the folder: the
    last act before the rename."""
    head = {"contract": contract_of(program), "info": asdict(program.info)}
    (work / "program.json").write_bytes(canonical({**head, **body}))
    (work / "conversion.json").write_bytes(readable(program.conversion))
    members = {
        file.relative_to(work).as_posix(): {"size": file.stat().st_size, "sha256": digest(file)}
        for file in sorted(work.rglob("*"))
        if file.is_file() and PROGRESS not in file.relative_to(work).parts
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "tool": __version__,
        "kind": "network" if program.streamed else "model",
        "contract": contract_of(program),
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
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> BundleWriter:
        keep = self._keep if self.key else None
        aside = folder_aside(self.path, "islands", "vectors", key=self.key, keep=keep)
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
            if entry.name not in ("islands", PROGRESS):
                remove(entry)
        self.kept = work
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def add_island(self, name: str, build: Callable[[], tuple[Island, Sites]]) -> tuple[Island, Sites]:
        """Write both files of the island `name` that `build` makes, or find those of an interrupted call; returns it with
        its weights mapped from disk instead of held in memory."""
        if "/" in name or "\\" in name or name.startswith("."):
            raise InternalError("ND9009", name, "cannot be a file name")
        folder = self._work / "islands"
        files = [folder / file for file in islands.file_names(name)]

        def compute() -> Result:
            island, sites = build()
            with writing(self.path):
                islands.write_nir(files[0], island, json.dumps({"island": name}))
                islands.write_image(files[1], island)
                facts = {"row": islands.describe(island), "sites": sites}
                if self.key:
                    facts["sha256"] = [digest(file) for file in files]
            return np.zeros(0, np.int64), facts

        def whole(facts: dict[str, Any]) -> bool:
            return all(file.is_file() for file in files) and facts["sha256"] == [digest(file) for file in files]

        facts = self._stages.run("island", lambda: stage_digest(self.key or "", name), compute, whole)[1]
        self._rows.append(facts["row"])
        return islands.read_island(folder, facts["row"]), facts["sites"]

    def finish(
        self, program: Program, graph: Graph, source: dict[str, Any], save_tokenizer: Callable[[Path], None],
        reference: Callable[[Island, Any], Any],
    ) -> None:  # fmt: skip
        """Everything but the islands. `reference` runs an island on payloads for the golden vectors."""
        work = self._work
        names = sorted({name for s in program.steps if isinstance(s, HostOp) for name in s.weights.values()})
        with writing(self.path):
            write_host_weights(work / "host.safetensors", graph.weights, names)
            save_tokenizer(work)
            golden.write_islands(work, program.islands, reference)
            seal(work, program, program_to_json(program, self._rows), source)
            remove(work / PROGRESS)


def write_network_bundle(
    path: Path, program: Program, source: dict[str, Any], run: golden.Run,
    save_nir: Callable[[Path], object] | None = None,
) -> None:  # fmt: skip
    """Write the bundle `path` of a spiking network under a temporary name and rename it.

    `run` is the reference runner, for golden vectors; `save_nir` writes the float network as NIR, where there is one, and
    may add to the program's conversion what it has to say about that.
    """
    network = program.network
    with folder_aside(path, "vectors") as work, writing(path):
        structure, arrays = network_to_json(network)
        write_arrays(work / ARRAYS, arrays)
        if save_nir is not None:
            save_nir(work / SOURCE_NIR)
        golden.write_steps(work, network, run)
        seal(work, program, {"network": structure}, source)
