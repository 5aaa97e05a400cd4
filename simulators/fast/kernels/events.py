"""Payloads to lists of events, and what a list says about the sums that it can make."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def list_spikes(payload: Any, start: int, stop: int, pointer: Any, index: Any) -> None:
    """Neurons with a non-zero int8 payload: those of frame f are ``index[pointer[f]:pointer[f + 1]]``.

    payload (samples, steps, size); `index` holds one place more than there are payloads, because it is written before
    it is known whether the place is used: eight silent neurons cost one test, eight others no branch that the
    processor could guess wrongly.
    """
    samples, _, size = payload.shape
    words = size // 8
    place, frame = 0, 0
    for s in range(samples):
        for t in range(start, stop):
            row = payload[s, t]
            eight = row[: words * 8].view(np.uint64)
            for k in range(words):
                if eight[k] != 0:
                    for i in range(k * 8, k * 8 + 8):
                        index[place] = i
                        place += row[i] != 0
            for i in range(words * 8, size):
                index[place] = i
                place += row[i] != 0
            frame += 1
            pointer[frame] = place


@jit
def list_messages(payload: Any, start: int, stop: int, pointer: Any, index: Any, value: Any) -> None:
    """The same of int32 payloads, with their values."""
    samples, _, size = payload.shape
    place, frame = 0, 0
    for s in range(samples):
        for t in range(start, stop):
            for i in range(size):
                x = payload[s, t, i]
                index[place] = i
                value[place] = x
                place += x != 0
            frame += 1
            pointer[frame] = place


@jit
def count(index: Any, events: int, fired: Any) -> None:
    """Add one to `fired` of every neuron in the list."""
    for e in range(events):
        fired[index[e]] += 1


@jit
def largest(pointer: Any, value: Any) -> tuple[int, int]:
    """Over all frames: (largest sum of magnitudes of a frame, largest magnitude of a payload)."""
    top_sum, top = np.int64(0), np.int64(0)
    for frame in range(pointer.shape[0] - 1):
        total = np.int64(0)
        for e in range(pointer[frame], pointer[frame + 1]):
            x = abs(np.int64(value[e]))
            total += x
            top = max(top, x)
        top_sum = max(top_sum, total)
    return top_sum, top


@jit
def most(pointer: Any) -> int:
    """Most events of a frame."""
    top = np.int64(0)
    for frame in range(pointer.shape[0] - 1):
        top = max(top, pointer[frame + 1] - pointer[frame])
    return int(top)
