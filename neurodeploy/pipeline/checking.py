"""`verify` and `doctor`: is this bundle sound, and is this machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import BundleError, TargetUnavailable
from neurodeploy.pipeline.session import Progress, read_mapping

PACKAGES = ("numpy", "torch", "numba", "h5py", "nir", "safetensors", "tokenizers", "gguf", "typer", "rich")


def verify(bundle: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Check a bundle from end to end: digests, NIR files by `nir.read`, golden vectors on both runners, the mapping.

    Damage is raised as `BundleError`; a mapping that exceeds a budget is returned in `violations`.
    """
    from neurodeploy.bundle import open_bundle
    from partitioner.verify import verify as verify_mapping
    from simulators import RUNNERS

    opened = open_bundle(bundle)
    islands = opened.program.islands
    for done, name in enumerate(islands):
        if progress:
            progress("verify", done, len(islands))
        check_nir(opened.path / "islands" / f"{name}.nir", islands[name])
    vectors = {runner: _golden(opened, runner) for runner in RUNNERS}
    found: dict[str, Any] = {
        "bundle": str(opened.path),
        "members": len(opened.manifest["members"]),
        "islands_read_by_nir": len(islands),
        "golden_vectors": vectors,
        "mapped": (opened.path / "mapping.json").exists(),
        "violations": [],
    }
    if found["mapped"]:
        mapping, system = read_mapping(opened)
        found["violations"] = verify_mapping(mapping, opened.program, system)
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
    synapses, scale = graph.nodes["synapses"], graph.nodes["scale"]
    same = (
        synapses.weight.dtype == np.int8
        and np.array_equal(synapses.weight, island.synapses.weight)
        and np.array_equal(scale.scale, row_scales(island))
    )
    if not same:
        raise BundleError("ND5008", path, "differs from the integers beside it", "convert the model again")


def _golden(opened: Any, runner_name: str) -> int:
    """How many golden vectors the runner reproduces; the first difference is ND5009."""
    import h5py

    from simulators import get_runner

    path, runner, count = opened.path / "vectors" / "golden.h5", get_runner(runner_name), 0
    with h5py.File(path, "r") as file:
        for name, group in file.items():
            island = opened.program.islands[name]
            out, _ = runner.run(island, np.asarray(group["payload"][()], np.int16))
            wanted = np.asarray(group["output"][()], np.int32)
            if not np.array_equal(out, wanted):
                wrong = int(np.count_nonzero(out != wanted))
                raise BundleError(
                    "ND5009", f"{name} on {runner_name}", f"{wrong} of {wanted.size} golden outputs differ",
                    "report it with the output of `neurodeploy doctor`",
                )  # fmt: skip
            count += wanted.shape[0]
    return count


def doctor() -> dict[str, Any]:
    """What is here: versions, processor, exactness of the integer products, boards and packaged models."""
    import torch

    from neurodeploy.frontends.packaged import PACKAGED
    from simulators.int8_matmul import backend
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
        "integer_products": f"exact by {backend()}",
        "power_counters": [domain.name for domain in domains] or why,
        "boards": {"loihi2": board},
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
