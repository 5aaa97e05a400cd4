"""Speed where users are: an exact product on a processor without VNNI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.tiny import environment

#: Processor seconds of an island, its activity counted too, and of the float64 product of the same matrices, as a ratio;
#: the least of three of each.
RATIO = """
import time
import numpy as np
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.program import GradedNeurons, Island, Slice, Synapses
from neurodeploy.synapses.linear import layer_network
from simulators import get_runner
draw, size = np.random.default_rng(0), 1024
weight = draw.integers(-127, 128, (size, size)).astype(np.int8)
neurons = GradedNeurons(np.full(size, 1000, np.int16), np.full(size, 10, np.uint8), 11)
sums = np.array([np.abs(weight.astype(np.int64)).sum(axis=1).max()])
island = Island("a", size, size, (Slice("a", "a", 0, size),), 16, Dyadic(1, 0), Dyadic(1, 0),
                Synapses(weight, np.zeros(size, np.uint8), sums), neurons)
payload = draw.integers(-32000, 32000, (256, size)).astype(np.int16)
runner, x, w = get_runner("fast"), payload.astype(np.float64), weight.T.astype(np.float64)
def least(work):
    seconds = []
    for _ in range(4):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds[1:])
network, given = layer_network(island), {"a.input": payload[:, None]}
print(least(lambda: runner.run(network, given, 1)) / least(lambda: x @ w))
"""
#: No instructions beyond AVX2, in the libraries' words and in ours.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NEURODEPLOY_ISA": "avx2",
}


def test_an_exact_product_without_vnni_is_faster_than_that_of_floats(tmp_path: Path) -> None:
    """Chosen by exactness alone it took 1.4 times as long."""
    own = {**environment(), **AVX2, "NEURODEPLOY_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", RATIO], env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1
