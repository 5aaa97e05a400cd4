"""The judges of a mapping for reports, and how long the mapper took."""

from __future__ import annotations

import sys
import time
from typing import Any

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network_run import NetworkActivity
from neurodeploy.ir.program import Program


class Stopwatch:
    """Wall and CPU seconds of the mapper, and the most memory that the process has held so far."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.found: dict[str, float | int | None] = {}

    def stop(self) -> None:
        self.found = {
            "seconds": time.perf_counter() - self.wall,
            "cpu_seconds": time.process_time() - self.cpu,
            "peak_bytes": peak_bytes(),
        }

    def into(self, summary: dict[str, Any]) -> dict[str, Any]:
        """The summary with these figures beside the mapper's seed and notes."""
        if summary.get("metrics"):
            summary["metrics"]["mapper"].update(self.found)
        return summary


def peak_bytes() -> int | None:
    """Largest resident memory of this process; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def judged(
    program: Program, mapping: Mapping, system: SystemSpec, activity: NetworkActivity | None = None
) -> dict[str, Any]:
    """``{"metrics": .., "picture": ..}`` of a report's section of the mapping.

    `activity` of a run of a spiking network gives its rates; without it every neuron sends.
    """
    from partitioner.judge import metrics, traffic_of
    from partitioner.metrics import picture

    if not mapping.shards:
        return {"metrics": None, "picture": None}
    counted = activity is not None and activity.steps * activity.samples > 0
    sent, per = (activity.fired, activity.steps * activity.samples) if activity and counted else (None, 1)
    traffic = traffic_of(mapping, program, system, sent, per)
    found = metrics(mapping, program, system, sent=sent, per=per, traffic=traffic)
    return {"metrics": found, "picture": picture(traffic[1], traffic[0], system)}
