"""How much of the raw integer product's speed is left in the lane of a language model: exit 1 below the gate.

    python benchmarks/speed_gate.py [--gate 0.8] [--rounds 7] [--layers 3]

Shapes: the linear layers of Gemma 3 1B and of SmolLM2-135M; normal weights, 16-bit payloads. The
lane is `simulators.fast` from payloads to decoded floats (digits, product, neuron, decoding, counts of events); the raw
product is the one that the lane chooses, on the digits of the same payloads, nothing else. Both run in turn in one process
on one thread; the ratio is that of the least processor seconds of each (raw / lane), so a busy machine changes it little. At
128 tokens at a time (a prefill) the gate holds; a token at a time is shown beside it: there a call's own cost weighs more.
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
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.program import GradedNeurons, Island, Synapses
from simulators.fast.runner import FastRunner
from simulators.products.choice import choose
from simulators.products.pairs import padded


def filled(hollow: Island, draw: np.random.Generator) -> Island:
    """The island with random weights."""
    rows, columns = hollow.rows, hollow.columns
    weight = np.clip(np.rint(draw.normal(0, 30, (rows, columns))), -127, 127).astype(np.int8)
    sums = np.full(-(-columns // BLOCK), BLOCK * 127, np.int64)
    neurons = GradedNeurons(draw.integers(1, 30000, rows).astype(np.int16), np.full(rows, 15, np.uint8), 8)
    synapses = Synapses(weight, np.zeros(columns, np.uint8), sums)
    one = Dyadic(1, -10)
    return Island(hollow.name, rows, columns, hollow.slices, 16, one, one, synapses, neurons)


def raw(islands: list[Island], tokens: int, draw: np.random.Generator) -> Callable[[], None]:
    """Only the products, each into an array of its own of the same type."""
    product = choose(tokens, 16)
    rows = tokens * product.passes
    digits = {}
    for island in islands:
        x = padded((rows, island.columns)) if product.digit is np.int16 else np.empty((rows, island.columns), np.int8)
        x[:, : island.columns] = draw.integers(-127, 128, (rows, island.columns))
        digits[island.columns] = x
    bounds = [int(np.abs(island.synapses.weight.astype(np.int32)).sum(axis=1).max()) << 15 for island in islands]

    def run() -> None:
        for island, bound in zip(islands, bounds, strict=True):
            product(digits[island.columns], island.synapses.weight, bound)

    return run


def lane(islands: list[Island], tokens: int, draw: np.random.Generator) -> Callable[[], None]:
    runner = FastRunner()
    payloads = {
        island.columns: draw.integers(-32767, 32768, (tokens, island.columns)).astype(np.int16) for island in islands
    }

    calls = [(island.columns, runner.decoding(island)) for island in islands]

    def run() -> None:
        for columns, decoded in calls:
            decoded(payloads[columns])

    return run


def seconds(run: Callable[[], None], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - begun) / times


def ratio(islands: list[Island], tokens: int, rounds: int) -> float:
    """Raw over lane, in turn, the least of the rounds; prints both."""
    draw = np.random.default_rng(tokens)
    both = raw(islands, tokens, draw), lane(islands, tokens, draw)
    for run in both:
        run()  # compiles, and prepares the islands
    times = 1 if tokens > 1 else 4
    spent = [[seconds(run, times) for run in both] for _ in range(rounds)]
    least = [min(pair) for pair in zip(*spent, strict=True)]
    work = tokens * sum(island.rows * island.columns for island in islands)
    raw_speed, lane_speed = (work / one / 1e9 for one in least)
    product = choose(tokens, 16).name
    print(
        f"  {tokens:3} at a time: {product}, raw {raw_speed:.1f}, lane {lane_speed:.1f} GMAC/s of processor time, ",
        end="",
    )
    print(f"ratio {least[0] / least[1]:.3f}")
    return least[0] / least[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gate", type=float, default=0.8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layers", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    prefill = {}
    for name in ("gemma3-1b", "smollm2-135m"):
        draw = np.random.default_rng(0)
        islands = [filled(island, draw) for island in program_of(name, asked.layers).islands.values()]
        print(f"{name}, {asked.layers} layers")
        prefill[name], _ = (ratio(islands, tokens, asked.rounds) for tokens in (128, 1))
    least = min(prefill.values())
    passed = least >= asked.gate
    print(f"{'passed' if passed else 'FAILED'}: {least:.3f} of the raw product at least, the gate is {asked.gate}")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
