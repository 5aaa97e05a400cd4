"""`BundleWriter`: islands as they are converted, then the rest, then the manifest, then the rename."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from neurodeploy import __version__
from neurodeploy.bundle import island_files as islands
from neurodeploy.bundle.files import FORMAT, canonical, digest, folder_aside, manifest_digest, readable, writing
from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.bundle.host_weights import write_host_weights
from neurodeploy.bundle.program_json import program_to_json
from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import Graph, HostOp
from neurodeploy.ir.program import Island, Program

#: Tokens of golden payloads by island, and how many islands carry them.
GOLDEN_TOKENS, GOLDEN_ISLANDS = 4, 8


def seal(work: Path, program: Program, source: dict[str, Any]) -> None:
    """Write the manifest over all that stands in the folder: the last act before the rename."""
    members = {
        file.relative_to(work).as_posix(): {"size": file.stat().st_size, "sha256": digest(file)}
        for file in sorted(work.rglob("*"))
        if file.is_file()
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "tool": __version__,
        "kind": "model" if program.network is None else "network",
        "contract": program.contract,
        "source": source,
        "members": members,
    }
    manifest["sha256"] = manifest_digest(manifest)
    (work / "manifest.json").write_bytes(readable(manifest))


class BundleWriter:
    """Context manager: nothing of name `path` appears, and an older bundle of that name stays, unless all went well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> BundleWriter:
        self._work = self._stack.enter_context(folder_aside(self.path, "islands", "vectors"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def add_island(self, island: Island) -> Island:
        """Write both files of `island` and return it with its weights mapped from disk instead of held in memory."""
        if "/" in island.name or "\\" in island.name or island.name.startswith("."):
            raise InternalError("ND9009", island.name, "cannot be a file name")
        folder = self._work / "islands"
        row = islands.describe(island)
        nir, image = (folder / name for name in islands.file_names(island.name))
        with writing(self.path):
            islands.write_nir(nir, island, json.dumps({"island": island.name}))
            islands.write_image(image, island)
        self._rows.append(row)
        return islands.read_island(folder, row)

    def finish(
        self, program: Program, graph: Graph, source: dict[str, Any], save_tokenizer: Callable[[Path], None],
        reference: Callable[[Island, Any], Any],
    ) -> None:  # fmt: skip
        """Everything but the islands. `reference` runs an island on payloads for the golden vectors."""
        work = self._work
        names = sorted({name for s in program.steps if isinstance(s, HostOp) for name in s.weights.values()})
        with writing(self.path):
            write_host_weights(work / "host.safetensors", graph.weights, names)
            (work / "program.json").write_bytes(canonical(program_to_json(program, self._rows)))
            (work / "conversion.json").write_bytes(readable(program.conversion))
            save_tokenizer(work)
            self._golden(program, reference)
            seal(work, program, source)

    def _golden(self, program: Program, reference: Callable[[Island, Any], Any]) -> None:
        """Extreme and random payloads, with a seed made of the island's name: reproducible by anybody."""
        names = sorted(
            program.islands, key=lambda name: (program.islands[name].rows * program.islands[name].columns, name)
        )
        with new_hdf5(self._work / "vectors" / "golden.h5") as file:
            for name in names[:GOLDEN_ISLANDS]:
                island = program.islands[name]
                seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
                limit = island.payload_max
                payload = np.random.default_rng(seed).integers(-limit, limit + 1, (GOLDEN_TOKENS, island.columns))
                payload[0], payload[1] = limit, 0
                payload = payload.astype(np.int16)
                group = file.create_group(name)
                group["payload"] = payload
                group["output"] = reference(island, payload)
