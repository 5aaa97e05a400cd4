"""Place: chips on the grid of the system, cores on the mesh of each chip. Which cores share a chip is settled.

A message between cores of a chip goes straight across its mesh; a message to another chip or the host goes to the port, at
router (0, 0), and from port to port over the grid, where the host is at chip 0. Routes are dimension-ordered, so that a
message costs its hops, east-west and north-south weighed apart::

    chips: sum of messages between chips * hops on the grid, the host's messages included
    cores: sum of messages within a chip * hops on its mesh + messages through the port * hops to the port

Where the cores of a chip (or the chips) exchange nothing among themselves, the second term is all there is: a sum of
products, least where the largest traffic meets the shortest way (rearrangement inequality). That is exact, and what most
language models need, whose layers exchange everything with the host. Otherwise `portfolio.place_cores` searches. Chips with
the same traffic are solved once. Nothing is ever placed worse than in the order in which cores were filled. What a search
placed then gets a second objective, a less loaded busiest link (`links.relieve`), for at most `SLACK` more hops
where the first is cores or latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from neurodeploy.flow.links import unicast
from neurodeploy.flow.nets import Nets, merge_pairs
from neurodeploy.flow.routes import HOST, nodes, routers
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.machine.threads import each_once
from partitioner.place.links import relieve
from partitioner.place.portfolio import place_cores
from partitioner.place.problem import Pairs, Problem, make_problem
from partitioner.place.randomness import late
from partitioner.place.small import SMALL

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


def place_chips(traffic: Traffic, pinned: Ints, system: SystemSpec, available: int, search: Search) -> Ints:
    """(chips,): the chip of the system that each becomes. pinned : (chips,) where that is given, else -1."""
    sites = nodes(system, np.arange(available, dtype=np.int64))
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
    sites, hops = routers(chip, np.arange(chip.cores, dtype=np.int64)), hop_cost(chip, objective)
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
    alike: dict[tuple[bytes, ...], list[Ints]] = {}
    tasks: dict[tuple[bytes, ...], tuple[Pairs, Ints]] = {}
    for k in range(chips):
        own, inside = order[bounds[k] : bounds[k + 1]], slice(ends[k], ends[k + 1])
        pairs, port = (local[source[inside]], local[target[inside]], weight[inside]), traffic.port[own]
        key = tuple(part.tobytes() for part in (*pairs, port))
        alike.setdefault(key, []).append(own)
        tasks[key] = pairs, port[:, None]
    search.share(sum(len(port) for _, port in tasks.values()))
    core: Ints = local.copy()

    def best(key: tuple[bytes, ...]) -> None:
        pairs, anchors = tasks[key]
        core[np.stack(alike[key])] = search.best(pairs, sites, anchors, np.zeros((1, 2), np.int64), hops)

    each_once(best, tasks)
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
        problem = make_problem(pairs, sites, anchors, points, hops)
        ways = np.abs(problem.scaled - problem.fixed[0]).sum(axis=1)
        by_traffic = np.empty(problem.n, np.int64)
        by_traffic[np.argsort(-anchors[:, 0], kind="stable")] = np.argsort(ways, kind="stable")[: problem.n]
        found = [np.arange(problem.n), by_traffic]
        if len(pairs[2]) or problem.anchors > 1:  # else `by_traffic` is best
            if late(self.deadline):
                self.late += 1
            else:
                moves = self.moves_a_core * problem.n
                placed = place_cores(problem, seed=self.seed, moves=moves, deadline=self.deadline)
                self.late += not placed.complete
                found.append(placed.site)
        costs = [problem.cost(site) for site in found]
        best = found[costs.index(min(costs))]
        # The placer needs no compiler for so few, nor does the relief.
        if not self.relieves or len(found) < 3 or problem.n <= SMALL:
            return best
        moved = self._relieved(problem, best, pairs[2], anchors, points)
        return moved if problem.cost(moved) <= costs[0] else best

    def _relieved(self, problem: Problem, site: Ints, weight: Ints, anchors: Ints, points: Ints) -> Ints:
        """A less loaded busiest link for at most `SLACK` of the cost, where pairs, of `weight`, make up most of its load."""
        item, point = np.nonzero(anchors)
        columns, rows = (np.concatenate((problem.sites, points)).max(0) + 1).tolist()
        every = np.concatenate((weight, anchors[item, point]))

        def busiest(places: Ints, count: int) -> float:
            begin = problem.sites[places[np.concatenate((problem.source, item))[:count]]]
            end = np.concatenate((problem.sites[places[problem.target]], points[point]))[:count]
            return unicast(begin, end, every[:count], (columns, rows)).most

        before = busiest(site, len(every))
        if 2 * busiest(site, len(weight)) <= before:
            return site
        tries = self.moves_a_core * problem.n // 10
        moved = relieve(problem, site, weight, share=SLACK, seed=self.seed, tries=tries)
        return moved if busiest(moved, len(every)) < before else site
