"""Brian 2, C++ standalone, one thread: the times are those of its network loop, taken inside the program it writes."""

import tempfile
from importlib.metadata import version
from pathlib import Path

import brian2 as b2
import numpy as np
import shared

#: C++ around its loop: its own timer is a processor clock or a wall clock, depending on how it was built.
BEFORE = "clock_t cpu_before = clock(); timespec wall_before; clock_gettime(CLOCK_MONOTONIC, &wall_before);"
AFTER = """timespec wall_after; clock_gettime(CLOCK_MONOTONIC, &wall_after);
std::ofstream("seconds.txt") << double(clock() - cpu_before) / CLOCKS_PER_SEC << " "
    << (wall_after.tv_sec - wall_before.tv_sec) + 1e-9 * (wall_after.tv_nsec - wall_before.tv_nsec);"""


def measure(work: shared.Problem) -> shared.Measured:
    folder = Path(tempfile.mkdtemp(prefix="brian2-"))
    b2.set_device("cpp_standalone", directory=str(folder), build_on_run=False)
    b2.prefs.devices.cpp_standalone.openmp_threads = 0
    b2.defaultclock.dt = 1 * b2.ms
    size = work.weights.shape[1]
    steps, sources = np.nonzero(work.spikes)
    source = b2.SpikeGeneratorGroup(size, sources, steps * b2.ms)
    namespace = {"keep": work.keep, "threshold": float(work.threshold)}
    parts, recorders, before = [source], [], source
    for weight in work.weights:
        layer = b2.NeuronGroup(size, "v : 1\na : 1", threshold="v > threshold", reset="v = 0", namespace=namespace)
        layer.run_regularly("v = keep * v + a; a = 0", when="groups")
        synapses = b2.Synapses(before, layer, "w : 1", on_pre="a_post += w")
        synapses.connect()
        synapses.w = weight.T.astype(float).ravel()
        recorder = b2.SpikeMonitor(layer, record=False)
        parts += [layer, synapses, recorder]
        recorders.append(recorder)
        before = layer
    network = b2.Network(*parts)
    device = b2.get_device()
    device.insert_code("before_network_run", BEFORE)
    device.insert_code("after_network_run", AFTER)
    network.run(work.steps * b2.ms)
    device.build(directory=str(folder), compile=True, run=True, with_output=False)
    cpu, wall = map(float, (folder / "seconds.txt").read_text().split())
    return shared.Measured(cpu, wall, [int(np.sum(r.count[:])) for r in recorders])


shared.main("Brian 2, C++", lambda: version("brian2"), measure, numerics="float64")
