"""Loads of links against walking every route, link by link."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.flow.links import Routed, route
from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.chip import SystemSpec
from targets.loihi2 import LOIHI2
from tests.nets import make_nets


def small(columns: int, rows: int, per_router: int, grid: tuple[int, int]) -> SystemSpec:
    chip = replace(LOIHI2, cores=columns * rows * per_router, mesh=(columns, rows), cores_per_router=per_router)
    return SystemSpec("small", chip, grid[0] * grid[1], grid, "made for a test")


def walk(start: tuple[int, int], stop: tuple[int, int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    (x, y), links = start, []
    while (x, y) != stop:
        if x != stop[0]:
            new = (x + (1 if stop[0] > x else -1), y)
        else:
            new = (x, y + (1 if stop[1] > y else -1))
        links.append(((x, y), new))
        x, y = new
    return links


def by_walking(nets: Nets, chip: list[int], core: list[int], system: SystemSpec, multicast: bool):
    """Counters of messages: (chip, link), (grid link), port of chip."""
    mesh, grid, ports = Counter(), Counter(), Counter()
    columns = system.grid[0]

    def router(c: int) -> tuple[int, int]:
        index = core[c] // system.chip.cores_per_router
        return index % system.chip.mesh[0], index // system.chip.mesh[0]

    def node(k: int) -> tuple[int, int]:
        return k % columns, k // columns

    for k, source in enumerate(nets.source.tolist()):
        weight = int(nets.weight[k])
        local, remote, port = Counter(), Counter(), Counter()
        sent_to = set()
        for target in nets.pins[nets.indptr[k] : nets.indptr[k + 1]].tolist():
            a = 0 if source == HOST else chip[source]
            b = 0 if target == HOST else chip[target]
            if HOST not in (source, target) and a == b:
                local.update((a, link) for link in walk(router(source), router(target)))
                continue
            if source != HOST:
                local.update((a, link) for link in walk(router(source), (0, 0)))
                port[a, "out"] += 1
            if target != HOST:
                local.update((b, link) for link in walk((0, 0), router(target)))
                port[b, "in"] += 1
            if source != HOST or b not in sent_to:
                remote.update(walk(node(a), node(b)))
            sent_to.add(b)
        for total, part in ((mesh, local), (grid, remote)):
            for link, times in part.items():
                total[link] += weight * (1 if multicast else times)
        for (where, _), times in port.items():
            ports[where] += weight * (1 if multicast else times)
    return mesh, grid, ports


def as_counters(found: Routed, system: SystemSpec):
    counters = []
    for loads in (found.mesh, found.grid):
        seen = Counter()
        for (m, y, x), n in np.ndenumerate(loads.east):
            seen[m, ((x, y), (x + 1, y))] += int(n)
        for (m, y, x), n in np.ndenumerate(loads.west):
            seen[m, ((x + 1, y), (x, y))] += int(n)
        for (m, x, y), n in np.ndenumerate(loads.south):
            seen[m, ((x, y), (x, y + 1))] += int(n)
        for (m, x, y), n in np.ndenumerate(loads.north):
            seen[m, ((x, y + 1), (x, y))] += int(n)
        counters.append(seen)
    mesh = {(int(found.chips[m]), link): n for (m, link), n in counters[0].items() if n}
    grid = {link: n for (_, link), n in counters[1].items() if n}
    ports = {int(c): int(n) for c, n in zip(found.chips, found.ports, strict=True) if n}
    return mesh, grid, ports


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_loads_are_those_of_every_route_walked(seed: int, multicast: bool) -> None:
    rng = np.random.default_rng(seed)
    system = small(*[(4, 3, 2), (1, 5, 1), (5, 1, 3)][seed % 3], [(3, 2), (1, 1), (2, 3)][seed // 2])
    sites = rng.permutation(system.cores)[: min(system.cores, 30)]
    chip, core = np.divmod(sites, system.chip.cores)
    n = len(sites)
    axon = rng.integers(0, 25, 150)
    source = rng.integers(-1, n, 25)[axon]
    target = rng.integers(-1, n, 150)
    nets = make_nets(n, source, target, axon, rng.integers(1, 9, 25)[axon])
    found = route(nets, chip, core, system, multicast=multicast)
    expected = by_walking(nets, chip.tolist(), core.tolist(), system, multicast)
    assert as_counters(found, system) == tuple({k: v for k, v in part.items() if v} for part in expected)
    assert found.mesh.hops_ew + found.mesh.hops_ns == sum(expected[0].values())
    assert found.packets == sum(expected[1].values())
    mesh, source_at, target_at, most = found.mesh.busiest()
    assert most == max(expected[0].values(), default=0)
    if most:
        assert expected[0][int(found.chips[mesh]), (source_at, target_at)] == most
    assert found.mesh.cut <= most and found.grid.cut <= max(expected[1].values(), default=0)


def test_the_cut_of_a_star_is_what_no_routing_avoids() -> None:
    """Four cores of the left column send 10 messages each to the right column of a 2 x 4 mesh: 10 over each link."""
    system = small(2, 4, 1, (1, 1))
    nets = make_nets(8, np.arange(4), np.full(4, 4), np.arange(4), np.full(4, 10))
    core = np.array([0, 2, 4, 6, 1, 3, 5, 7])  # 0..3 in column 0, 4..7 in column 1
    found = route(nets, np.zeros(8, np.int64), core, system)
    assert found.mesh.east.tolist() == [[[10], [10], [10], [10]]]
    assert found.mesh.cut == 15.0  # the 30 messages that go north meet at the top: 30 over 2 links
    assert found.mesh.busiest() == (0, (1, 1), (1, 0), 30)
