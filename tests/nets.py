"""Nets from single messages."""

from __future__ import annotations

from collections import Counter

import numpy as np

from neurodeploy.flow.nets import Nets
from neurodeploy.ir.fixedpoint import Ints


def make_nets(cores: int, source: Ints, target: Ints, axon: Ints, weight: Ints, per: int = 1) -> Nets:
    """Nets from single messages: axon `axon[i]` (any number that names the sender's axon; one source an axon) sends
    ``weight[i]`` messages to the core ``target[i]``. An axon's weight must be the same towards all its targets.
    """
    rows = np.unique(np.stack([axon, source, target, weight])[:, (source != target) & (weight > 0)], axis=1)
    merged: Counter[tuple[int, bytes]] = Counter()
    for _, sender, targets, weights in (
        np.split(rows, np.flatnonzero(np.diff(rows[0])) + 1, axis=1) if rows.size else ()
    ):
        merged[int(sender[0]), targets.tobytes()] += int(weights[0])
    keys = sorted(merged)
    pins = [np.frombuffer(targets, np.int64) for _, targets in keys]
    return Nets(
        cores,
        np.array([sender for sender, _ in keys], np.int64),
        np.cumsum([0, *map(len, pins)], dtype=np.int64),
        np.concatenate([np.zeros(0, np.int64), *pins]),
        np.array([merged[key] for key in keys], np.int64),
        per,
    )
