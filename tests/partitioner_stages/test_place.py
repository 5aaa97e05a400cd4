from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from neurodeploy.flow.links import unicast
from neurodeploy.flow.routes import HOST, nodes, routers
from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.system import (
    Search,
    Traffic,
    hop_cost,
    place_chips,
    place_cores_of_chips,
    split_traffic,
)
from targets.loihi2 import LOIHI2
from tests.nets import make_nets
from tests.partitioner_stages.helpers import small_system

#: Cores 0 1 on chip 0, cores 2 3 on chip 1. Host -> all: 10 each; 0 -> 1: 3; 1 -> 2: 4; 3 -> host: 5.
NETS = make_nets(
    4,
    np.array([HOST] * 4 + [0, 1, 3]),
    np.array([0, 1, 2, 3, 1, 2, HOST]),
    np.array([0, 0, 0, 0, 1, 2, 3]),
    np.array([10, 10, 10, 10, 3, 4, 5]),
)
PART = np.array([0, 0, 1, 1])


def search(wanted: bool = True) -> Search:
    return Search(wanted, 0, None)


def cost(site: Ints, port: Ints, sites: Ints, hops: tuple[int, int] = (1, 1)) -> int:
    return int((port * (sites[site] @ np.array(hops))).sum())


def test_traffic_by_who_exchanges_it() -> None:
    traffic = split_traffic(NETS, PART, 2)
    assert [part.tolist() for part in traffic.local] == [[0], [1], [3]]
    assert traffic.port.tolist() == [10, 10 + 4, 10 + 4, 10 + 5]
    assert [part.tolist() for part in traffic.between] == [[0], [1], [4]]
    assert traffic.host.tolist() == [10, 10 + 5]


def test_the_busiest_core_is_at_the_port_and_no_order_is_better() -> None:
    chip = small_system(6, 1, mesh=(2, 2)).chip
    port = np.array([1, 7, 3, 3, 9, 2])
    nets = make_nets(6, np.full(6, HOST), np.arange(6), np.arange(6), port)
    part = np.zeros(6, np.int64)
    core = place_cores_of_chips(split_traffic(nets, part, 1), part, 1, chip, "cores", search())
    sites = routers(chip, np.arange(chip.cores))
    assert sorted(core.tolist()) == list(range(6))
    assert cost(core, port, sites) == min(cost(np.array(order), port, sites) for order in permutations(range(6)))


def test_cores_that_talk_are_neighbours() -> None:
    """A ring of eight over four routers in an order that visits far ones; ports see nothing."""
    chip = small_system(8, 1, mesh=(2, 2)).chip
    order = np.array([0, 4, 2, 6, 1, 5, 3, 7])
    nets = make_nets(8, order, np.roll(order, -1), np.arange(8), np.full(8, 5))
    part = np.zeros(8, np.int64)
    core = place_cores_of_chips(split_traffic(nets, part, 1), part, 1, chip, "cores", search())
    at = routers(chip, np.arange(chip.cores))[core]
    assert int(np.abs(at[order] - at[np.roll(order, -1)]).sum()) == 4


def test_equal_chips_are_placed_alike_and_order_is_kept_without_gain() -> None:
    chip = small_system(4, 3, mesh=(2, 2)).chip
    port = np.array([1, 5, 2, 9] * 2 + [3, 3, 3, 3])
    nets = make_nets(12, np.full(12, HOST), np.arange(12), np.arange(12), port)
    part = np.repeat([0, 1, 2], 4)
    core = place_cores_of_chips(split_traffic(nets, part, 3), part, 3, chip, "cores", search())
    assert core[:4].tolist() == core[4:8].tolist() == [3, 1, 2, 0]
    assert core[8:].tolist() == [0, 1, 2, 3]
    assert place_cores_of_chips(split_traffic(nets, part, 3), part, 3, chip, "cores", search(False))[:4].tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_hops_cost_what_the_objective_says() -> None:
    chip = small_system(4, 1).chip
    assert hop_cost(chip, "cores") == (1, 1)
    assert hop_cost(chip, "energy") == (3, 4)
    assert hop_cost(chip, "latency") == (41, 65)


