"""neurodeploy: the same network as integers, on the runner that is named. What it counts is what energy is priced from."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import shared

from neurodeploy import __version__
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.synapses import Dense

RUNNERS = {
    "fast": ("simulators.fast.runner", "FastRunner"),
    "reference": ("simulators.reference", "ReferenceRunner"),
}


def network(work: shared.Problem) -> Network:
    """Lava's LIF without a memory in u: v <- trunc(v * (4096 - decay) / 4096) + (a << 6), threshold << 6."""
    size = work.weights.shape[1]
    populations = {"input": Population("input", (size,), "input")}
    projections = []
    before = "input"
    for k, weight in enumerate(work.weights):
        name = f"layer{k}"
        params = {"du": 4095, "dv": work.decay_12bit, "vth": work.threshold}
        populations[name] = Population(name, (size,), "lif", params)
        projections.append(Projection(f"{before}-{name}", before, name, Dense(np.asfortranarray(weight))))
        before = name
    return Network("rivals", populations, tuple(projections), outputs=(before,))


def measure(work: shared.Problem, runner_name: str) -> shared.Measured:
    module, cls = RUNNERS[runner_name]
    runner = getattr(import_module(module), cls)()
    net = network(work)
    inputs = {"input": work.spikes[None].astype(np.int32)}
    result = runner.run(net, inputs, work.steps)  # compiles, prepares, and chooses the product of this processor
    activity = {}

    def run() -> list[int]:
        nonlocal result
        result = runner.run(net, inputs, work.steps)
        activity.update(result.activity.fired)
        return []

    measured = shared.timed(run)
    fired = {name: int(ports["s"].sum()) for name, ports in activity.items()}
    measured.layer_spikes = [fired[f"layer{k}"] for k in range(len(work.weights))]
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--runner", choices=RUNNERS, default="fast")
    arguments, rest = parser.parse_known_args()
    sys.argv = [sys.argv[0], *rest]
    shared.main(
        f"neurodeploy ({arguments.runner})", lambda: __version__, lambda work: measure(work, arguments.runner),
        counts_energy=True, numerics="integer",
    )  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
