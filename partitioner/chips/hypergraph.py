"""What cutting cores apart costs, as a weighted hypergraph, and Mt-KaHyPar's cuts of it.

A message from core to core is sent once for each destination: an edge of two cores. A message of the host is sent once
for each chip that needs it: one edge over all its destinations. So for a division of the cores into chips::

    cut = sum over edges e of weight_e * (chips that e touches - 1)

is the number of messages between chips, but for the host's messages to the first chip of each, which no division changes.

Mt-KaHyPar (Gottesbueren et al., "Scalable shared-memory hypergraph partitioning", ALENEX 2021) is used with its
deterministic preset, whose result does not depend on the number of threads, and a target weight for each block; without the
library the caller goes on without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from neurodeploy.flow.nets import Nets, merge_pairs
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.machine.threads import thread_count

#: The deterministic preset with 8 tries instead of 20 of every bisection, which take most of the time where blocks are many.
QUICK = Path(__file__).with_name("quick.ini")
#: Mt-KaHyPar's weights are 32-bit: the weights of all pins together stay below this.
_MOST = 2**30
NO_LIBRARY = "mtkahypar is not installed (extra `mapping`): chips were cut without it"


@dataclass(frozen=True, eq=False)
class Hyper:
    """Edges of two cores, ``u < v``, and wide edges: edge k touches ``pins[indptr[k]:indptr[k + 1]]``, three or more."""

    cores: int
    u: Ints
    v: Ints
    weight: Ints
    indptr: Ints
    pins: Ints
    wide: Ints

    @property
    def pin_count(self) -> int:
        return 2 * len(self.u) + len(self.pins)

    @cached_property
    def edge(self) -> Ints:
        """(pins,): the wide edge of each pin."""
        return np.repeat(np.arange(len(self.wide)), np.diff(self.indptr))

    def chain(self) -> tuple[Ints, Ints, Ints]:
        """(u, v, weight): every edge as pairs of neighbours in core order. Divisions into runs of cores cut these exactly
        as they cut the hypergraph, because a run that lies between two pins of an edge and has none ends twice."""
        inside = np.ones(len(self.pins), np.bool_)
        inside[self.indptr[:-1]] = False
        at = np.flatnonzero(inside)
        return (
            np.concatenate((self.u, self.pins[at - 1])),
            np.concatenate((self.v, self.pins[at])),
            np.concatenate((self.weight, self.wide[self.edge[at]])),
        )

    def cut(self, part: Ints) -> int:
        """``sum of weight * (parts touched - 1)``; part (cores,)."""
        total = int(self.weight[part[self.u] != part[self.v]].sum())
        return total + int((self.wide * (self.touched(part) - 1)).sum())

    def touched(self, part: Ints) -> Ints:
        """(wide edges,): parts that each touches."""
        width = int(part.max()) + 1 if len(part) else 1
        keys = np.unique(self.edge * width + part[self.pins])
        return np.bincount(keys // width, minlength=len(self.wide)).astype(np.int64)

    def floor(self, capacity: int) -> int:
        """No division into parts of at most `capacity` cores cuts less: an edge of n pins touches n / capacity parts."""
        return int((self.wide * ((np.diff(self.indptr) - 1) // capacity)).sum())

    def renumbered(self, number: Ints, cores: int) -> Hyper:
        """The same edges after core i has become ``number[i]``; equal numbers are one core."""
        return make_hyper(cores, number[self.u], number[self.v], self.weight, self.edge, number[self.pins], self.wide)


def make_hyper(cores: int, u: Ints, v: Ints, weight: Ints, edge: Ints, pins: Ints, wide: Ints) -> Hyper:
    """Edges merged and put in order: pairs (u, v, weight), and edge ``edge[i]`` touches ``pins[i]`` with ``wide[edge]``."""
    key = np.unique(edge * max(1, cores) + pins)
    edge, pins = key // max(1, cores), key % max(1, cores)
    count = np.bincount(edge, minlength=len(wide)).astype(np.int64)
    two = np.flatnonzero(count[edge] == 2)
    u = np.concatenate((u, pins[two[::2]]))
    v = np.concatenate((v, pins[two[1::2]]))
    weight = np.concatenate((weight, wide[edge[two[::2]]]))
    u, v, weight = merge_pairs(np.minimum(u, v), np.maximum(u, v), weight, cores)
    kept = count > 2
    indptr = np.concatenate(([0], np.cumsum(count[kept]))).astype(np.int64)
    return Hyper(cores, u, v, weight, indptr, pins[kept[edge]], wide[kept])


def of_nets(nets: Nets) -> Hyper:
    """Messages between cores as pairs, those of the host as wide edges; what goes to the host is never cut."""
    fan = np.diff(nets.indptr)
    net = np.repeat(np.arange(len(nets.source)), fan)
    outside = nets.source[net] == HOST
    inner = ~outside & (nets.pins != HOST)
    return make_hyper(
        nets.cores,
        nets.source[net[inner]],
        nets.pins[inner],
        nets.weight[net[inner]],
        net[outside],
        nets.pins[outside],
        nets.weight,
    )


@cache
def library() -> ModuleType | None:
    """mtkahypar, or None where it is not installed."""
    try:
        import mtkahypar
    except ImportError:
        return None
    return mtkahypar  # type: ignore[no-any-return]


def version() -> str:
    """Of mtkahypar, for the digests of stage files."""
    try:
        return metadata.version("mtkahypar")
    except metadata.PackageNotFoundError:
        return ""


@cache
def _engine() -> Any:
    module = library()
    assert module is not None  # callers have asked `library`
    return module.initialize(thread_count(), False)


def partition(
    hyper: Hyper, sizes: Ints, capacity: Ints, fixed: Ints | None, seed: int, start: Ints | None = None,
    quick: bool = False,
) -> Ints:  # fmt: skip
    """Mt-KaHyPar's division into ``len(capacity)`` parts: from nothing, or one V-cycle that improves `start`.

    sizes : (cores,) weight of each vertex; capacity : (parts,) the most of each part, which the result may overshoot a
    little. fixed : (cores,) the part of each vertex, -1 where it is free. quick : with fewer tries (`QUICK`).
    """
    module, engine, parts = library(), _engine(), len(capacity)
    assert module is not None
    module.set_seed(seed % 2**31)
    deterministic = module.PresetType.DETERMINISTIC
    context = engine.context_from_file(str(QUICK)) if quick else engine.context_from_preset(deterministic)
    context.set_partitioning_parameters(parts, 0.0, module.Objective.KM1)
    context.set_individual_target_block_weights(capacity.tolist())
    context.logging = False
    bounds = hyper.indptr.tolist()
    pins = hyper.pins.tolist()
    edges = np.stack((hyper.u, hyper.v), axis=1).tolist()
    edges += [pins[a:b] for a, b in pairwise(bounds)]
    weights = _scaled(hyper)
    graph = engine.create_hypergraph(context, hyper.cores, len(edges), edges, sizes.tolist(), weights.tolist())
    if fixed is not None:
        graph.add_fixed_vertices(fixed.tolist(), parts)
    if start is None:
        divided = graph.partition(context)
    else:
        divided = graph.create_partitioned_hypergraph(context, parts, start.tolist())
        divided.improve_partition(context, 1)
    return np.array(divided.get_partition(), np.int64)


def _scaled(hyper: Hyper) -> Ints:
    """Weights of all edges, divided by a power of two where their sum would not fit 32 bits, at least 1."""
    weights: Ints = np.concatenate((hyper.weight, hyper.wide))
    fan = np.concatenate((np.ones(len(hyper.u), np.int64), np.diff(hyper.indptr) - 1))
    shift = 0
    while int((np.maximum(weights >> shift, 1) * fan).sum()) > _MOST and shift < 62:
        shift += 1
    return np.asarray(np.maximum(weights >> shift, 1))
