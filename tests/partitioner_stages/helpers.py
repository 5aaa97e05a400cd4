"""Tiles, systems and messages for the tests of the tail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from partitioner.cut.stamp import Tile
from targets.systems import get_system
from tests.nets import make_nets

LIMITS = (10, 1000, None, None, None)


def small_system(
    cores: int, chips: int, grid: tuple[int, int] | None = None, mesh: tuple[int, int] = (4, 4)
) -> SystemSpec:
    """Chips of so many cores, two on a router."""
    board = get_system("kapoho-point")
    chip = replace(board.chip, cores=cores, mesh=mesh, cores_per_router=2)
    return replace(board, chip=chip, chips=chips, grid=grid or (chips, 1))


def tiles(count: int, neurons: int, island: str = "a", group: str | None = None) -> list[Tile]:
    name = island if group is None else group
    return [Tile(island, "synapses", (n, n + 1), (0, 1), name, (neurons, 1, 1, 1, 1)) for n in range(count)]


def no_nets(core: Ints) -> Nets:
    none = np.zeros(0, np.int64)
    return make_nets(int(core.max()) + 1, none, none, none, none)


def nets_of(pairs: Sequence[tuple[int, int, int]]) -> Callable[[Ints], Nets]:
    """(tile, tile, messages), each an axon of its own; `HOST` for the host."""

    def build(core: Ints) -> Nets:
        source, target, weight = np.array(pairs, np.int64).reshape(-1, 3).T
        ends = [np.where(tile == HOST, HOST, core[tile]) for tile in (source, target)]
        return make_nets(int(core.max()) + 1, ends[0], ends[1], np.arange(len(pairs)), weight)

    return build


def host_nets(layers: Sequence[Sequence[int]], messages: int = 10) -> Callable[[Ints], Nets]:
    """The host sends to all tiles of a layer at once, each tile returns one message."""

    def build(core: Ints) -> Nets:
        layer = np.concatenate([np.full(len(own), k) for k, own in enumerate(layers)])
        tile = np.concatenate([np.array(own) for own in layers])
        host = np.full(len(tile), HOST)
        return make_nets(
            int(core.max()) + 1,
            np.concatenate((host, core[tile])),
            np.concatenate((core[tile], host)),
            np.concatenate((layer, len(layers) + np.arange(len(tile)))),
            np.concatenate((np.full(len(tile), messages), np.ones(len(tile), np.int64))),
        )

    return build


def first_fit_chips(
    demands: Sequence[tuple[int, ...]], limits: Sequence[int | None], cores_per_chip: int
) -> tuple[int, int]:
    """(chips, cores) of the simplest mapper: the first core of the present chip with room, else a new core or chip."""
    chips: list[list[list[int]]] = [[]]
    for demand in demands:
        for used in chips[-1]:
            if all(limit is None or u + d <= limit for u, d, limit in zip(used, demand, limits, strict=True)):
                break
        else:
            if len(chips[-1]) == cores_per_chip:
                chips.append([])
            used = [0] * len(demand)
            chips[-1].append(used)
        for index, need in enumerate(demand):
            used[index] += need
    return len(chips), sum(map(len, chips))
