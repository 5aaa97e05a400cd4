"""What decides besides the problem: seeded random numbers, the same with every version of every library, and the clock."""

from __future__ import annotations

import time

import numpy as np

from neurodeploy.ir.fixedpoint import Ints


def hashes(count: int, seed: int) -> Ints:
    """(count,) uint64: splitmix64 of the places behind `seed` (Steele, Lea & Flood 2014)."""
    first = np.uint64((seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64)
    z = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ first
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Ints = z ^ (z >> np.uint64(31))
    return mixed


def shuffled(count: int, seed: int) -> Ints:
    """A permutation of ``range(count)``."""
    return np.argsort(hashes(count, seed), kind="stable")


def late(deadline: float | None) -> bool:
    """Whether `time.monotonic` has passed the deadline; None never passes."""
    return deadline is not None and time.monotonic() > deadline
