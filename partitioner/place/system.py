"""Place: chips on the grid of the system, cores on the mesh of each chip. Which cores share a chip is settled.

A message between cores of a chip goes straight across its mesh; a message to another chip or the host goes to the port, at
router (0, 0), and from port to port over the grid, where the host is at chip 0. Routes are dimension-ordered, so that a
message costs its hops, east-west and north-south weighed apart::

    chips: sum of messages between chips * hops on the grid, the host's messages included
    cores: sum of messages within a chip * hops on its mesh + messages through the port * hops to the port

Where the cores of a chip (or the chips) exchange nothing among themselves, the second term is all there is: a sum of
products, least where the largest traffic meets the shortest way (rearrangement inequality). That is exact, and what most
language models need, whose layers exchange everything with the host. Otherwise `placement.place_cores` searches. Chips with
the same traffic are solved once. Nothing is ever placed worse than in the order in which cores were filled. What a search
placed then gets a second objective, a less loaded busiest link (`placement.links.relieve`), for at most `SLACK` more hops
where the first is cores or latency.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import gcd

import numpy as np

from neurodeploy.flow.nets import Nets, merge_pairs
from neurodeploy.flow.routes import HOST, nodes, routers
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints

Pairs = tuple[Ints, Ints, Ints]

#: Exchanges proposed for each core, and at most for all cores of all chips together.
MOVES_A_CORE, MOVES_IN_ALL = 3000, 120_000_000
#: Objectives whose busiest link may be relieved for this part more hops; the others count hops first.
RELIEVING, SLACK = ("cores", "latency"), (1, 50)


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Messages by who exchanges them: cores of a chip, a core and its port, two chips, a chip and the host."""

    local: Pairs
    port: Ints
    between: Pairs
    host: Ints


