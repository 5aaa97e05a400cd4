"""How much of the raw integer product's speed is left in the lane of a language model: exit 1 below the gate.

    python benchmarks/speed_gate.py [--gate 0.8] [--rounds 7] [--layers 30]

Shapes: the linear layers of SmolLM2-135M and its vocabulary, random weights and 16-bit payloads. The lane is
`simulators.fast` from payloads to decoded floats (digits, product, neuron, decoding, counts of events); the raw product is
the one that the lane chooses, on the digits of the same payloads, and nothing else. Both run in turn in one process on one
thread; the ratio is that of the least processor seconds of each (raw / lane), so a busy machine changes it little. "128
tokens" is a prefill, which the gate is about; "1 token" reads each weight once, and is shown beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from benchmarks.mapper_models import program_of
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.program import BLOCK, GradedNeurons, Island, Synapses
from simulators.fast.runner import FastRunner
from simulators.products.choice import choose
from simulators.products.pairs import padded


def filled(hollow: Island, draw: np.random.Generator) -> Island:
    """The island with random weights."""
    rows, columns = hollow.rows, hollow.columns
    weight = draw.integers(-127, 128, (rows, columns), np.int8)
    sums = np.full(-(-columns // BLOCK), BLOCK * 127, np.int64)
    neurons = GradedNeurons(draw.integers(1, 30000, rows).astype(np.int16), np.full(rows, 15, np.uint8), 8)
    synapses = Synapses(weight, np.zeros(columns, np.uint8), sums)
    one = Dyadic(1, -10)
    return Island(hollow.name, rows, columns, hollow.slices, 16, one, one, synapses, neurons)


def raw(islands: list[Island], tokens: int, draw: np.random.Generator) -> Callable[[], None]:
    """Only the products, each into an array of its own."""
    product = choose(tokens, 16)
    rows = tokens * product.passes
    digits = {}
    for island in islands:
        x = padded((rows, island.columns)) if product.digit is np.int16 else np.empty((rows, island.columns), np.int8)
        x[:, : island.columns] = draw.integers(-127, 128, (rows, island.columns))
        digits[island.columns] = x

    def run() -> None:
        for island in islands:
            product(digits[island.columns], island.synapses.weight, 1 << 30)

    return run


def lane(islands: list[Island], tokens: int, draw: np.random.Generator) -> Callable[[], None]:
    runner = FastRunner()
    payloads = {
        island.columns: draw.integers(-32767, 32768, (tokens, island.columns)).astype(np.int16) for island in islands
    }

    def run() -> None:
        for island in islands:
            runner.run_decoded(island, payloads[island.columns])

    return run


def seconds(run: Callable[[], None], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - begun) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gate", type=float, default=0.8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layers", type=int, default=30)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    draw = np.random.default_rng(0)
    islands = [filled(island, draw) for island in program_of("smollm2-135m", asked.layers).islands.values()]
    work = sum(island.rows * island.columns for island in islands)
    ratios = {}
    for tokens, times in ((128, 1), (1, 4)):
        both = raw(islands, tokens, draw), lane(islands, tokens, draw)
        for run in both:
            run()  # compiles, and prepares the islands
        least = [
            min(pair)
            for pair in zip(*([seconds(run, times) for run in both] for _ in range(asked.rounds)), strict=True)
        ]
        ratios[tokens] = least[0] / least[1]
        raw_speed, lane_speed = (tokens * work / spent / 1e9 for spent in least)
        rates = f"raw {raw_speed:.1f}, lane {lane_speed:.1f} GMAC/s of processor time"
        print(f"{tokens:4} tokens at a time: {choose(tokens, 16).name}, {rates}, ratio {ratios[tokens]:.3f}")
    passed = ratios[128] >= asked.gate
    print(
        f"{'passed' if passed else 'FAILED'}: a prefill keeps {ratios[128]:.3f} of the raw product, the gate is {asked.gate}"
    )
    sys.exit(not passed)


if __name__ == "__main__":
    main()
