"""What `verify` checks of a spiking network: its outputs over some steps, and the float network that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.golden import read_steps
from neurodeploy.bundle.network_files import SOURCE_NIR
from neurodeploy.errors import BundleError
from neurodeploy.ir.run import Runner
from neurodeploy.pipeline.comparing import has_float
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.streams import network_of

AGAIN = "convert the network again"


class StepChecks:
    """`Checks` of a network with golden inputs, if a step of it is little enough work for the reference."""

    def __init__(self, opened: Bundle) -> None:
        self.opened, self.network = opened, network_of(opened)
        self.golden, self.steps = read_steps(opened.path, self.network)

    def nir(self, progress: Progress | None) -> dict[str, Any]:
        read = has_float(self.opened) and bool(self.opened.program.conversion.get("pure_nir", True))
        if read:
            _check_nir(self.opened.path / SOURCE_NIR)
        return {"source_read_by_nir": read if has_float(self.opened) else None, "golden_steps": self.steps}

    def executed(self, runner: Runner) -> int | None:
        return self.reproduced(runner) if self.steps else None

    def reproduced(self, runner: Runner) -> int:
        """How many output populations agree; all, or ND5009."""
        if not self.steps:
            return 0
        result = runner.run(self.network, self.golden["inputs"], self.steps)
        for population, expected in self.golden["outputs"].items():
            differ = int(np.count_nonzero(result.outputs[population] != expected))
            if differ:
                problem = f"{differ} of {expected.size} golden values differ on {runner.name}"
                fix = "report it with `neurodeploy doctor`"
                raise BundleError("ND5009", f"{self.opened.path}: {population}", problem, fix)
        return len(self.golden["outputs"])


def _check_nir(path: Path) -> None:
    """ND5008 where plain `nir.read` does not take the float network."""
    import nir

    try:
        nir.read(path)
    except Exception as error:  # whatever a foreign reader makes of it
        raise BundleError("ND5008", path, f"nir.read refuses it: {error!s:.200}", AGAIN) from None
