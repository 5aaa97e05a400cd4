"""What the scripts of all simulators share: the work, read from one file, and the line of JSON that each prints.

The work: `layers` dense layers of LIF neurons in a chain, ``v <- decay * v + W s``, a spike and ``v <- 0`` where
``v > threshold``. A simulator may add a step of latency a layer: the rates tell whether it did the same work.
Only numpy here: a script runs in its simulator's own environment.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: 12 bits of decay, as on the chip: v keeps (4096 - 410) / 4096 = 0.8999 of itself.
DECAY_12BIT = 410
THRESHOLD = 1040
LAYERS, SIZE, INPUT_RATE, SEED = 4, 1024, 0.05, 20260


@dataclass(frozen=True)
class Problem:
    """weights (layers, targets, sources) int8, even; spikes (steps, sources) bool; keep: the factor of v in one step."""

    weights: NDArray[np.int8]
    spikes: NDArray[np.bool_]
    decay_12bit: int
    threshold: int

    @property
    def keep(self) -> float:
        return (4096 - self.decay_12bit) / 4096

    @property
    def steps(self) -> int:
        return len(self.spikes)


def make(path: str, steps: int) -> None:
    """Write the work: weights uniform in -126..126, even so that no simulator rounds them, and Bernoulli input spikes."""
    rng = np.random.default_rng(SEED)
    weights = (2 * rng.integers(-63, 64, (LAYERS, SIZE, SIZE))).astype(np.int8)
    spikes = rng.random((steps, SIZE)) < INPUT_RATE
    np.savez(path, weights=weights, spikes=spikes, decay_12bit=DECAY_12BIT, threshold=THRESHOLD)


def load(path: str, steps: int | None = None) -> Problem:
    with np.load(path) as file:
        spikes = file["spikes"]
        if steps is not None:  # longer than the file: the input starts again
            spikes = spikes[np.arange(steps) % len(spikes)]
        return Problem(file["weights"], spikes, int(file["decay_12bit"]), int(file["threshold"]))


@dataclass
class Measured:
    """One timed run: seconds, the spikes of each layer in all steps; synaptic events where the simulator counts them."""

    seconds_cpu: float
    seconds_wall: float
    layer_spikes: list[int]
    synaptic_events: int | None = None


def timed(run: Callable[[], list[int]]) -> Measured:
    """CPU seconds of this process and wall seconds of `run`, which returns the spikes of each layer."""
    wall, cpu = time.perf_counter(), time.process_time()
    spikes = run()
    return Measured(time.process_time() - cpu, time.perf_counter() - wall, spikes)


def main(
    simulator: str,
    version: Callable[[], str],
    measure: Callable[[Problem], Measured],
    *,
    counts_energy: bool = False,
    numerics: str,
) -> None:
    """``script.py WORK.npz STEPS``: run and print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("steps", type=int)
    arguments = parser.parse_args()
    problem = load(arguments.work, arguments.steps)
    measured = measure(problem)
    steps, fan_out = problem.steps, problem.weights.shape[1]
    sources = [int(problem.spikes.sum()), *measured.layer_spikes[:-1]]
    events = sum(sources) * fan_out if measured.synaptic_events is None else int(measured.synaptic_events)
    line = {
        "simulator": simulator, "version": version(), "steps": steps, "seconds_cpu": measured.seconds_cpu,
        "seconds_wall": measured.seconds_wall, "synaptic_events": events,
        "rates": [round(n / steps / fan_out, 5) for n in measured.layer_spikes], "counts_energy": counts_energy,
        "numerics": numerics,
    }  # fmt: skip
    print("\n" + json.dumps(line))
