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
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.mapper_models import program_of
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.segments import Segment
from neurodeploy.synapses.linear import LinearLayer, linear_layer, program_of_layers
from simulators.fast.runner import FastRunner
from simulators.products.choice import choose
from simulators.products.pairs import padded


def filled(hollow: Segment, draw: np.random.Generator) -> LinearLayer:
    """A layer of its sizes with random weights."""
    (p,) = hollow.network.projections
    rows, columns = p.synapse.rows, p.synapse.columns
    weight = np.clip(np.rint(draw.normal(0, 30, (rows, columns))), -127, 127).astype(np.int8)
    params = {"multiplier": draw.integers(1, 30000, rows).astype(np.int16), "shift": 15, "acc_shift": 8}
    sums, one = np.full(-(-columns // BLOCK), BLOCK * 127, np.int64), Dyadic(1, -10)
    return linear_layer(
        hollow.name, weight, params, scales=(one, one), values=(f"{hollow.name}.in", (hollow.name,)), block_sums=sums
    )


def weights_of(segment: Segment) -> NDArray[np.int8]:
    return np.asarray(segment.network.projections[0].synapse.weight)


def raw(segments: Sequence[Segment], tokens: int, draw: np.random.Generator) -> Callable[[], None]:
    """Only the products, each into an array of its own of the same type."""
    product = choose(tokens, 16)
    rows = tokens * product.passes
    digits = {}
    weights = [weights_of(segment) for segment in segments]
    for columns in {weight.shape[1] for weight in weights}:
        x = padded((rows, columns)) if product.digit is np.int16 else np.empty((rows, columns), np.int8)
        x[:, :columns] = draw.integers(-127, 128, (rows, columns))
        digits[columns] = x
    bounds = [int(np.abs(weight.astype(np.int32)).sum(axis=1).max()) << 15 for weight in weights]

    def run() -> None:
        for weight, bound in zip(weights, bounds, strict=True):
            product(digits[weight.shape[1]], weight, bound)

    return run


def lane(segments: Sequence[Segment], tokens: int, draw: np.random.Generator) -> Callable[[], None]:
    runner = FastRunner()
    sizes = [weights_of(segment).shape[1] for segment in segments]
    payloads = {
        columns: draw.integers(-32767, 32768, (tokens, columns)).astype(np.int16) for columns in dict.fromkeys(sizes)
    }
    calls = [(columns, runner.decoding(segment)) for columns, segment in zip(sizes, segments, strict=True)]

    def run() -> None:
        for columns, decoded in calls:
            decoded(payloads[columns])

    return run


def seconds(run: Callable[[], None], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - begun) / times


def ratio(segments: Sequence[Segment], tokens: int, rounds: int) -> float:
    """Raw over lane, in turn, the least of the rounds; prints both."""
    draw = np.random.default_rng(tokens)
    both = raw(segments, tokens, draw), lane(segments, tokens, draw)
    for run in both:
        run()  # compiles, and prepares the segments
    times = 1 if tokens > 1 else 4
    spent = [[seconds(run, times) for run in both] for _ in range(rounds)]
    least = [min(pair) for pair in zip(*spent, strict=True)]
    work = tokens * sum(weights_of(segment).size for segment in segments)
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
        hollow = program_of(name, asked.layers)
        made = program_of_layers(hollow.info, [filled(segment, draw) for segment in hollow.segments], {}, output="")
        print(f"{name}, {asked.layers} layers")
        prefill[name], _ = (ratio(made.segments, tokens, asked.rounds) for tokens in (128, 1))
    least = min(prefill.values())
    passed = least >= asked.gate
    print(f"{'passed' if passed else 'FAILED'}: {least:.3f} of the raw product at least, the gate is {asked.gate}")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
