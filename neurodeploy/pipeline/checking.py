"""`verify`: is this bundle sound?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from neurodeploy.bundle import Bundle, open_bundle
from neurodeploy.pipeline.check_islands import IslandChecks
from neurodeploy.pipeline.check_steps import StepChecks
from neurodeploy.pipeline.session import MODEL, NETWORK, PARTITIONED, Progress, extent, load_mapping

if TYPE_CHECKING:
    from simulators.fast.runner import FastRunner
    from simulators.partitioned import PartitionedRunner
    from simulators.reference import ReferenceRunner


class Checks(Protocol):
    """What differs between the kinds of bundles. Damage and differences are raised as `BundleError`."""

    def nir(self, progress: Progress | None) -> dict[str, Any]:
        """Entry of the answer: what `nir.read` reads of the bundle."""
        ...

    def reproduced(self, runner: ReferenceRunner | FastRunner) -> int:
        """How many golden vectors a runner reproduces; all, or ND5009."""
        ...

    def executed(self, runner: PartitionedRunner) -> int | None:
        """`reproduced` on the cores of a mapping; None where there is nothing to execute."""
        ...


_CHECKS: dict[str, Callable[[Bundle], Checks]] = {MODEL: IslandChecks, NETWORK: StepChecks}


def verify(bundle: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Check a bundle from end to end: digests, NIR files by `nir.read`, golden vectors on both runners, the mapping.

    A mapping is executed, core by core: golden vectors where an island or network has them, payloads of the same sort for
    islands that have none. Damage and differences are raised as `BundleError`; a mapping that exceeds a budget is not
    executed, and returned in `violations`.
    """
    from simulators import RUNNERS, get_runner
    from simulators.partitioned import PartitionedRunner

    opened = open_bundle(bundle)
    checks = _CHECKS[opened.kind](opened)
    found: dict[str, Any] = {"bundle": str(bundle), "members": len(opened.manifest["members"]), **checks.nir(progress)}
    vectors = {name: checks.reproduced(get_runner(name)) for name in RUNNERS}
    found |= {"golden_vectors": vectors, "mapped": opened.is_mapped, "executed": None, "violations": []}
    if opened.is_mapped:
        mapping, system, found["violations"] = load_mapping(opened)
        count = None if found["violations"] else checks.executed(PartitionedRunner(mapping, system.chip))
        if count is not None:
            vectors[PARTITIONED], found["executed"] = count, extent(mapping)
    return found
