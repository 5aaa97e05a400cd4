"""What `verify` checks of a language model: every island by itself."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.golden import golden_names, golden_payload, read_islands
from neurodeploy.bundle.island_files import row_scales
from neurodeploy.errors import BundleError
from neurodeploy.ir.program import Island
from neurodeploy.ir.run import IslandRunner
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.texts import left_to_host


class IslandChecks:
    """`Checks` of islands with golden payloads; on the cores of a mapping every island on the chip is run."""

    def __init__(self, opened: Bundle) -> None:
        self.opened, self.islands = opened, opened.program.islands

    def nir(self, progress: Progress | None) -> dict[str, Any]:
        for done, name in enumerate(self.islands):
            if progress:
                progress("verify", done, len(self.islands))
            check_nir(self.opened.path / "islands" / f"{name}.nir", self.islands[name])
        if progress:
            progress("verify", len(self.islands), len(self.islands))
        return {"islands_read_by_nir": len(self.islands)}

    def reproduced(self, runner: IslandRunner) -> int:
        return self._golden(runner, self.islands)

    def executed(self, runner: IslandRunner) -> int:
        """The golden vectors, and of every other island as many against the fast runner, which has just reproduced those
        of the reference."""
        from simulators import get_runner

        fast = get_runner("fast")
        on_chip = self.islands.keys() - left_to_host(self.opened)
        count = self._golden(runner, on_chip)
        for name in sorted(on_chip - set(golden_names(self.islands))):
            payload = golden_payload(self.islands[name])
            _same(runner, self.islands[name], payload, fast.run_island(self.islands[name], payload)[0])
            count += payload.shape[0]
        return count

    def _golden(self, runner: IslandRunner, names: Collection[str]) -> int:
        given = [row for row in read_islands(self.opened.path, self.opened.program) if row[0].name in names]
        for island, payload, wanted in given:
            _same(runner, island, payload, wanted)
        return sum(wanted.shape[0] for *_, wanted in given)


def check_nir(path: Path, island: Any) -> None:
    """Plain `nir.read` must give the island's graph with the weights and scales that we run; ND5008 otherwise."""
    import nir

    try:
        graph = nir.read(path)
    except Exception as error:
        raise BundleError("ND5008", path, f"nir.read refuses it: {error!r:.200}", "convert the model again") from None
    weight = getattr(graph.nodes.get("synapses"), "weight", np.empty(0))
    scale = getattr(graph.nodes.get("scale"), "scale", np.empty(0))
    same = weight.dtype == np.int8 and np.array_equal(weight, island.synapses.weight)
    if not (same and np.array_equal(scale, row_scales(island))):
        raise BundleError("ND5008", path, "differs from the integers beside it", "convert the model again")


def _same(runner: IslandRunner, island: Island, payload: NDArray[np.int16], wanted: NDArray[np.int32]) -> None:
    """ND5009 where the island's outputs on the runner are others."""
    wrong = int(np.count_nonzero(runner.run_island(island, payload)[0] != wanted))
    if wrong:
        raise BundleError(
            "ND5009", f"{island.name} on {runner.name}", f"{wrong} of {wanted.size} golden outputs differ",
            "report it with the output of `neurodeploy doctor`",
        )  # fmt: skip
