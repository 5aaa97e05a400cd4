"""Our NeuroBench metrics beside those of the package `neurobench` 2.3.0, on five snnTorch networks with the same spikes.

    python benchmarks/neurobench_against_package.py

needs, in an environment of its own or this one: ``pip install neurobench==2.3.0 snntorch torch``. Weights and thresholds are
integers and neurons do not leak, so that both compute the same spikes; what is compared must then be equal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from neurodeploy.accounting.neurobench import metrics
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Dense
from simulators.reference import ReferenceRunner

STEPS, SAMPLES = 12, 3
#: Sizes from the input on, and how neurons reset.
NETWORKS = (
    ((20, 10), "zero"), ((20, 10), "subtract"), ((30, 25, 8), "zero"), ((12, 40, 40, 5), "subtract"),
    ((64, 32, 16, 8), "zero"),
)  # fmt: skip
#: Name here and there, and the figure's own name in both.
EQUAL = (
    ("ConnectionSparsity", None), ("ActivationSparsity", None), ("SynapticOperations", "Effective_ACs"),
    ("SynapticOperations", "Effective_MACs"), ("SynapticOperations", "Dense"), ("NeuronOperations", "Neuron Dense Ops"),
)  # fmt: skip
#: Ours is an upper bound.
BOUNDS = (("MembraneUpdates", None), ("NeuronOperations", "Effective Neuron Ops"))


def drawn(seed: int, sizes: tuple[int, ...]) -> tuple[list[np.ndarray], list[int], np.ndarray]:
    """Weights (targets, sources), thresholds, input spikes (samples, steps, inputs)."""
    rng = np.random.default_rng(seed)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    weights = [(2 * rng.integers(-6, 10, shape)).astype(np.int8) for shape in shapes]
    return (
        weights,
        [8 * shape[1] // 3 for shape in shapes],
        (rng.random((SAMPLES, STEPS, sizes[0])) < 0.3).astype(np.int64),
    )


def theirs(weights: list[np.ndarray], thresholds: list[int], spikes: np.ndarray, reset: str) -> dict[str, Any]:
    import snntorch
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity
    from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, NeuronOperations, SynapticOperations
    from neurobench.models import SNNTorchModel

    layers: list[torch.nn.Module] = []
    for number, (weight, threshold) in enumerate(zip(weights, thresholds, strict=True)):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight.data = torch.from_numpy(weight).float()
        last = number == len(weights) - 1
        layers += [linear, snntorch.Leaky(
            beta=1.0, threshold=threshold, reset_mechanism=reset, init_hidden=True, output=last
        )]  # fmt: skip
    model = SNNTorchModel(torch.nn.Sequential(*layers))
    data = torch.from_numpy(spikes).float()
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data, torch.zeros(len(data))), batch_size=len(data)
    )
    workload = [ActivationSparsity, SynapticOperations, MembraneUpdates, NeuronOperations]
    found: dict[str, Any] = Benchmark(model, loader, [], [], [[ConnectionSparsity], workload]).run(quiet=True)
    return found


def ours(weights: list[np.ndarray], thresholds: list[int], spikes: np.ndarray, reset: str) -> Mapping[str, Any]:
    """Within a step from layer to layer, as there."""
    model = {"zero": "lif", "subtract": "lif_subtract"}[reset]
    populations, projections = {"in": Population("in", (spikes.shape[2],), INPUT)}, []
    for number, (weight, threshold) in enumerate(zip(weights, thresholds, strict=True)):
        name, before = f"layer{number}", list(populations)[-1]
        params = {"du": 4095, "dv": 0, "vth": threshold}
        populations[name] = Population(name, (len(weight),), model, params)
        projections.append(Projection(f"into {name}", before, name, Dense(weight), instant=True))
    net = Network("snn", populations, tuple(projections), (list(populations)[-1],))
    activity = ReferenceRunner().run(net, {"in": spikes}, STEPS).activity
    return metrics(Program.of(net), activity)


def main() -> None:
    worst = 0.0
    for seed, (sizes, reset) in enumerate(NETWORKS):
        made = drawn(seed, sizes)
        there, here = theirs(*made, reset), ours(*made, reset)
        print(f"\n{' - '.join(map(str, sizes))}, reset {reset}")
        for name, part in (*EQUAL, *BOUNDS):
            a, b = (found[name] if part is None else found[name][part] for found in (there, here))
            bound = (name, part) in BOUNDS
            print(f"  {name if part is None else part:22} {a:14.6f} {b:14.6f}{'  upper bound' if bound else ''}")
            # the package rounds the sparsity of connections to four digits
            off = abs(round(b, 4) - a) if name == "ConnectionSparsity" else abs(b - a)
            worst = max(worst, 0.0 if bound and b >= a else off)
    print(f"\nlargest difference {worst:g}")


if __name__ == "__main__":
    main()