def split_traffic(nets: Nets, part: Ints, chips: int) -> Traffic:
    """`part` is the chip of each core. A message of the host enters a chip once, and is delivered to each of its cores."""
    source, target, weight = nets.pairs()
    inner = (source != HOST) & (target != HOST)
    port = np.zeros(nets.cores, np.int64)
    host = np.zeros(chips, np.int64)
    for own in (source[~inner], target[~inner]):
        core = own != HOST
        np.add.at(port, own[core], weight[~inner][core])
    leaving = target == HOST
    np.add.at(host, part[source[leaving]], weight[leaving])
    net = np.repeat(np.arange(len(nets.source)), np.diff(nets.indptr))
    entering = nets.source[net] == HOST
    once = np.unique(net[entering] * chips + part[nets.pins[entering]])
    np.add.at(host, once % chips, nets.weight[once // chips])
    source, target, weight = source[inner], target[inner], weight[inner]
    far = part[source] != part[target]
    for own in (source[far], target[far]):
        np.add.at(port, own, weight[far])
    between = merge_pairs(part[source[far]], part[target[far]], weight[far], chips)
    return Traffic((source[~far], target[~far], weight[~far]), port, between, host)


def hop_cost(chip: ChipSpec, objective: str) -> tuple[int, int]:
    """(east-west, north-south): 1 and 1, or for "energy" and "latency" the chip's joules or seconds, as small integers."""
    names = {"energy": ("hop_ew_j", "hop_ns_j"), "latency": ("t_hop_ew_s", "t_hop_ns_s")}.get(objective)
    if names is None or any(name not in chip.costs for name in names):
        return 1, 1
    units = 1e15 if objective == "energy" else 1e12  # femtojoules, picoseconds
    east_west, north_south = (max(1, round(chip.costs[name].nominal * units)) for name in names)
    common = gcd(east_west, north_south)
    return east_west // common, north_south // common


def core_sites(chip: ChipSpec) -> Ints:
    """(cores, 2): the router (column, row) of every core."""
    return routers(chip, np.arange(chip.cores, dtype=np.int64))


def chip_sites(system: SystemSpec, chips: int) -> Ints:
    """(chips, 2): column and row of the first chips on the grid."""
    return nodes(system, np.arange(chips, dtype=np.int64))


def place_chips(traffic: Traffic, pinned: Ints, system: SystemSpec, available: int, search: Search) -> Ints:
    """(chips,): the chip of the system that each becomes. pinned : (chips,) where that is given, else -1."""
    sites = chip_sites(system, available)
    fixed, free = np.flatnonzero(pinned >= 0), np.flatnonzero(pinned < 0)
    open_sites = np.setdiff1d(np.arange(available), pinned[fixed])
    number: Ints = pinned.copy()
    number[free] = open_sites[: len(free)]
    if not search.wanted or not len(free):
        return number
    index = np.full(len(pinned), -1, np.int64)
    index[free] = np.arange(len(free))
    source, target, weight = traffic.between
    inner = (index[source] >= 0) & (index[target] >= 0)
    anchors = np.zeros((len(free), 1 + len(fixed)), np.int64)
    anchors[:, 0] = traffic.host[free]
    slot = np.zeros(len(pinned), np.int64)
    slot[fixed] = 1 + np.arange(len(fixed))
    for a, b in ((source, target), (target, source)):
        one = (index[a] >= 0) & (index[b] < 0)
        np.add.at(anchors, (index[a[one]], slot[b[one]]), weight[one])
    points = np.concatenate((sites[:1], sites[pinned[fixed]]))
    pairs = (index[source[inner]], index[target[inner]], weight[inner])
    number[free] = open_sites[search.best(pairs, sites[open_sites], anchors, points, (1, 1))]
    return number


def place_cores_of_chips(
    traffic: Traffic, part: Ints, chips: int, chip: ChipSpec, objective: str, search: Search
) -> Ints:
    """(cores,): the core of its chip that each becomes; in filling order where nothing is gained by another."""
    sites, hops = core_sites(chip), hop_cost(chip, objective)
    order = np.argsort(part, kind="stable")
    bounds = np.searchsorted(part[order], np.arange(chips + 1))
    local: Ints = np.empty(len(part), np.int64)
    local[order] = np.arange(len(part)) - bounds[part[order]]
    if not search.wanted:
        return local
    source, target, weight = traffic.local
    by = np.argsort(part[source], kind="stable")
    source, target, weight = source[by], target[by], weight[by]
    ends = np.searchsorted(part[source], np.arange(chips + 1))
    jobs: dict[bytes, list[int]] = {}
    for k in range(chips):
        own, inside = order[bounds[k] : bounds[k + 1]], slice(ends[k], ends[k + 1])
        head = np.array([len(own), ends[k + 1] - ends[k]], np.int64)
        parts = (head, traffic.port[own], local[source[inside]], local[target[inside]], weight[inside])
        jobs.setdefault(np.concatenate(parts).tobytes(), []).append(k)
    search.share(sum(int(bounds[same[0] + 1] - bounds[same[0]]) for same in jobs.values()))
    core: Ints = local.copy()
    for same in jobs.values():
        k = same[0]
        own, inside = order[bounds[k] : bounds[k + 1]], slice(ends[k], ends[k + 1])
        pairs = (local[source[inside]], local[target[inside]], weight[inside])
        found = search.best(pairs, sites, traffic.port[own][:, None], np.zeros((1, 2), np.int64), hops)
        for twin in same:
            core[order[bounds[twin] : bounds[twin + 1]]] = found
    return core


class Search:
    """The best of filling order, the order by traffic through the port (or with the host), and `place_cores`.

    `late` counts the placements that the deadline ended.
    """

    def __init__(self, wanted: bool, seed: int, deadline: float | None, objective: str = "traffic") -> None:
        self.wanted, self.seed, self.deadline = wanted, seed, deadline
        self.relieves = objective in RELIEVING
        self.moves_a_core = MOVES_A_CORE
        self.late = 0

    def share(self, cores: int) -> None:
        """Divide the moves among so many cores."""
        self.moves_a_core = min(MOVES_A_CORE, MOVES_IN_ALL // max(1, cores))

    def best(self, pairs: Pairs, sites: Ints, anchors: Ints, points: Ints, hops: tuple[int, int]) -> Ints:
        """(items,): a site for each."""
        count = len(anchors)
        ways = np.abs(sites[:, None, :] - points[None, :, :]) @ np.array(hops, np.int64)
        by_traffic = np.empty(count, np.int64)
        by_traffic[np.argsort(-anchors[:, 0], kind="stable")] = np.argsort(ways[:, 0], kind="stable")[:count]
        found = [np.arange(count), by_traffic]
        if len(pairs[2]) or anchors.shape[1] > 1:  # else `by_traffic` is best
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.late += 1
            else:
                found.append(self._searched(pairs, sites, anchors, points, hops))
        costs = [self._cost(site, pairs, sites, anchors, ways, hops) for site in found]
        best = found[costs.index(min(costs))]
        if not self.relieves or len(found) < 3:
            return best
        moved = self._relieved(best, pairs, sites, anchors, points, hops)
        return moved if self._cost(moved, pairs, sites, anchors, ways, hops) <= costs[0] else best

    def _relieved(
        self, site: Ints, pairs: Pairs, sites: Ints, anchors: Ints, points: Ints, hops: tuple[int, int]
    ) -> Ints:
        """A less loaded busiest link for at most `SLACK` of the cost, where pairs make up most of its load."""
        from partitioner.place import make_problem
        from partitioner.place.links import link_loads, relieve
        from partitioner.place.small import SMALL

        if len(site) <= SMALL:  # the placer needs no compiler for so few, nor do they
            return site
        item, point = np.nonzero(anchors)
        weight = np.concatenate((pairs[2], anchors[item, point]))
        columns, rows = (np.concatenate((sites, points)).max(0) + 1).tolist()

        def busiest(places: Ints, count: int) -> int:
            begin = np.concatenate((sites[places[pairs[0]]], sites[places[item]]))[:count]
            end = np.concatenate((sites[places[pairs[1]]], points[point]))[:count]
            return link_loads(begin, end, weight[:count], (columns, rows)).most

        before = busiest(site, len(weight))
        if 2 * busiest(site, len(pairs[2])) <= before:
            return site
        problem = make_problem(pairs, sites, anchors, points, hops)
        moved, _, _ = relieve(
            problem, site, pairs[2], share=SLACK, seed=self.seed, tries=self.moves_a_core * len(site) // 10
        )
        return moved if busiest(moved, len(weight)) < before else site

    def _searched(self, pairs: Pairs, sites: Ints, anchors: Ints, points: Ints, hops: tuple[int, int]) -> Ints:
        from partitioner.place import place_cores

        placed = place_cores(
            pairs,
            sites,
            anchors,
            anchor_sites=points,
            hop_cost=hops,
            seed=self.seed,
            moves=self.moves_a_core * len(anchors),
            deadline=self.deadline,
        )
        self.late += not placed.complete
        return placed.site

    @staticmethod
    def _cost(site: Ints, pairs: Pairs, sites: Ints, anchors: Ints, ways: Ints, hops: tuple[int, int]) -> int:
        source, target, weight = pairs
        away = np.abs(sites[site[source]] - sites[site[target]]) @ np.array(hops, np.int64)
        return int((weight * away).sum()) + int((anchors * ways[site]).sum())
