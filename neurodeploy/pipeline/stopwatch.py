"""How long the mapper took, and how much memory."""

from __future__ import annotations

import sys
import time
from typing import Any


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
