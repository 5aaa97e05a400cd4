"""Stand-in: counters that tell what is written here, whatever ran. A core of the partitioning is a core here."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Made up. Of a step, seconds; watts of the board; of a core, counts of the run; share of a core's memory.
STEP_S = {"execution_time": 2e-6, "spiking_time": 1.2e-6, "management_time": 0.8e-6}
WATTS = {"power": 0.68, "static_power": 0.23, "vdd_power": 0.25, "vddm_power": 0.42, "vddio_power": 0.01}
COUNTS = {"syn_ops": 1000, "dendrite_updates": 200, "axon_out": 30, "spikes_in": 40}
MEMORY = 0.25


def cores() -> np.ndarray[Any, Any]:
    from lava.magma.compiler.subcompilers.nc.ncproc_compiler import NcProcCompiler

    places = {(at["chip"], at["core"]) for shards in NcProcCompiler.partitioning.values() for at in shards}
    return np.arange(max(1, len(places)))


class Loihi2Activity:
    def __getattr__(self, name: str) -> Any:
        if name == "core_idx":
            return cores()
        if name not in COUNTS:
            raise AttributeError(name)
        return np.full(len(cores()), COUNTS[name])


class Loihi2Memory:
    @property
    def core_idx(self) -> Any:
        return cores()

    @property
    def total_mpds(self) -> Any:
        return np.full(len(cores()), MEMORY)
