"""Lava, fixed point on the CPU: RingBuffer, Dense, LIF. CPU seconds of all its processes, less those of a short run.

Lava starts a process for every process model: a run of `SHORT` steps is taken off for the start. The spikes are counted
in a third run, with sinks.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import shared

sys.path.append(str(Path(__file__).resolve().parents[2] / "simulators" / "lava" / "worker"))
import shim

shim.install()  # what Lava needs on Python 3.11 and later
from lava.magma.core.run_conditions import RunSteps  # noqa: E402
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.proc.dense.process import Dense  # noqa: E402
from lava.proc.io.sink import RingBuffer as Sink  # noqa: E402
from lava.proc.io.source import RingBuffer as Source  # noqa: E402
from lava.proc.lif.process import LIF  # noqa: E402

SHORT = 20


def run(work: shared.Problem, steps: int, record: bool) -> tuple[float, float, list[int]]:
    source = Source(data=np.ascontiguousarray(work.spikes[:steps].T.astype(int)))
    before, sinks = source.s_out, []
    for weight in work.weights:
        dense = Dense(weights=weight.astype(int))
        cells = LIF(shape=(weight.shape[0],), du=4095, dv=work.decay_12bit, vth=work.threshold, bias_mant=0)
        before.connect(dense.s_in)
        dense.a_out.connect(cells.a_in)
        before = cells.s_out
        if record:
            sink = Sink(shape=(weight.shape[0],), buffer=steps)
            before.connect(sink.a_in)
            sinks.append(sink)
    wall, cpu = time.perf_counter(), seconds()
    source.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    counts = [int(np.count_nonzero(sink.data.get())) for sink in sinks]
    source.stop()
    return seconds() - cpu, time.perf_counter() - wall, counts


def seconds() -> float:
    """CPU seconds of this process and of all children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measure(work: shared.Problem) -> shared.Measured:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cpu, wall, _ = run(work, work.steps, record=False)
    cpu_short, wall_short, _ = run(work, SHORT, record=False)
    _, _, counts = run(work, work.steps, record=True)
    share = work.steps / (work.steps - SHORT)
    return shared.Measured((cpu - cpu_short) * share, (wall - wall_short) * share, counts)


if __name__ == "__main__":
    shared.main("Lava", lambda: version("lava-nc"), measure, numerics="integer")
