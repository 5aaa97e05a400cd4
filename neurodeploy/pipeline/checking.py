"""`verify` and `doctor`: is this bundle sound, and is this machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Collection, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle import Bundle, open_bundle
from neurodeploy.bundle.writer import GOLDEN_TOKENS, golden_names, golden_payload
from neurodeploy.errors import BundleError, TargetUnavailable
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import IslandRunner
from neurodeploy.pipeline.session import PARTITIONED, Progress, extent, left_to_host, load_mapping

PACKAGES = ("numpy", "torch", "numba", "h5py", "nir", "safetensors", "tokenizers", "gguf", "typer", "rich")


def verify(bundle: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Check a bundle from end to end: digests, NIR files by `nir.read`, golden vectors on both runners, the mapping.

    A mapping is executed, core by core: golden vectors where an island has them, payloads of the same sort where it has
    none. Damage and differences are raised as `BundleError`; a mapping that exceeds a budget is not executed, and returned
    in `violations`.
    """
    from simulators import RUNNERS, get_runner
    from simulators.partitioned import PartitionedRunner

    opened = open_bundle(bundle)
    if opened.program.network is not None:
        from neurodeploy.pipeline.spiking.checking import verify_network_bundle

        return verify_network_bundle(bundle, progress=progress)
    islands = opened.program.islands
    for done, name in enumerate(islands):
        if progress:
            progress("verify", done, len(islands))
        check_nir(opened.path / "islands" / f"{name}.nir", islands[name])
    vectors = {name: _golden(opened, get_runner(name)) for name in RUNNERS}
    found: dict[str, Any] = {
        "bundle": str(opened.path),
        "members": len(opened.manifest["members"]),
        "islands_read_by_nir": len(islands),
        "golden_vectors": vectors,
        "mapped": opened.is_mapped,
        "executed": None,
        "violations": [],
    }
    if opened.is_mapped:
        mapping, system, found["violations"] = load_mapping(opened)
        if not found["violations"]:
            vectors[PARTITIONED] = _execute(opened, PartitionedRunner(mapping, system.chip))
            found["executed"] = extent(mapping)
    if progress:
        progress("verify", len(islands), len(islands))
    return found


def check_nir(path: Path, island: Any) -> None:
    """Plain `nir.read` must give the island's graph with the weights and scales that we run; ND5008 otherwise."""
    import nir

    from neurodeploy.bundle.island_files import row_scales

    try:
        graph = nir.read(path)
    except Exception as error:
        raise BundleError("ND5008", path, f"nir.read refuses it: {error!r:.200}", "convert the model again") from None
    weight = getattr(graph.nodes.get("synapses"), "weight", np.empty(0))
    scale = getattr(graph.nodes.get("scale"), "scale", np.empty(0))
    same = weight.dtype == np.int8 and np.array_equal(weight, island.synapses.weight)
    if not (same and np.array_equal(scale, row_scales(island))):
        raise BundleError("ND5008", path, "differs from the integers beside it", "convert the model again")


def _golden(opened: Bundle, runner: IslandRunner, names: Collection[str] | None = None) -> int:
    """How many golden vectors, of the islands `names` alone, the runner reproduces."""
    given = [row for row in _vectors(opened) if names is None or row[0].name in names]
    for island, payload, wanted in given:
        _same(runner, island, payload, wanted)
    return sum(wanted.shape[0] for *_, wanted in given)


def _execute(opened: Bundle, runner: IslandRunner) -> int:
    """How many vectors give the same bits on the cores of the mapping: the golden ones, and of every other island on the
    chip as many against the fast runner, which has just reproduced those of the reference."""
    from simulators import get_runner

    islands = opened.program.islands
    on_chip = islands.keys() - left_to_host(opened)
    count, fast = _golden(opened, runner, on_chip), get_runner("fast")
    for name in sorted(on_chip - set(golden_names(islands))):
        payload = golden_payload(islands[name])
        _same(runner, islands[name], payload, fast.run_island(islands[name], payload)[0])
        count += payload.shape[0]
    return count


def _same(runner: IslandRunner, island: Island, payload: NDArray[np.int16], wanted: NDArray[np.int32]) -> None:
    """ND5009 where the island's outputs on the runner are others."""
    wrong = int(np.count_nonzero(runner.run_island(island, payload)[0] != wanted))
    if wrong:
        raise BundleError(
            "ND5009", f"{island.name} on {runner.name}", f"{wrong} of {wanted.size} golden outputs differ",
            "report it with the output of `neurodeploy doctor`",
        )  # fmt: skip


def _vectors(opened: Bundle) -> Iterator[tuple[Island, NDArray[np.int16], NDArray[np.int32]]]:
    """Islands with their golden payloads and outputs; ND5006 for what no island could have been given."""
    import h5py

    from neurodeploy.bundle.island_files import damaged, map_dataset

    path = opened.path / "vectors" / "golden.h5"
    try:
        with h5py.File(path, "r") as file:
            names = list(file)
    except (OSError, RuntimeError) as error:
        raise damaged(path, f"cannot be read: {error!s:.200}") from None
    for name in names:
        island = opened.program.islands.get(name)
        if island is None:
            raise damaged(path, f"the program has no island {name!r:.80}")
        payload = np.array(map_dataset(path, f"{name}/payload", np.int16, (GOLDEN_TOKENS, island.columns)))
        if max(-int(payload.min()), int(payload.max())) > island.payload_max:
            raise damaged(path, f"a payload of {name} exceeds {island.payload_bits} bits")
        yield island, payload, map_dataset(path, f"{name}/output", np.int32, (GOLDEN_TOKENS, island.rows))


def doctor() -> dict[str, Any]:
    """What is here: versions, processor, exactness of the integer products, boards and packaged models."""
    import torch

    from neurodeploy.frontends.packaged import PACKAGED
    from simulators import lava
    from simulators.products import choice
    from targets.power import rapl_domains
    from targets.registry import loihi2_board

    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    try:
        loihi2_board()
        board = "available"
    except TargetUnavailable as error:
        board = str(error)
    domains, why = rapl_domains()
    return {
        "neurodeploy": metadata.version("neurodeploy-toolkit") if _installed() else "run from a checkout",
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
        "versions": versions,
        **choice.report(),
        "power_counters": [domain.name for domain in domains] or why,
        "boards": {"loihi2": board},
        "simulators": {"lava": lava.describe().removeprefix("lava: ")},
        "models": {
            name: "installed" if importlib.util.find_spec(entry.parts[0][0]) else f"not installed: {entry.install}"
            for name, entry in PACKAGED.items()
        },
    }


def _installed() -> bool:
    try:
        metadata.version("neurodeploy-toolkit")
    except metadata.PackageNotFoundError:
        return False
    return True