def test_chips_with_host_traffic_are_near_chip_0_and_pins_hold() -> None:
    system = small_system(2, 6, grid=(3, 2))
    part = np.repeat(np.arange(4), 2)
    sent = np.array([1, 1, 2, 2, 9, 9, 5, 5])
    nets = make_nets(8, np.full(8, HOST), np.arange(8), np.arange(8), sent)
    traffic = split_traffic(nets, part, 4)
    free = np.full(4, -1, np.int64)
    ways = nodes(system, np.arange(6)).sum(axis=1)
    assert ways[place_chips(traffic, free, system, 6, search())].tolist() == [2, 1, 0, 1]
    pinned = np.array([0, -1, -1, -1])
    number = place_chips(traffic, pinned, system, 6, search())
    assert number[0] == 0
    assert ways[number].tolist() == [0, 2, 1, 1]
    assert place_chips(traffic, free, system, 6, search(False)).tolist() == [0, 1, 2, 3]


def test_chips_that_exchange_messages_are_neighbours_on_the_grid() -> None:
    system = small_system(1, 4, grid=(4, 1))
    nets = make_nets(4, np.array([0, 3, 1]), np.array([3, 1, 2]), np.arange(3), np.full(3, 7))
    number = place_chips(split_traffic(nets, np.arange(4), 4), np.full(4, -1), system, 4, search())
    assert [abs(int(number[a] - number[b])) for a, b in ((0, 3), (3, 1), (1, 2))] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_never_worse_than_filling_order(seed: int) -> None:
    draw = np.random.default_rng(seed)
    system = small_system(8, 4, grid=(2, 2), mesh=(2, 2))
    source, target = draw.integers(-1, 30, 60), draw.integers(0, 30, 60)
    nets = make_nets(30, source, target, np.arange(60), draw.integers(1, 100, 60))
    part = np.sort(draw.permutation(np.repeat(np.arange(4), 8))[:30])
    traffic = split_traffic(nets, part, 4)
    costs = []
    for wanted in (False, True):
        number = place_chips(traffic, np.full(4, -1), system, 4, search(wanted))
        core = place_cores_of_chips(traffic, part, 4, system.chip, "cores", search(wanted))
        sites = routers(system.chip, np.arange(8))
        at, on = sites[core], nodes(system, np.arange(4))[number]
        (a, b, w), (x, y, v) = traffic.local, traffic.between
        mesh = int((w * np.abs(at[a] - at[b]).sum(axis=1)).sum()) + cost(core, traffic.port, sites)
        grid = int((v * np.abs(on[x] - on[y]).sum(axis=1)).sum() + (traffic.host * on.sum(axis=1)).sum())
        costs.append((mesh, grid))
    assert costs[1][0] <= costs[0][0]
    assert costs[1][1] <= costs[0][1]


def test_a_deadline_that_has_passed_leaves_filling_order_and_is_counted() -> None:
    late = Search(True, 0, 0.0)
    core = place_cores_of_chips(split_traffic(NETS, PART, 2), PART, 2, small_system(4, 2).chip, "cores", late)
    assert core.tolist()[:2] == [0, 1]
    assert late.late == 1


@pytest.mark.parametrize("objective", ["cores", "latency", "traffic", "energy"])
def test_the_busiest_link_is_the_second_objective(objective: str) -> None:
    """Three layers of 40 cores: less load on the busiest link for at most a fiftieth of the hops, or the same placement."""
    layer = np.arange(40)
    source, target = (part.ravel() for part in np.meshgrid(layer, layer + 40))
    source, target = np.concatenate((source, source + 40)), np.concatenate((target, target + 40))
    weight = np.random.default_rng(0).integers(1, 20, len(source))
    nothing = (np.zeros(0, np.int64),) * 3
    traffic = Traffic((source, target, weight), np.zeros(120, np.int64), nothing, np.zeros(1, np.int64))
    sites = routers(LOIHI2, np.arange(LOIHI2.cores))

    def placed(objective: str) -> tuple[int, float]:
        search = Search(True, 0, None, objective)
        core = place_cores_of_chips(traffic, np.zeros(120, np.int64), 1, LOIHI2, "traffic", search)
        begin, end = sites[core[source]], sites[core[target]]
        return int(weight @ np.abs(begin - end).sum(1)), unicast(begin, end, weight, LOIHI2.mesh).most

    (hops, load), (other_hops, other_load) = placed("traffic"), placed(objective)
    if objective in ("cores", "latency"):
        assert other_load < load and other_hops <= hops + hops // 50
    else:
        assert (other_hops, other_load) == (hops, load)
