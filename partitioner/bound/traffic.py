"""What the traffic of packed cores costs at least, wherever they are placed: bounds on hops and on transport energy.

For one net with f destination cores on a mesh with c cores a router (ring bound): the nearest f places beside its source
are its own router's c - 1 (no hop), then those at distance 1, 2, ... of a lattice cut to the size of the mesh, at most a
chip's cores in all; further ones are on other chips, at least one chip-to-chip link away. Their costs, sorted, bound a
unicast from below. A multicast tree has to reach ``ceil((f + 1) / c) - 1`` other routers (c = 1: the lambda - 1 bound).

For the host: its messages fall on cores one by one, so by the rearrangement inequality their hops are least where the
busiest cores are nearest to a port, and their links where the fewest and nearest chips are used. Nets do not get in one
another's way in the first bound, nor hops and links in the second: the sum is below what any placement reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints


@dataclass(frozen=True, slots=True)
class HopCost:
    """What one message costs on a link, in whole femtojoules (or 1 to count hops). `link` is a chip-to-chip link."""

    east_west: int
    north_south: int
    link: int

    @classmethod
    def of(cls, chip: ChipSpec) -> HopCost | None:
        """The nominal energies of a chip's table; None where one is missing."""
        keys = ("hop_ew_j", "hop_ns_j", "interchip_bit_j")
        if not all(key in chip.costs for key in keys):
            return None
        ew, ns, bit = (chip.costs[key].nominal * 1e15 for key in keys)
        return cls(round(ew), round(ns), round(bit * 8 * chip.formats["message_bytes"]))


@dataclass(frozen=True, slots=True)
class TrafficBounds:
    """Of `Nets.per` steps: `unicast` in the unit of the `HopCost`, hops of trees between cores without the host's."""

    unicast: int
    multicast_hops: int


def traffic_bounds(nets: Nets, system: SystemSpec, cost: HopCost, chips: int) -> TrafficBounds:
    """Bounds of the module docstring for these nets, whatever places on `chips` chips the logical cores take."""
    outside = nets.pins == HOST
    fan = np.diff(nets.indptr)
    to_host = np.zeros(len(fan), np.bool_)
    to_host[fan > 0] = outside[nets.indptr[:-1][fan > 0]]  # HOST is the first of the pins
    inside = nets.source != HOST
    remote, weight = (fan - to_host)[inside], nets.weight[inside]
    nearest = _nearest(system, cost, chips, int(remote.max(initial=0)))
    sums = np.concatenate(([0], np.cumsum(nearest)))
    routers = -(-(remote + 1) // system.chip.cores_per_router) - 1
    host = _ports(nets, to_host, system, cost, chips) + _links(nets, to_host, system, cost, chips)
    return TrafficBounds(int(weight @ sums[remote]) + host, int(weight @ routers))


def _distances(shape: tuple[int, int], cost: tuple[int, int], around: bool) -> Ints:
    """Costs from one place of a mesh to all, ascending: from a corner, or `around` the best place of a lattice."""
    columns, rows = (np.arange(1 - side if around else 0, side) for side in shape)
    return np.asarray(np.sort((cost[0] * np.abs(columns)[:, None] + cost[1] * np.abs(rows)[None, :]).reshape(-1)))


def _nearest(system: SystemSpec, cost: HopCost, chips: int, count: int) -> Ints:
    """Least cost of a message to the nearest, the second nearest .. other core, (count,) ascending."""
    chip = system.chip
    own = _distances(chip.mesh, (cost.east_west, cost.north_south), True).repeat(chip.cores_per_router)[1 : chip.cores]
    links = _distances(system.grid, (cost.link, cost.link), True)[1:chips]
    found = np.sort(np.concatenate([own, links.repeat(chip.cores)[:count]]))[:count]
    # More destinations than there are cores: nobody places that, so any number is a bound.
    return np.asarray(np.pad(found, (0, count - len(found))))


def _ports(nets: Nets, to_host: NDArray[np.bool_], system: SystemSpec, cost: HopCost, chips: int) -> int:
    """Hops of what the host exchanges with cores, between them and the ports of their chips."""
    load = np.zeros(nets.cores, np.int64)
    fan = np.diff(nets.indptr)
    from_host = np.repeat(nets.source == HOST, fan)
    np.add.at(load, nets.pins[from_host], np.repeat(nets.weight, fan)[from_host])
    np.add.at(load, nets.source[to_host], nets.weight[to_host])
    corner = _distances(system.chip.mesh, (cost.east_west, cost.north_south), False)
    corner = corner.repeat(system.chip.cores_per_router)[: system.chip.cores]
    return _paired(load, np.sort(np.tile(corner, chips)))


def _links(nets: Nets, to_host: NDArray[np.bool_], system: SystemSpec, cost: HopCost, chips: int) -> int:
    """Chip-to-chip links of what the host exchanges with cores: the fewest and nearest chips that hold enough of them."""
    away = _distances(system.grid, (cost.link, cost.link), False)[:chips]
    from_host = nets.source == HOST
    needed = np.minimum(-(-np.diff(nets.indptr)[from_host] // system.chip.cores), len(away))
    inward = int(nets.weight[from_host] @ np.concatenate(([0], np.cumsum(away)))[needed])
    load = np.zeros(nets.cores, np.int64)
    np.add.at(load, nets.source[to_host], nets.weight[to_host])
    return inward + _paired(load, away.repeat(system.chip.cores))


def _paired(load: Ints, places: Ints) -> int:
    """The largest load at the nearest place, the next at the next: the least sum of products."""
    count = min(len(load), len(places))
    return int(np.sort(load)[::-1][:count] @ places[:count])
