"""Random cuts of a network into shards."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT


def mapping_of(shards: list[Shard]) -> Mapping:
    return Mapping("test", 1, 1, tuple(shards), (), 1, "none", ())


def ranges(rng: np.random.Generator, size: int, most: int) -> list[tuple[int, int]]:
    cuts = rng.integers(1, size, rng.integers(0, most)) if size > 1 else []
    edges = sorted({0, size, *(int(c) for c in cuts)})
    return list(pairwise(edges))


def random_mapping(network: Network, seed: int) -> Mapping:
    """Rows into ranges; for half of the populations columns into blocks, each with rows of its own, and reducers."""
    rng = np.random.default_rng([seed, 7])
    shards: list[Shard] = []
    for name, population in network.populations.items():
        if population.model == INPUT:
            continue
        columns = max(1, sum(p.synapse.columns for p in network.into(name)))
        blocks = ranges(rng, columns, 4) if rng.random() < 0.5 else [(0, columns)]
        kinds = [("synapses", rows, cols) for cols in blocks for rows in ranges(rng, population.size, 4)]
        if len(blocks) > 1:
            kinds += [("reducer", rows, (0, len(blocks))) for rows in ranges(rng, population.size, 3)]
        for kind, rows, cols in kinds:
            shards.append(Shard(name, kind, rows, cols, 0, len(shards)))
    return mapping_of(shards)
