"""`verify` of a spiking network's bundle: golden vectors on the runners of this machine, the mapping's budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.network_files import TYPES
from neurodeploy.bundle.network_writer import GOLDEN_STEPS, SOURCE_NIR
from neurodeploy.errors import BundleError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.network_run import Runner
from neurodeploy.pipeline.session import PARTITIONED, Progress, extent, load_mapping
from neurodeploy.pipeline.spiking.evaluating import has_float
from neurodeploy.pipeline.spiking.opening import get_network_runner, mapped_runner, open_network

AGAIN = "convert the network again"
CHECKED = ("reference", "fast")


def verify_network_bundle(bundle: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Digests (checked on opening), the golden vectors bit by bit, `nir.read` of the float network, the mapping, which is
    executed too."""
    opened, network = open_network(bundle)
    golden, steps = _golden(opened, network)
    vectors = {}
    for i, name in enumerate(CHECKED):
        if progress:
            progress("verify", i, len(CHECKED))
        vectors[name] = _compare(opened, get_network_runner(name), golden, steps)
    pure = opened.program.conversion.get("pure_nir", True)
    read = has_float(opened) and bool(pure)
    if read:
        _check_nir(opened.path / SOURCE_NIR)
    violations: list[str] = []
    done: dict[str, Any] | None = None
    if opened.is_mapped:
        mapping, system, violations = load_mapping(opened)
        if steps and not violations:
            vectors[PARTITIONED] = _compare(opened, mapped_runner(mapping, system), golden, steps)
            done = extent(mapping)
    return {
        "bundle": str(bundle),
        "members": len(opened.manifest["members"]),
        "golden_vectors": vectors,
        "golden_steps": steps,
        "source_read_by_nir": read if has_float(opened) else None,
        "mapped": opened.is_mapped,
        "executed": done,
        "violations": violations,
    }


def _golden(opened: Bundle, network: Network) -> tuple[dict[str, dict[str, Ints]], int]:
    """Inputs and outputs of golden.h5; the file's digest was checked, its shapes are checked here."""
    import h5py

    file = opened.path / "vectors" / "golden.h5"
    found: dict[str, dict[str, Ints]] = {"inputs": {}, "outputs": {}}
    try:
        with h5py.File(file, "r") as data:
            steps = int(data.attrs["steps"])
            if not 0 <= steps <= GOLDEN_STEPS:
                raise ValueError(f"steps is {steps}")
            for kind, names in (("inputs", network.inputs), ("outputs", network.outputs)):
                for name in names if steps else ():
                    array = data[kind][name]
                    if array.dtype != TYPES["int32"] or array.shape != (1, steps, network.populations[name].size):
                        raise ValueError(f"{kind}/{name} is {array.dtype} {array.shape}")
                    found[kind][name] = array[()]
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BundleError("ND5006", file, f"cannot be read: {error!s:.200}", AGAIN) from None
    return found, steps


def _compare(opened: Bundle, runner: Runner, golden: dict[str, dict[str, Ints]], steps: int) -> int:
    """How many output populations agree; all, or ND5009."""
    network = opened.program.network
    if not steps or network is None:
        return 0
    result = runner.run(network, golden["inputs"], steps)
    for population, expected in golden["outputs"].items():
        differ = int(np.count_nonzero(result.outputs[population] != expected))
        if differ:
            problem = f"{differ} of {expected.size} golden values differ on {runner.name}"
            raise BundleError("ND5009", f"{opened.path}: {population}", problem, "report it with `neurodeploy doctor`")
    return len(golden["outputs"])


def _check_nir(path: Path) -> None:
    """ND5008 where plain `nir.read` does not take the float network."""
    import nir

    try:
        nir.read(path)
    except Exception as error:  # whatever a foreign reader makes of it
        raise BundleError("ND5008", path, f"nir.read refuses it: {error!s:.200}", AGAIN) from None
