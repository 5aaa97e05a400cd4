"""Stand-in: a profiler of the form that Lava's own tutorials call, with the numbers of `loihi2_profiler`."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.utils.loihi2_profiler import STEP_S, WATTS


class StandInOfLoihi2HWProfiler:
    def __init__(self, run_cfg: Any) -> None:
        self.steps, self.probes = 0, set()

    def execution_time_probe(self, num_steps: int) -> None:
        self.steps = num_steps
        self.probes.add("time")

    def energy_probe(self, num_steps: int) -> None:
        self.probes.add("energy")

    def __getattr__(self, name: str) -> Any:
        if name in STEP_S and "time" in self.probes:
            return np.full(self.steps, STEP_S[name])
        if name in WATTS and "energy" in self.probes:
            return WATTS[name]
        raise AttributeError(name)


Loihi2HWProfiler = StandInOfLoihi2HWProfiler
