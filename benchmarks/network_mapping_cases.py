"""Spiking networks on cores: the given order of neurons against the orders and column blocks that the mapper finds.

Prints for each case: cores and messages a step (every neuron sends) in the given order, cut as long as cores allow, and as
mapped; the lower bound on cores; what was done; CPU seconds of mapping; violations that the verifier found.

    python benchmarks/network_mapping_cases.py [--large] [name ...]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Conv, Dense, Sparse
from neurodeploy.synapses.build import sparse_from_coo
from partitioner.job import job_of
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.order.plan import deliveries, make_plan
from partitioner.verify.violations import verify
from targets.systems import get_system

LIF = {"du": 0, "dv": 0, "vth": 10}


def lif(name: str, *shape: int) -> Population:
    return Population(name, shape, "lif", LIF)


def network(populations: list[Population], projections: list[Projection]) -> Network:
    found = Network("net", {p.name: p for p in populations}, tuple(projections), (populations[-1].name,))
    found.check()
    return found


def convolutions(shape: tuple[int, int, int], layers: list[tuple[int, int, int, bool]]) -> Network:
    """(channels, kernel, stride, depthwise) one after another."""
    populations, projections = [Population("input", shape, INPUT)], []
    for number, (channels, kernel, stride, depthwise) in enumerate(layers):
        out, each = (shape[2], 1) if depthwise else (channels, shape[2])
        weight = np.ones((out, kernel, kernel, each), np.int8)
        half = (kernel // 2, kernel // 2)
        made = Conv(weight, shape, (stride, stride), half, groups=shape[2] if depthwise else 1)
        shape = made.output_shape
        populations.append(lif(f"conv{number}", *shape))
        projections.append(Projection(f"w{number}", populations[-2].name, populations[-1].name, made))
    return network(populations, projections)


def layers(*widths: int) -> Network:
    populations = [Population("input", (widths[0],), INPUT), *(lif(f"fc{k}", n) for k, n in enumerate(widths[1:]))]
    projections = [
        Projection(
            f"w{k}", populations[k].name, populations[k + 1].name, Dense(np.ones((n, widths[k]), np.int8, order="F"))
        )
        for k, n in enumerate(widths[1:])
    ]
    return network(populations, projections)


def ring(neurons: int, fan: int, spread: float, far: float = 0.0) -> Network:
    """Neurons reach neighbours on a hidden ring, a part of their synapses anybody."""
    rng = np.random.default_rng(0)
    column = np.repeat(np.arange(neurons), fan)
    near = (column + np.round(rng.normal(0, spread, len(column))).astype(np.int64)) % neurons
    row = np.where(rng.random(len(column)) < far, rng.integers(0, neurons, len(column)), near)
    number = rng.permutation(neurons)
    key = np.unique(number[column] * neurons + number[row])
    synapse = sparse_from_coo(neurons, neurons, key % neurons, key // neurons, np.ones(len(key), np.int8))
    return network([lif("p", neurons)], [Projection("r", "p", "p", synapse)])


def random(neurons: int, fan: int) -> Network:
    """`fan` targets of each neuron, one in each of as many stretches."""
    rng, span = np.random.default_rng(0), neurons // fan
    target = (np.arange(fan, dtype=np.int32) * span + rng.integers(0, span, (neurons, fan), np.int32)).reshape(-1)
    narrow = target.astype(np.uint16 if neurons <= 65536 else np.int32)
    synapse = Sparse(neurons, neurons, np.arange(neurons + 1) * fan, narrow, np.ones(len(target), np.int8))
    return network([lif("p", neurons)], [Projection("r", "p", "p", synapse)])


VGG = [(64, 3, 1, False), (128, 3, 2, False), (256, 3, 2, False), (256, 3, 1, False)]
VGG += [(512, 3, 2, False), (512, 3, 1, False), (512, 3, 2, False), (512, 3, 1, False)]
STEPS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1)]
MOBILE = [(32, 3, 2, False)] + [layer for out, s in STEPS for layer in ((0, 3, s, True), (out, 1, 1, False))]
PILOT = [(24, 5, 2, False), (36, 5, 2, False), (48, 5, 2, False), (64, 3, 1, False), (64, 3, 1, False)]

CASES: dict[str, tuple[Callable[[], Network], str]] = {
    "VGG-11 body, 32 x 32": (lambda: convolutions((32, 32, 3), VGG), "hala-point"),
    "VGG-11 body, 32 x 32, Loihi 1": (lambda: convolutions((32, 32, 3), VGG), "loihi1-nahuku"),
    "MobileNet, 128 x 128": (lambda: convolutions((128, 128, 3), MOBILE), "hala-point"),
    "PilotNet convolutions": (lambda: convolutions((200, 66, 3), PILOT), "hala-point"),
    "MLP 2048-4096-4096-2048": (lambda: layers(2048, 4096, 4096, 2048), "hala-point"),
    "MLP 2048-4096-4096-2048, Loihi 1": (lambda: layers(2048, 4096, 4096, 2048), "loihi1-nahuku"),
    "MLP 4096-8192-4096-1024, Loihi 1": (lambda: layers(4096, 8192, 4096, 1024), "loihi1-nahuku"),
    "ring 4k x 60, hidden": (lambda: ring(4000, 60, 30), "hala-point"),
    "ring 20k x 50, hidden": (lambda: ring(20000, 50, 100), "hala-point"),
    "small world 5k x 16, 10 % far": (lambda: ring(5000, 16, 35, 0.1), "loihi1-nahuku"),
    "random 10k x 100": (lambda: random(10_000, 100), "hala-point"),
}
LARGE = {"random 1M x 100": (lambda: random(1_000_000, 100), "hala-point")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--large", action="store_true", help="a million neurons and 10^8 synapses too")
    asked = parser.parse_args()
    warm = Program.of(ring(600, 10, 5))
    map_model(warm, get_system("hala-point"), Options(max_rows=50))  # loads and compiles
    head = ("case", "given", "mapped", "bound", "messages", "before", "cpu s", "violations", "done")
    print(("{:34}" + "{:>9}" * 7 + "  {}").format(*head))
    for name, (make, system) in (CASES | (LARGE if asked.large else {})).items():
        if not asked.names or any(part in name for part in asked.names):
            show(name, make(), system)


def show(name: str, net: Network, system_name: str) -> None:
    system, options = get_system(system_name), Options()
    job = job_of(Program.of(net), system, options)
    given = make_plan(job, net, {}, job.rules)
    begun = time.process_time()
    mapping = map_model(Program.of(net), system, options)
    spent = time.process_time() - begun
    from partitioner.nets.traffic import traffic

    found = traffic(mapping, Program.of(net), system)
    sent = int(found.events_to_cores + found.partials_between_cores)
    blocks = sum(len({s.cols for s in shards if s.kind == "synapses"}) > 1 for shards in mapping.by_island().values())
    done = f"{len(mapping.orders)} orders, columns cut in {blocks}"
    numbers = (given.cores, mapping.cores_used, mapping.lower_bound, sent, deliveries(job, given), f"{spent:.2f}")
    found = len(verify(mapping, Program.of(net), system))
    print(("{:34}" + "{:>9}" * 7 + "  {}").format(name, *numbers, found, done), flush=True)


if __name__ == "__main__":
    main()
