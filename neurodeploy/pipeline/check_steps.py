"""What `verify` checks of a spiking network: its outputs over some steps, and the float network that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.network_files import TYPES
from neurodeploy.bundle.network_writer import GOLDEN_STEPS, SOURCE_NIR
from neurodeploy.errors import BundleError
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.network_run import Runner
from neurodeploy.pipeline.comparing import has_float
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.streams import get_network_runner, mapped_runner, network_of

AGAIN = "convert the network again"


class StepChecks:
    """`Checks` of a network with golden inputs, if a step of it is little enough work for the reference."""

    def __init__(self, opened: Bundle) -> None:
        self.opened, self.network = opened, network_of(opened)
        self.golden, self.steps = _golden(opened, self.network)

    def nir(self, progress: Progress | None) -> dict[str, Any]:
        read = has_float(self.opened) and bool(self.opened.program.conversion.get("pure_nir", True))
        if read:
            _check_nir(self.opened.path / SOURCE_NIR)
        return {"source_read_by_nir": read if has_float(self.opened) else None, "golden_steps": self.steps}

    def reproduced(self, runner: str) -> int:
        return self._compare(get_network_runner(runner)) if self.steps else 0

    def executed(self, mapping: Mapping, system: SystemSpec) -> int | None:
        return self._compare(mapped_runner(mapping, system)) if self.steps else None

    def _compare(self, runner: Runner) -> int:
        """How many output populations agree; all, or ND5009."""
        result = runner.run(self.network, self.golden["inputs"], self.steps)
        for population, expected in self.golden["outputs"].items():
            differ = int(np.count_nonzero(result.outputs[population] != expected))
            if differ:
                problem = f"{differ} of {expected.size} golden values differ on {runner.name}"
                fix = "report it with `neurodeploy doctor`"
                raise BundleError("ND5009", f"{self.opened.path}: {population}", problem, fix)
        return len(self.golden["outputs"])


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


def _check_nir(path: Path) -> None:
    """ND5008 where plain `nir.read` does not take the float network."""
    import nir

    try:
        nir.read(path)
    except Exception as error:  # whatever a foreign reader makes of it
        raise BundleError("ND5008", path, f"nir.read refuses it: {error!s:.200}", AGAIN) from None
