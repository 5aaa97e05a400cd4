"""Nets from single messages."""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.nets import Nets
from neurodeploy.ir.fixedpoint import Ints


def make_nets(cores: int, source: Ints, target: Ints, axon: Ints, weight: Ints, per: int = 1) -> Nets:
    """Nets from single messages: axon `axon[i]` (any number that names the sender's axon; one source an axon) sends
    ``weight[i]`` messages to the core ``target[i]``. An axon's weight must be the same towards all its targets.
    """
    keep = (source != target) & (weight > 0)
    source, target, axon, weight = source[keep], target[keep], axon[keep], weight[keep]
    if not len(axon):
        none = np.zeros(0, np.int64)
        return Nets(cores, none, np.zeros(1, np.int64), none, none, per)
    order = np.lexsort((target, axon))
    source, target, axon, weight = source[order], target[order], axon[order], weight[order]
    fresh = np.ones(len(axon), np.bool_)
    fresh[1:] = (axon[1:] != axon[:-1]) | (target[1:] != target[:-1])
    source, target, axon, weight = source[fresh], target[fresh], axon[fresh], weight[fresh]
    starts = np.flatnonzero(np.concatenate(([True], axon[1:] != axon[:-1])))
    ends = np.concatenate((starts[1:], [len(axon)]))
    merged: dict[tuple[int, bytes], int] = {}
    for start, stop in zip(starts.tolist(), ends.tolist(), strict=True):
        key = (int(source[start]), target[start:stop].tobytes())
        merged[key] = merged.get(key, 0) + int(weight[start])
    keys = sorted(merged)
    pins = [np.frombuffer(key[1], np.int64) for key in keys]
    indptr = np.concatenate(([0], np.cumsum([len(p) for p in pins]))).astype(np.int64)
    return Nets(
        cores,
        np.array([key[0] for key in keys], np.int64),
        indptr,
        np.concatenate(pins),
        np.array([merged[key] for key in keys], np.int64),
        per,
    )
