"""A convolutional network whose neurons fire once, on Loihi 1 (Lenz et al., arXiv 2309.16795; biphasic/Quartz-on-Loihi).

    python benchmarks/ttfs_mnist.py

MNIST: 28 x 28 pixels; convolutions 5 x 5 to 6 channels, 5 x 5 to 12, 4 x 4 to 120, pooling by 2 after the first two, 10
outputs: 5410 neurons (`CNN/mnist_model.py`). A value is the time of a spike, the brightest first, within a window of `t_max`
steps a layer: 5 windows and 11 steps (`quartz/network.py`), 91 and 331. Every pixel and neuron fires once, whatever the
picture and the weights: at the end of a layer's window a synchronising neuron fires what has not fired; besides that each
neuron has a synapse of a rectifying one and of the bias of its channel. So weights do not matter here, and none are used;
what is approximate is that a neuron is at rest until the window in which its inputs come, and none of its steps after it.

Cores by layer are those of the repository's layout (`03_mnist.ipynb`: 4, 1, 2, 1, 1, 1); 11 were counted, and the eleventh
holds biases and synchronising neurons here. Nothing is fitted on these rows.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sanafe_micro import DYNAMIC
from neurodeploy.accounting.account import account
from neurodeploy.accounting.costs import with_values
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.program import loads
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.synapses import Conv, Sparse
from targets.hosts import get_host
from targets.systems import get_system

#: Layer -> side of its kernel, stride, channels, cores, and windows before the one in which its inputs come.
LAYERS = {
    "conv1": (5, 1, 6, 4, 0), "pool1": (2, 2, 6, 1, 1), "conv2": (5, 1, 12, 2, 1), "pool2": (2, 2, 12, 1, 2),
    "conv3": (4, 1, 120, 1, 2), "dense": (1, 1, 10, 1, 3),
}  # fmt: skip
#: Neurons beside a layer that drive one synapse in each of its neurons: synchronising, rectifying, and the biases.
BESIDE = 3
#: The five runs of an earlier version on 18 cores (`CNN/mnist-EDP-plot.ipynb`, t_max 8 to 128): steps -> seconds of one.
EARLIER = {50: 120.232e-6, 90: 70.239e-6, 170: 40.750e-6, 330: 24.665e-6, 650: 16.291e-6}


@dataclass(frozen=True)
class Published:
    """Of one time resolution: seconds a step, joules and watts of the cores, of the x86 and of the board at rest."""

    t_max: int
    step_s: float
    dynamic_j: float
    dynamic_w: float
    static_w: float
    x86_w: float

    @property
    def steps(self) -> int:
        return 5 * self.t_max + 11


PUBLISHED = (
    Published(16, 53.93e-6, 45.6e-6, 9.29e-3, 5.09e-3, 22.7e-3),
    Published(64, 17.44e-6, 139e-6, 24.1e-3, 4.85e-3, 21.3e-3),
)
#: What a picture takes beside its steps, as it was read from these two runs: "about 4 ms". Of the two times a step one is
#: seen by that.
FIXED_S = 4e-3


def fixed_seconds() -> float:
    """What a picture takes beside its steps, from the earlier runs: seconds = fixed + steps * each, by least squares. The
    x86 was busy for 5.4 of these 5.6 ms (`lmtActiveRatio`); `quartz/snips/reset.c` clears the states of all 128 cores."""
    steps = np.array(list(EARLIER), float)
    return float(np.polynomial.polynomial.polyfit(steps, steps * np.array(list(EARLIER.values())), 1)[0])


def network() -> tuple[Network, dict[str, int]]:
    """Every weight one; and for each layer how many windows it rests."""
    populations = {"pixels": Population("pixels", (28, 28, 1), INPUT)}
    projections, before, beside = list[Projection](), populations["pixels"], list[tuple[str, int]]()
    for name, (side, stride, channels, _, _) in LAYERS.items():
        x, y, depth = before.shape
        groups = depth if name.startswith("pool") else 1
        weight = np.ones((channels, side, side, depth // groups), np.int8)
        synapse = Conv(weight, (x, y, depth), stride=(stride, stride), groups=groups)
        before = populations[name] = Population(name, synapse.output_shape, "lif", {"du": 0, "dv": 0, "vth": 1})
        projections.append(
            Projection(f"into {name}", projections[-1].target if projections else "pixels", name, synapse)
        )
        beside.append((name, before.size))
    populations["beside"] = Population("beside", (BESIDE * len(LAYERS),), "lif", {"du": 0, "dv": 0, "vth": 1})
    for number, (name, size) in enumerate(beside):
        indptr = np.zeros(BESIDE * len(LAYERS) + 1, np.int64)
        indptr[BESIDE * number + 1 :] = size * np.minimum(np.arange(1, len(indptr) - BESIDE * number), BESIDE)
        target = np.tile(np.arange(size, dtype=np.uint16), BESIDE)
        synapse = Sparse(size, len(indptr) - 1, indptr, target, np.ones(len(target), np.int8))
        projections.append(Projection(f"beside {name}", "beside", name, synapse))
    return Network("TTFS MNIST", populations, tuple(projections), ("dense",)), {n: row[-1] for n, row in LAYERS.items()}


def placed(net: Network, system: SystemSpec) -> Placement:
    """Layer after layer on cores of its own, rows in equal parts."""
    shards, core = list[Shard](), 0
    for name, cores in {**{name: row[3] for name, row in LAYERS.items()}, "beside": 1}.items():
        size, width = net.populations[name].size, max(1, sum(net.populations[p.source].size for p in net.into(name)))
        edges = np.linspace(0, size, cores + 1).astype(int).tolist()
        for low, high in pairwise(edges):
            shards.append(Shard(name, "synapses", (low, high), (0, width), 0, core))
            core += 1
    return Placement(system.name, system.chips, system.chip.cores, tuple(shards), (), core, "synapse_bytes", ())


def ttfs_mnist(system: SystemSpec, t_max: int) -> RunLoads:
    """A picture; one exchange with what stands outside the cores."""
    net, windows = network()
    steps = 5 * t_max + 11
    fired = {name: {"s": np.ones(p.size, np.int64)} for name, p in net.populations.items()}
    rests = {name: np.full(net.populations[name].size, t_max * before) for name, before in windows.items()}
    activity = RunActivity(steps, 1, fired, {}, {}, None)
    return loads(Program.of(net), activity, placed(net, system), system, "sample", rests)


def priced(t_max: int, exchange_s: float) -> EnergyLedger:
    """On a Nahuku board, an exchange of a picture taken to last so long."""
    board = get_system("loihi1-nahuku")
    board = replace(board, chip=with_values(board.chip, {"t_host_link_s": exchange_s}))
    return account(ttfs_mnist(board, t_max), board, get_host("cpu-generic"), "sample")


def rows(published: Published, exchange_s: float) -> Mapping[str, tuple[float, float]]:
    """Figure -> published, ours."""
    ledger, steps = priced(published.t_max, exchange_s), published.steps
    parts = {name: band.nominal for name, band in ledger.by_component().items()}
    costs = get_system("loihi1-nahuku").chip.costs
    dynamic = sum(parts.get(name, 0.0) for name in DYNAMIC)
    return {
        "time of a step, s": (published.step_s, ledger.seconds.nominal / steps),
        "core dynamic energy of a picture, J": (published.dynamic_j, dynamic),
        "core dynamic power, W": (published.dynamic_w, dynamic / ledger.seconds.nominal),
        "core static power, W": (published.static_w, costs["p_static_w"].nominal),
        "x86 power, W": (published.x86_w, costs["p_infra_w"].nominal),
    }


def main() -> None:
    there, here = (
        (each[1] - each[0]) / (PUBLISHED[1].steps - PUBLISHED[0].steps)
        for each in (
            [run.step_s * run.steps for run in PUBLISHED],
            [priced(run.t_max, FIXED_S).seconds.nominal for run in PUBLISHED],
        )
    )
    print(f"fixed time of a picture, from the runs of the earlier version: {1e3 * fixed_seconds():.2f} ms")
    print(f"a step more: published {1e6 * there:.2f} us, ours {1e6 * here:.2f} us\n")
    print("| exchange, ms | steps | figure | published | ours | error |\n" + "|---" * 6 + "|")
    for exchange_s in (FIXED_S, fixed_seconds()):
        for published in PUBLISHED:
            for name, (there, here) in rows(published, exchange_s).items():
                error = here / there - 1
                print(
                    f"| {1e3 * exchange_s:.2f} | {published.steps} | {name} | {there:.4g} | {here:.4g} | {error:+.1%} |"
                )


if __name__ == "__main__":
    main()
