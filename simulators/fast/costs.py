"""What events cost on this processor, against the one on which the constants of the wirings were measured.

Measured once for each processor and kept with the speeds of products (`simulators.products.kept`), and asked for only where
a choice between events and a product is worth it: a small network never measures.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from simulators.fast.kernels import dense
from simulators.products import kept

#: Rows, axons, frames and events of a frame of the sample.
ROWS, AXONS, FRAMES, EVENTS = 512, 512, 32, 64
#: Nanoseconds of one of its synaptic events where SPIKE_NS, GRADED_NS and their like were measured (EPYC 9004, 3.7 GHz).
SPIKES_NS, MESSAGES_NS = 0.0151, 0.0365
RUNS = 10


def slowdown(graded: bool) -> float:
    """How many times as long as there an event takes here: of spikes, or of payloads that are multiplied."""
    return _slowdowns()["graded" if graded else "spikes"]


@lru_cache
def _slowdowns() -> dict[str, float]:
    return kept.measured("events", ("spikes", "graded"), _measure)


def _measure() -> dict[str, float]:
    random = np.random.default_rng(0)
    weight = random.integers(-100, 101, (AXONS, ROWS)).astype(np.int8)
    index = np.sort(random.integers(0, AXONS, (FRAMES, EVENTS)), axis=1).astype(np.int32).ravel()
    value = random.integers(-100, 101, index.size).astype(np.int32)
    pointer = np.arange(FRAMES + 1) * EVENTS
    pending, narrow = np.zeros((1, FRAMES + 1, ROWS), np.int32), np.empty((1, ROWS), np.int16)
    listed = (0, 1, 0, FRAMES, pointer, index)
    work = index.size * ROWS
    return {
        "spikes": _fastest_ns(dense.spikes, *listed, weight, narrow, 255, ROWS, 0, pending) / work / SPIKES_NS,
        "graded": _fastest_ns(dense.messages, *listed, value, weight, ROWS, 0, pending) / work / MESSAGES_NS,
    }


def _fastest_ns(kernel: Any, *arguments: Any) -> float:
    kernel(*arguments)  # compiled or loaded, and its data in the caches
    return min(kept.thread_ns(lambda: kernel(*arguments)) for _ in range(RUNS))
